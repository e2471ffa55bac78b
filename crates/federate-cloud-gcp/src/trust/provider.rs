//! One provider, read from what gcloud, the API and Terraform print.

use std::collections::BTreeMap;

use federate_core::Error;
use federate_trust::TRUST_DOCUMENT;
use serde_json::{Map, Value as Json};

use super::binding::{Binding, Pool};
use super::expression::Expression;
use super::resource;
use super::surroundings::{UNKNOWN, is_unknown};

/// Characters in an attribute condition and in one mapping, by the API's reference of `WorkloadIdentityPoolProvider`.
const LONGEST_CONDITION: usize = 4096;
const LONGEST_MAPPING: usize = 2048;

/// Parts of a provider, as findings name them.
pub(super) mod part {
    pub(in crate::trust) const ISSUER: &str = "oidc.issuerUri";
    pub(in crate::trust) const AUDIENCES: &str = "oidc.allowedAudiences";
    pub(in crate::trust) const MAPPING: &str = "attributeMapping";
    pub(in crate::trust) const CONDITION: &str = "attributeCondition";
    pub(super) const ALL: [&str; 4] = [ISSUER, AUDIENCES, MAPPING, CONDITION];
}

/// One provider, and the bindings that are known beside it.
#[derive(Debug)]
pub(super) struct Provider {
    /// `projects/N/locations/global/workloadIdentityPools/POOL/providers/ID`, as far as it is known.
    pub(super) name: Option<String>,
    /// The pool and the provider's own id, where the name is not known yet.
    pub(super) pool: Pool,
    id: Option<String>,
    /// The project that Terraform names.
    project: Option<String>,
    /// The parts that a plan does not know yet. They are not absent.
    pub(super) unknown: Vec<&'static str>,
    /// Why it takes no tokens at all.
    pub(super) closed: Option<String>,
    pub(super) issuer: String,
    /// Empty where the provider's own name is the audience.
    pub(super) audiences: Vec<String>,
    pub(super) mapping: BTreeMap<String, Expression>,
    pub(super) condition: Option<Expression>,
    /// Who may act; `None` where no binding is given, so that nothing can be said.
    pub(super) bindings: Option<Vec<Binding>>,
    /// The keys and indices that lead to it in its file, and from there to its parts.
    path: Vec<String>,
    parts: BTreeMap<&'static str, Vec<String>>,
}

/// What stands under either spelling: the API's or Terraform's.
fn field<'a>(map: &'a Map<String, Json>, camel: &str, snake: &str) -> Option<&'a Json> {
    map.get(camel).or_else(|| map.get(snake)).filter(|value| !value.is_null())
}

/// The block `oidc`, or the provider itself, where its fields stand flat.
fn oidc(map: &Map<String, Json>) -> Option<&Map<String, Json>> {
    let block = match map.get("oidc") {
        Some(Json::Object(block)) => block,
        Some(Json::Array(blocks)) => blocks.first()?.as_object()?,
        _ => map,
    };
    field(block, "issuerUri", "issuer_uri").map(|_| block)
}

/// A part's value, and the keys and indices that lead to it.
fn locate<'a>(map: &'a Map<String, Json>, part: &str) -> Option<(Vec<String>, &'a Json)> {
    let block = oidc(map).unwrap_or(map);
    let way: &[&str] = match map.get("oidc") {
        _ if std::ptr::eq(block, map) => &[],
        Some(Json::Array(_)) => &["oidc", "0"],
        _ => &["oidc"],
    };
    let (map, way, keys): (_, _, [&str; 2]) = match part {
        part::ISSUER => (block, way, ["issuerUri", "issuer_uri"]),
        part::AUDIENCES => (block, way, ["allowedAudiences", "allowed_audiences"]),
        part::MAPPING => (map, &[][..], ["attributeMapping", "attribute_mapping"]),
        _ => (map, &[][..], ["attributeCondition", "attribute_condition"]),
    };
    let (key, value) = keys.into_iter().find_map(|key| Some((key, map.get(key).filter(|value| !value.is_null())?)))?;
    Some((way.iter().copied().chain([key]).map(str::to_owned).collect(), value))
}

impl Provider {
    /// Does the object look like a provider? `unknown` is what a plan does not know of it.
    pub(super) fn is_one(map: &Map<String, Json>, unknown: Option<&Map<String, Json>>) -> bool {
        let has = |camel: &str, snake: &str| map.contains_key(camel) || map.contains_key(snake);
        if unknown_parts(unknown).contains(&part::ISSUER) && map.contains_key("workload_identity_pool_provider_id") {
            return true;
        }
        oidc(map).is_some_and(|block| !std::ptr::eq(block, map))
            || (has("issuerUri", "issuer_uri")
                && (has("attributeMapping", "attribute_mapping")
                    || has("attributeCondition", "attribute_condition")
                    || map.get("name").and_then(Json::as_str).is_some_and(|name| name.contains("/providers/"))))
    }

    /// Reads it.
    ///
    /// # Errors
    /// `trust-document`, one for each part that cannot be read.
    pub(super) fn read(
        keys: &[String],
        map: &Map<String, Json>,
        unknown: Option<&Map<String, Json>>,
    ) -> Result<Self, Vec<Error>> {
        let path = keys.join(".");
        let unknown = unknown_parts(unknown);
        let mut errors = Vec::new();
        let mut bad = |what: String, key: &str| {
            let place = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
            errors.push(Error::new(&TRUST_DOCUMENT, what).with_setting(place));
        };
        let text = |camel: &str, snake: &str| field(map, camel, snake).and_then(Json::as_str).map(str::to_owned);
        let value = |part: &str| locate(map, part).map(|(_, value)| value);
        let issuer = value(part::ISSUER).and_then(Json::as_str).map(str::to_owned);
        let issuer = issuer.or_else(|| unknown.contains(&part::ISSUER).then(|| format!("({UNKNOWN})")));
        if issuer.is_none() {
            bad("the issuer has to be a text".to_owned(), part::ISSUER);
        }
        let audiences = match value(part::AUDIENCES) {
            None => Some(Vec::new()),
            Some(Json::String(one)) => Some(vec![one.clone()]),
            // Some of a list may be unknown.
            Some(Json::Array(many)) if unknown.contains(&part::AUDIENCES) => {
                Some(many.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect())
            }
            Some(Json::Array(many)) => many.iter().map(|one| one.as_str().map(str::to_owned)).collect(),
            Some(_) => None,
        };
        if audiences.is_none() {
            bad("the allowed audiences have to be a list of texts".to_owned(), part::AUDIENCES);
        }
        let mut mapping = BTreeMap::new();
        match value(part::MAPPING) {
            None => {}
            Some(Json::Object(entries)) => {
                for (key, value) in entries.iter().filter(|(_, value)| !value.is_null()) {
                    let place = format!("attributeMapping.{key}");
                    match value.as_str().map(|value| Expression::read(value, LONGEST_MAPPING)) {
                        Some(Ok(expression)) => {
                            mapping.insert(key.clone(), expression);
                        }
                        Some(Err(why)) => bad(format!("the mapping of {key} cannot be read: {why}"), &place),
                        None => bad(format!("the mapping of {key} has to be a text"), &place),
                    }
                }
            }
            Some(_) => bad("the attribute mapping has to be an object".to_owned(), part::MAPPING),
        }
        let condition = match value(part::CONDITION) {
            None => None,
            Some(Json::String(text)) if text.trim().is_empty() => None,
            Some(Json::String(text)) => match Expression::read(text, LONGEST_CONDITION) {
                Ok(expression) => Some(expression),
                Err(why) => {
                    bad(format!("the attribute condition cannot be read: {why}"), part::CONDITION);
                    None
                }
            },
            Some(_) => {
                bad("the attribute condition has to be a text".to_owned(), part::CONDITION);
                None
            }
        };
        let (Some(issuer), Some(audiences), true) = (issuer, audiences, errors.is_empty()) else { return Err(errors) };
        let name = text("name", "name").map(|name| name.trim_start_matches("//iam.googleapis.com/").to_owned());
        let name = name.filter(|name| name.contains("/workloadIdentityPools/"));
        let from_name = name.as_deref().and_then(|name| name.split_once("/providers/"));
        let pool = match from_name {
            Some((pool, _)) => Pool::Named(pool.to_owned()),
            None => text("workloadIdentityPoolId", "workload_identity_pool_id").map_or(Pool::Unknown, Pool::WithId),
        };
        let id = match from_name {
            Some((_, id)) => Some(id.to_owned()),
            None => text("workloadIdentityPoolProviderId", "workload_identity_pool_provider_id"),
        };
        let is_disabled = map.get("disabled").and_then(Json::as_bool) == Some(true);
        let state = text("state", "state").filter(|state| state == "DELETED");
        let closed = if is_disabled { Some("disabled".to_owned()) } else { state };
        let project = text("project", "project");
        let parts = part::ALL.into_iter().filter_map(|part| Some((part, locate(map, part)?.0))).collect();
        let (path, bindings) = (keys.to_vec(), None);
        Ok(Self {
            name,
            pool,
            id,
            project,
            unknown,
            closed,
            issuer,
            audiences,
            mapping,
            condition,
            bindings,
            path,
            parts,
        })
    }

    /// Takes the bindings that stand in the same file.
    pub(super) fn bind(&mut self, bindings: &[Binding]) {
        let mut own: Vec<Binding> = Vec::new();
        for binding in bindings {
            if !own.iter().any(|known| known.is_same(binding)) {
                own.push(binding.clone());
            }
        }
        self.bindings = (!own.is_empty()).then_some(own);
    }

    /// The members that are, or may be, of its pool.
    pub(super) fn members(&self) -> impl Iterator<Item = &Binding> {
        self.bindings.iter().flatten().filter(|binding| binding.is_of(&self.pool))
    }

    /// Does a plan not know this part yet?
    pub(super) fn is_unknown(&self, part: &str) -> bool {
        self.unknown.contains(&part)
    }

    /// Can one not tell what the condition asks? So it is, too, where it looks at attributes whose mapping is not known.
    pub(super) fn is_condition_unknown(&self) -> bool {
        #[cfg(feature = "cel")]
        if self.is_unknown(part::MAPPING)
            && let Some(condition) = &self.condition
        {
            return condition.tree.paths().iter().any(|path| ["attribute", "google"].contains(&path[0]));
        }
        self.is_unknown(part::CONDITION)
    }

    /// Why the condition has no value for any token, where it names what there is not.
    #[cfg(feature = "cel")]
    pub(super) fn unread_condition(&self) -> Option<String> {
        self.condition.as_ref()?.unread(&["assertion", "google", "attribute"])
    }

    /// The same of a mapping, which sees the token alone; with the attribute.
    #[cfg(feature = "cel")]
    pub(super) fn unread_mapping(&self) -> Option<(&str, String)> {
        self.mapping.iter().find_map(|(key, mapped)| Some((key.as_str(), mapped.unread(&["assertion"])?)))
    }

    /// Is the attribute mapped, as far as one can know?
    pub(super) fn maps(&self, attribute: &str) -> bool {
        self.mapping.contains_key(attribute) || self.is_unknown(part::MAPPING)
    }

    /// Where the pool lives.
    pub(super) fn home(&self) -> Option<String> {
        let number = match &self.pool {
            Pool::Named(pool) => pool.split('/').nth(1),
            Pool::WithId(_) | Pool::Unknown => None,
        };
        number.or(self.project.as_deref()).map(resource::project)
    }

    /// Two readings of the same thing, as a plan has them.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let parts = |one: &Self| (one.name.clone(), one.pool.clone(), one.id.clone(), one.issuer.clone());
        parts(self) == parts(other)
            && self.audiences == other.audiences
            && self.mapping == other.mapping
            && self.condition == other.condition
            && self.unknown == other.unknown
    }

    /// The audience that a token needs where none is listed; `*` stands for what is not known yet.
    pub(super) fn own_audience(&self) -> String {
        let name = self.name.clone().unwrap_or_else(|| {
            let id = self.id.as_deref().unwrap_or("*");
            match &self.pool {
                Pool::Named(pool) => format!("{pool}/providers/{id}"),
                Pool::WithId(pool) => {
                    format!("projects/*/locations/global/workloadIdentityPools/{pool}/providers/{id}")
                }
                Pool::Unknown => format!("projects/*/locations/global/workloadIdentityPools/*/providers/{id}"),
            }
        });
        format!("//iam.googleapis.com/{name}")
    }

    /// `POOL/providers/ID`
    fn short(&self) -> Option<String> {
        let pool = match &self.pool {
            Pool::Named(pool) => pool.rsplit('/').next().unwrap_or_default(),
            Pool::WithId(pool) => pool,
            Pool::Unknown => return None,
        };
        Some(format!("{pool}/providers/{}", self.id.as_deref()?))
    }

    /// Which of several.
    pub(super) fn place(&self, path: &str) -> String {
        self.short().unwrap_or_else(|| path.to_owned())
    }

    /// The way to what a finding names: a part, with whatever follows, or `member MEMBER`.
    pub(super) fn path_of(&self, named: &str) -> Vec<String> {
        if let Some(member) = named.strip_prefix("member ") {
            let mut bindings = self.bindings.iter().flatten();
            return bindings.find(|binding| binding.member == member).map(|one| one.path.clone()).unwrap_or_default();
        }
        let part = self.parts.iter().find(|(part, _)| named.starts_with(*part)).map(|(_, path)| &path[..]);
        [&self.path[..], part.unwrap_or_default()].concat()
    }

    /// For people.
    pub(super) fn label(&self) -> String {
        self.short().map_or_else(|| "provider".to_owned(), |name| format!("provider {name}"))
    }
}

/// The parts that a plan does not know yet.
fn unknown_parts(unknown: Option<&Map<String, Json>>) -> Vec<&'static str> {
    let Some(unknown) = unknown else { return Vec::new() };
    let block = match unknown.get("oidc") {
        Some(Json::Array(blocks)) => blocks.first(),
        other => other,
    };
    let in_block = |key: &str| match block {
        Some(Json::Object(block)) => is_unknown(block.get(key)),
        other => is_unknown(other),
    };
    let parts = [
        (part::ISSUER, in_block("issuer_uri")),
        (part::AUDIENCES, in_block("allowed_audiences")),
        (part::MAPPING, is_unknown(unknown.get("attribute_mapping"))),
        (part::CONDITION, is_unknown(unknown.get("attribute_condition"))),
    ];
    parts.into_iter().filter(|(_, is_unknown)| *is_unknown).map(|(part, _)| part).collect()
}
