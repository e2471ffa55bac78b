//! Members of IAM policies: who of a pool may act as a service account, or on a resource.
//! <https://cloud.google.com/iam/docs/principal-identifiers>

use federate_core::PrincipalLabel;
use serde_json::{Map, Value as Json};

use super::resource;
use super::surroundings::{POLICY, Surroundings, UNKNOWN, is_unknown};

/// A pool, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pool {
    /// `projects/N/locations/global/workloadIdentityPools/POOL`
    Named(String),
    /// Its id; the project is not known yet.
    WithId(String),
    /// Nothing is known.
    Unknown,
}

/// One member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Binding {
    /// As written.
    pub(super) member: String,
    /// The pool it is of; `None` where it is no member of a workload identity pool.
    pool: Option<String>,
    pub(super) chooses: Selector,
    /// What it is given, as far as the file says.
    pub(super) role: Option<String>,
    /// Whom it becomes, or what it may act on, as far as the file says.
    pub(super) on: Option<PrincipalLabel>,
    /// The IAM condition that has to hold besides: its expression, or else its title. Nobody evaluates it here.
    pub(super) condition: Option<String>,
    /// The keys and indices that lead to the member in its file.
    pub(super) path: Vec<String>,
}

/// Whom of the pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Selector {
    /// One subject.
    Subject(String),
    /// All with this value of the attribute, named with its prefix: `attribute.repository`.
    Attribute(String, String),
    /// All of a group.
    Group(String),
    /// Everybody.
    Everybody,
    /// Everybody of all pools of a project.
    Project(String),
    /// Nobody can be: in words, why.
    Nobody(&'static str),
    /// A plan does not know yet.
    Unknown,
    /// Somebody who is not of any pool.
    Other,
}

impl Binding {
    /// All members that an object names: those of a policy, a Terraform resource, or a bare list.
    pub(super) fn all_of(keys: &[String], map: &Map<String, Json>, around: &Surroundings<'_>) -> Vec<Self> {
        let path = &keys.join(".");
        let at = |end: &[&str]| keys.iter().map(String::as_str).chain(end.iter().copied()).map(str::to_owned).collect();
        let read = |key: &str| match map.get(key) {
            Some(Json::String(one)) => vec![Self { path: at(&[key]), ..Self::read(one) }],
            Some(Json::Array(many)) => {
                let texts = many.iter().enumerate().filter_map(|(index, one)| Some((index.to_string(), one.as_str()?)));
                texts.map(|(index, one)| Self { path: at(&[key, &index]), ..Self::read(one) }).collect()
            }
            _ => Vec::new(),
        };
        let is_binding = map.contains_key("role") || map.contains_key("members");
        let mut members: Vec<Self> = read("bindings");
        if is_binding {
            members.extend(read("members").into_iter().chain(read("member")));
            let unknown = around.unknown(path);
            let is_unknown = |key: &str| unknown.is_some_and(|unknown| is_unknown(unknown.get(key)));
            if is_unknown("members") || is_unknown("member") {
                members.push(Self::not_known(keys));
            }
        } else if around.unknown(path).is_some_and(|unknown| is_unknown(unknown.get(POLICY))) {
            members.push(Self::not_known(keys));
        }
        if members.is_empty() {
            return members;
        }
        let (role, on) = (map.get("role").and_then(Json::as_str), resource::of_policy(path, map, around));
        let condition = map.get("condition").and_then(condition);
        for member in &mut members {
            member.role = role.map(str::to_owned);
            member.on.clone_from(&on);
            member.condition.clone_from(&condition);
        }
        members
    }

    /// A member that a plan does not know yet.
    fn not_known(keys: &[String]) -> Self {
        let (member, path) = (format!("({UNKNOWN})"), keys.to_vec());
        Self { member, pool: None, chooses: Selector::Unknown, role: None, on: None, condition: None, path }
    }

    /// Reads a member.
    pub(super) fn read(member: &str) -> Self {
        let of = |pool: Option<String>, chooses: Selector| Self {
            member: member.to_owned(),
            pool,
            chooses,
            role: None,
            on: None,
            condition: None,
            path: Vec::new(),
        };
        let (is_set, rest) = match (member.strip_prefix("principalSet://"), member.strip_prefix("principal://")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ => return of(None, Selector::Other),
        };
        let (pool, chooses) = choose(is_set, rest);
        of(pool, chooses)
    }

    /// The same member with the same rights, wherever it stands: a plan says everything twice.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let parts = |one: &Self| (one.member.clone(), one.role.clone(), one.on.clone(), one.condition.clone());
        parts(self) == parts(other)
    }

    /// Is it for the identities of this pool?
    pub(super) fn is_of(&self, pool: &Pool) -> bool {
        match (&self.chooses, &self.pool, pool) {
            (Selector::Other, ..) => false,
            (Selector::Unknown, ..) => true,
            (Selector::Project(project), _, Pool::Named(pool)) => pool.split('/').nth(1) == Some(project),
            (Selector::Project(_), ..) | (_, _, Pool::Unknown) => true,
            // What is wrong with it may be the project.
            (Selector::Nobody(_), Some(own), Pool::Named(pool)) => own.rsplit('/').next() == pool.rsplit('/').next(),
            (_, Some(own), Pool::Named(pool)) => own == pool,
            (_, Some(own), Pool::WithId(id)) => own.rsplit('/').next() == Some(id),
            (_, None, _) => false,
        }
    }
}

/// An IAM condition: an object, or a Terraform block.
fn condition(value: &Json) -> Option<String> {
    let block = if let Json::Array(blocks) = value { blocks.first()? } else { value };
    let text = |key: &str| block.get(key).and_then(Json::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
    block.as_object().filter(|block| !block.is_empty())?;
    Some(text("expression").or_else(|| text("title")).unwrap_or_else(|| format!("({UNKNOWN})")))
}

fn choose(is_set: bool, rest: &str) -> (Option<String>, Selector) {
    const MALFORMED: &str = "a member is principal://iam.googleapis.com/projects/NUMBER/locations/global/workloadIdentityPools/POOL/subject/SUBJECT, or principalSet://… with attribute.NAME/VALUE, group/ID or *";
    if let Some(project) = rest
        .strip_prefix("cloudresourcemanager.googleapis.com/projects/")
        .and_then(|rest| rest.strip_suffix("/type/WorkloadIdentityPool"))
    {
        return (None, Selector::Project(project.to_owned()));
    }
    let Some(name) = rest.strip_prefix("iam.googleapis.com/") else { return (None, Selector::Other) };
    let mut parts = name.splitn(7, '/');
    let mut next = || parts.next().unwrap_or_default();
    let (projects, project, locations, location, pools, pool) = (next(), next(), next(), next(), next(), next());
    let chosen = parts.next().unwrap_or_default();
    if pools != "workloadIdentityPools" {
        return (None, Selector::Other);
    }
    let of = Some(format!("projects/{project}/locations/{location}/workloadIdentityPools/{pool}"));
    if projects != "projects" || locations != "locations" || location != "global" || pool.is_empty() {
        return (of, Selector::Nobody(MALFORMED));
    }
    if project.is_empty() || !project.bytes().all(|byte| byte.is_ascii_digit()) {
        return (of, Selector::Nobody("a member names the project by its number"));
    }
    let selector = match (chosen.split_once('/'), is_set) {
        (None, true) if chosen == "*" => Selector::Everybody,
        (Some((_, value)), _) if value.contains('*') => {
            Selector::Nobody("members have no wildcards: the `*` is a literal one")
        }
        (Some((_, value)), _) if names_an_attribute(value) => {
            Selector::Nobody("a member names one attribute, and the rest counts as its value")
        }
        (Some((_, "")), _) => Selector::Nobody(MALFORMED),
        (Some(("subject", subject)), false) => Selector::Subject(subject.to_owned()),
        (Some(("group", group)), true) => Selector::Group(group.to_owned()),
        (Some((name, value)), true) if name.starts_with("attribute.") => {
            Selector::Attribute(name.to_owned(), value.to_owned())
        }
        _ => Selector::Nobody(MALFORMED),
    };
    (of, selector)
}

/// `larkspur/api/attribute.ref/refs/heads/main`, or the same joined by a comma or an ampersand.
fn names_an_attribute(value: &str) -> bool {
    value.match_indices("attribute.").any(|(at, word)| {
        let is_apart = value[..at].chars().next_back().is_some_and(|before| "/,&;| ".contains(before));
        let name =
            value[at + word.len()..].trim_start_matches(|mark: char| mark.is_ascii_alphanumeric() || mark == '_');
        is_apart && name.starts_with(['/', '='])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const POOL: &str = "projects/1/locations/global/workloadIdentityPools/ci";

    #[test]
    fn conditions_are_read_and_no_condition_is_none() {
        for (value, expected) in [
            (serde_json::json!({"title": "t", "expression": "request.time < x"}), Some("request.time < x")),
            (serde_json::json!([{"title": "t"}]), Some("t")),
            (serde_json::json!([{"title": null}]), Some("(known only after apply)")),
            (serde_json::json!([]), None),
            (serde_json::json!(null), None),
        ] {
            assert_eq!(condition(&value).as_deref(), expected, "{value}");
        }
    }

    fn chosen(member: &str) -> Selector {
        Binding::read(&member.replace("POOL", &format!("iam.googleapis.com/{POOL}"))).chooses
    }

    #[test]
    fn members_are_read() {
        assert_eq!(chosen("principal://POOL/subject/repo:o/r:x"), Selector::Subject("repo:o/r:x".to_owned()));
        let attribute = Selector::Attribute("attribute.repository".to_owned(), "o/r".to_owned());
        assert_eq!(chosen("principalSet://POOL/attribute.repository/o/r"), attribute);
        assert_eq!(chosen("principalSet://POOL/group/g"), Selector::Group("g".to_owned()));
        assert_eq!(chosen("principalSet://POOL/*"), Selector::Everybody);
        assert_eq!(chosen("serviceAccount:x@y.iam.gserviceaccount.com"), Selector::Other);
        for nobody in [
            "principalSet://POOL/subject/x",
            "principal://POOL/attribute.a/x",
            "principal://POOL/*",
            "principalSet://POOL/attribute.repository/o/*",
            "principalSet://POOL/attribute.a/x/attribute.b/y",
            "principalSet://POOL/attribute.a/x,attribute.b/y",
            "principalSet://POOL/attribute.a",
            "principalSet://POOL/",
            "principal://iam.googleapis.com/projects/my-project/locations/global/workloadIdentityPools/ci/subject/x",
        ] {
            assert!(matches!(chosen(nobody), Selector::Nobody(_)), "{nobody}");
        }
    }

    #[test]
    fn a_member_is_of_one_pool() {
        let member = Binding::read(&format!("principalSet://iam.googleapis.com/{POOL}/*"));
        assert!(member.is_of(&Pool::Named(POOL.to_owned())) && member.is_of(&Pool::WithId("ci".to_owned())));
        assert!(!member.is_of(&Pool::Named(POOL.replace("/1/", "/2/"))));
        let project =
            Binding::read("principalSet://cloudresourcemanager.googleapis.com/projects/1/type/WorkloadIdentityPool");
        assert!(project.is_of(&Pool::Named(POOL.to_owned())));
    }
}
