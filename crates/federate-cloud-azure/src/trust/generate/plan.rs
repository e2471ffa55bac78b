//! Which credentials the application needs.

use federate_core::Error;
use federate_trust::render::{Node, map, texts};
use federate_trust::{TRUST_NOT_EXPRESSIBLE, Wanted, unfilled};

use super::credentials::{Made, Told, of_entry};
use crate::settings::Settings;

/// Everything.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(super) target: String,
    pub(super) settings: Settings,
    pub(super) credentials: Vec<Made>,
    pub(crate) notes: Vec<String>,
}

/// What an application or managed identity can have.
const MOST: usize = 20;

impl Plan {
    /// What the list and the target's settings ask for.
    pub(crate) fn new(wanted: &Wanted) -> Result<Self, Vec<Error>> {
        let settings: Settings = wanted.settings_as()?;
        let (mut errors, mut notes) = (unfilled(deciding(&settings), "id"), Vec::new());
        let mut credentials: Vec<Made> = Vec::new();
        for (index, entry) in wanted.entries.iter().enumerate() {
            match of_entry(entry, &mut notes) {
                Ok(made) => made.into_iter().for_each(|one| add(&mut credentials, one)),
                Err(error) => errors.push(error.with_setting(format!("trust.allow.{index}"))),
            }
        }
        if credentials.len() > MOST {
            errors.push(
                Error::new(
                    &TRUST_NOT_EXPRESSIBLE,
                    format!("the list makes {} credentials, and an application can have {MOST}", credentials.len()),
                )
                .with_help("give `repository_id` or `owner_id` and a `branch_pattern`, or spread the entries over several applications"),
            );
        }
        notes.dedup();
        let plan = Self { target: wanted.target.clone(), settings, credentials, notes };
        if errors.is_empty() { Ok(plan) } else { Err(errors) }
    }

    /// All credentials, as Graph takes and az prints them.
    pub(crate) fn list(&self) -> Node {
        Node::List(self.credentials.iter().map(Made::node).collect())
    }

    /// Those that name the whole subject.
    pub(super) fn classic(&self) -> impl Iterator<Item = (&Made, &str)> {
        self.credentials.iter().filter_map(|made| match &made.test {
            Told::Subject(subject) => Some((made, subject.as_str())),
            Told::Expression(_) => None,
        })
    }

    /// The flexible ones.
    pub(super) fn flexible(&self) -> impl Iterator<Item = (&Made, &str)> {
        self.credentials.iter().filter_map(|made| match &made.test {
            Told::Subject(_) => None,
            Told::Expression(expression) => Some((made, expression.as_str())),
        })
    }
}

impl Made {
    /// As Graph takes it.
    pub(super) fn node(&self) -> Node {
        let mut fields = vec![("name".to_owned(), self.name.as_str().into())];
        fields.extend(self.changes());
        Node::Map(fields)
    }

    /// All but the name, which never changes.
    pub(super) fn changes(&self) -> Vec<(String, Node)> {
        let test = match &self.test {
            Told::Subject(subject) => ("subject", subject.as_str().into()),
            Told::Expression(expression) => (
                "claimsMatchingExpression",
                map([("value", expression.as_str().into()), ("languageVersion", Node::Number(1))]),
            ),
        };
        let fields = [
            ("issuer", self.issuer.as_str().into()),
            test,
            ("audiences", texts(&[&self.audience])),
            ("description", self.description.as_str().into()),
        ];
        fields.into_iter().map(|(key, value): (&str, Node)| (key.to_owned(), value)).collect()
    }
}

/// Adds a credential unless it is there; names are unique, and a namesake's ends with what tells it apart.
fn add(credentials: &mut Vec<Made>, mut new: Made) {
    let is_same = |known: &Made| known.issuer == new.issuer && known.test == new.test && known.audience == new.audience;
    if credentials.iter().any(is_same) {
        return;
    }
    if credentials.iter().any(|known| known.name.eq_ignore_ascii_case(&new.name)) {
        new.name = format!("{}-{:08x}", new.name, digest(&format!("{:?}", new.test)));
    }
    credentials.push(new);
}

/// FNV-1a: the same in every run, which is all that is asked of it.
fn digest(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// The settings that decide who becomes what.
fn deciding(settings: &Settings) -> impl Iterator<Item = (String, &String)> {
    let subscription = settings.subscription_id.iter().map(|id| ("subscription_id", id));
    let all = [("tenant_id", &settings.tenant_id), ("client_id", &settings.client_id)].into_iter().chain(subscription);
    all.map(|(key, text)| (key.to_owned(), text))
}
