//! Where trust policies stand: by themselves, in what the API prints, in templates, plans and states.

use federate_core::Error;
use federate_trust::{Decision, Finding, Job, Located, TrustDocument, Verdict, terraform, walk_keys};
use serde_json::{Map, Value as Json};

use super::parse;
use super::template::Template;

/// The keys under which AWS's tools and templates, its Config service and Terraform's states keep a role's trust policy.
const WRAPPERS: [&str; 4] =
    ["AssumeRolePolicyDocument", "assumeRolePolicyDocument", "assume_role_policy", "assume_role_policy_document"];

/// A policy, what it is called, and the way to it from the top of the file.
struct Found<'a> {
    place: String,
    path: Vec<String>,
    policy: &'a Json,
}

/// Every trust policy in a document.
pub(super) fn documents(value: &Json) -> Result<Vec<Located>, Vec<Error>> {
    let template = Template::new(value);
    let mut documents = Vec::new();
    let found = match terraform::resources(value) {
        Some(resources) => of_terraform(&resources, &mut documents),
        None => of_document(value),
    };
    let mut errors = Vec::new();
    for Found { place, path, policy } in found {
        match parse::policy(policy, path.clone(), &template) {
            Ok(policy) => documents.push(Located { place, document: Box::new(policy) }),
            Err(found) => errors.extend(found.into_iter().map(|error| {
                let within = error.setting().filter(|setting| !setting.is_empty()).map(str::to_owned);
                let setting: Vec<String> = path.iter().cloned().chain(within).collect();
                let error = if setting.is_empty() { error } else { error.with_setting(setting.join(".")) };
                if place.is_empty() { error } else { error.with_origin(place.clone()) }
            })),
        }
    }
    if errors.is_empty() { Ok(documents) } else { Err(errors) }
}

fn of_document(value: &Json) -> Vec<Found<'_>> {
    // Nothing else has a version like that: its Statement is missing, or misspelt.
    let is_policy = |version: &str| matches!(version, "2012-10-17" | "2008-10-17");
    if value.is_string()
        || value.get("Statement").is_some()
        || value.get("Version").and_then(Json::as_str).is_some_and(is_policy)
    {
        let found = Found { place: String::new(), path: Vec::new(), policy: value };
        return if is_of_another_kind(value) { Vec::new() } else { vec![found] };
    }
    let mut found = Vec::new();
    walk_keys(value, &mut |path, map| {
        for key in WRAPPERS {
            if let Some(policy) = map.get(key).filter(|policy| policy.is_object() || policy.is_string()) {
                let path_of = [path, &[key.to_owned()]].concat();
                found.push(Found { place: place(path, map), path: path_of, policy });
            }
        }
        // Several policies in one list.
        if path.len() == 1 && map.contains_key("Statement") && value.is_array() {
            let policy = &value[path[0].parse::<usize>().unwrap_or_default()];
            if is_of_another_kind(policy) {
                return;
            }
            found.push(Found { place: format!("policy {}", path[0]), path: path.to_vec(), policy });
        }
    });
    found
}

/// Is it a policy of permissions, or a bucket's, a key's? Each of its statements is about resources, and none of them says
/// who may use STS.
fn is_of_another_kind(policy: &Json) -> bool {
    let statements = match policy.get("Statement") {
        Some(Json::Array(statements)) => statements.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => return false,
    };
    let has = |statement: &Json, keys: [&str; 2]| keys.iter().any(|key| statement.get(key).is_some());
    let is_about_sts = |statement: &Json| {
        let actions = statement.get("Action").or_else(|| statement.get("NotAction")).unwrap_or(&Json::Null);
        let mut actions = actions.as_array().map_or(std::slice::from_ref(actions), Vec::as_slice).iter();
        actions.any(|action| action.as_str().is_none_or(|action| action.to_ascii_lowercase().starts_with("sts:")))
    };
    let is_trust = |statement: &Json| has(statement, ["Principal", "NotPrincipal"]) && is_about_sts(statement);
    !statements.is_empty()
        && statements.iter().all(|statement| has(statement, ["Resource", "NotResource"]) && !is_trust(statement))
}

/// The role's name, or in a template the resource's.
fn place(path: &[String], map: &Map<String, Json>) -> String {
    let name = ["RoleName", "roleName", "name", "address"].iter().find_map(|name| map.get(*name)?.as_str());
    match (path, name) {
        ([resources, name, properties], role) if resources == "Resources" && properties == "Properties" => {
            role.map_or_else(|| format!("Resources.{name}"), |role| format!("Resources.{name} (role {role})"))
        }
        (_, Some(name)) => format!("role {name}"),
        (_, None) => path.join("."),
    }
}

fn of_terraform<'a>(resources: &[terraform::Resource<'a>], documents: &mut Vec<Located>) -> Vec<Found<'a>> {
    let mut found = Vec::new();
    for resource in resources {
        for key in &WRAPPERS[2..] {
            let policy = resource.values.get(*key).filter(|policy| !policy.is_null());
            if let Some(policy) = policy {
                let path = [&resource.path[..], &[(*key).to_owned()]].concat();
                found.push(Found { place: resource.address.to_owned(), path, policy });
            } else if resource.is_unknown(key) {
                let document = Box::new(Unknown { address: resource.address.to_owned() });
                documents.push(Located { place: resource.address.to_owned(), document });
            }
        }
    }
    found
}

/// A policy that the plan does not know yet.
#[derive(Debug)]
struct Unknown {
    address: String,
}

impl Unknown {
    fn what(&self) -> String {
        format!("{}: its trust policy is known only after apply", self.address)
    }
}

impl TrustDocument for Unknown {
    fn evaluate(&self, _job: &Job) -> Verdict {
        let mut verdict = Verdict::new(Decision::Deny, Vec::new());
        verdict.fix = Some(format!("{}: judge the state, or what `aws iam get-role` prints, instead", self.what()));
        verdict
    }

    fn lint(&self) -> Vec<Finding> {
        Vec::new()
    }

    fn unknown(&self) -> Vec<String> {
        vec![self.what()]
    }
}
