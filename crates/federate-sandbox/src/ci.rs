//! What the sandbox has to know of a CI system to play it.

use federate_core::suggest::nearest;
use federate_core::{ChildValue, ClaimPattern, Claims, Error, Issuer, NamePattern, Pattern, Secret};
use serde_json::{Map, Value as Json};

use crate::codes;
use crate::github::GitHub;
use crate::gitlab::GitLab;

/// The CI systems that the sandbox plays; `federate sandbox --ci NAME` looks names up here.
pub fn ci_systems() -> &'static [&'static dyn CiSystem] {
    static ALL: &[&dyn CiSystem] = &[&GitLab, &GitHub];
    ALL
}

/// A CI system as its jobs see it, and what its tokens say.
pub trait CiSystem: Send + Sync {
    /// The identity adapter's name, as in `--ci gitlab`.
    fn name(&self) -> &'static str;

    /// How people call it, for the report.
    fn title(&self) -> &'static str;

    /// `iss` where no profile names another.
    fn default_issuer(&self) -> &'static str;

    /// Where the keys are published, below the issuer.
    fn keys_path(&self) -> &'static str;

    /// How long a token is valid, and for how long it already was when it is issued, in seconds.
    fn validity(&self) -> Validity;

    /// Every claim that its tokens may carry besides `iss`, `sub`, `aud`, `exp`, `nbf`, `iat` and `jti`.
    fn known_claims(&self) -> &'static [&'static str];

    /// What a token says of the job, but for issuer, audience, times and `jti`. The wishes win over what the entry of an
    /// `allow` list asks for, and that over a sample job; everything that hangs on them follows.
    fn claims(&self, issuer: &Issuer, entry: Option<&ClaimPattern>, wishes: &Wishes) -> Map<String, Json>;

    /// The audience of a token that was requested without one; `None` where that cannot be.
    fn default_audience(&self, claims: &Claims) -> Option<String>;

    /// The variables of such a job, without tokens.
    fn variables(&self, issuer: &Issuer, claims: &Claims) -> Vec<(String, String)>;

    /// Where jobs ask for tokens; `None` where tokens stand in the job's variables from the start.
    fn token_path(&self) -> Option<&'static str>;

    /// The variables that name the token request endpoint and hold its bearer token.
    fn request_variables(&self, url: &str, bearer: &Secret) -> Vec<(String, ChildValue)>;

    /// Variables that name files of the job, which the job's steps write to.
    fn file_variables(&self) -> &'static [&'static str];

    /// The variables of a real job, which must not reach the sandbox's.
    fn job_variables(&self) -> &'static [NamePattern];

    /// What the tokens of somebody else's repository say, by name and by id.
    fn stranger(&self) -> &'static [(&'static str, &'static str)];

    /// An entry of an `allow` list that admits jobs like this one, as it is written in a profile.
    fn allow_entry(&self, claims: &Claims) -> String;
}

/// A token's time, in seconds around its issue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// `iat` − `nbf`.
    pub before: i64,
    /// `exp` − `iat`.
    pub after: i64,
}

/// Claims that the person wants the job to have (`--claim K=V`).
#[derive(Clone, Debug, Default)]
pub struct Wishes(Vec<(String, String)>);

/// Claims that every token carries.
const COMMON: &[&str] = &["iss", "sub", "aud", "exp", "nbf", "iat", "jti"];
/// Claims that clouds look for and some CI systems can be told to add.
const CLOUDS: &[&str] = &["azp", "amr", "email"];

impl Wishes {
    /// Checks that tokens of this CI system can carry the claims. Names with a `:` or `/` (`https://aws.amazon.com/roles`)
    /// are taken as they are.
    ///
    /// # Errors
    /// `sandbox-claim`: an unknown name, or a time that is not a whole number of seconds since 1970.
    pub fn new(system: &dyn CiSystem, pairs: &[(String, String)]) -> Result<Self, Error> {
        let known = || COMMON.iter().chain(CLOUDS).chain(system.known_claims()).copied();
        for (name, value) in pairs {
            let namespaced = name.contains([':', '/']) || name.starts_with("repo_property_");
            if !namespaced && !known().any(|one| one == name) {
                let help = match name.as_str() {
                    "branch" => "write `--claim ref=NAME`".to_owned(),
                    "tag" => "write `--claim ref_type=tag --claim ref=NAME`".to_owned(),
                    other => nearest(other, known()).map_or_else(
                        || format!("its tokens carry {}", known().collect::<Vec<_>>().join(", ")),
                        |near| format!("did you mean `{near}`?"),
                    ),
                };
                let what = format!("tokens of {} carry no claim `{name}`", system.title());
                return Err(Error::new(&codes::SANDBOX_CLAIM, what).with_help(help));
            }
            if matches!(name.as_str(), "exp" | "nbf" | "iat") && value.parse::<i64>().is_err() {
                let what = format!("`{name}` cannot be `{value}`");
                return Err(Error::new(&codes::SANDBOX_CLAIM, what)
                    .with_help("write a number of seconds since 1970, as `date +%s` prints it"));
            }
        }
        Ok(Self(pairs.to_vec()))
    }

    /// The value that the person wants; the last one wins.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Lets the wishes win in a payload whose other claims already follow them. `ref` and `environment` are left as the CI
    /// system wrote them: their form is its own.
    pub fn apply(&self, claims: &mut Map<String, Json>) {
        for (name, value) in &self.0 {
            if matches!(name.as_str(), "ref" | "environment") {
                continue;
            }
            let is_number =
                matches!(name.as_str(), "exp" | "nbf" | "iat") || claims.get(name).is_some_and(Json::is_number);
            let typed = match value.parse::<i64>() {
                Ok(number) if is_number => Json::from(number),
                _ if value.starts_with(['[', '{']) => {
                    serde_json::from_str(value).unwrap_or_else(|_| Json::from(value.as_str()))
                }
                _ => Json::from(value.as_str()),
            };
            claims.insert(name.clone(), typed);
        }
    }
}

/// Finds a value for a claim: the wish, then the entry of an `allow` list.
pub(crate) struct Facts<'a> {
    pub(crate) wishes: &'a Wishes,
    pub(crate) entry: Option<&'a ClaimPattern>,
}

impl Facts<'_> {
    /// The wish, else an example of what the entry asks for.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        self.wishes.get(name).map(str::to_owned).or_else(|| self.hinted(name))
    }

    /// The wish, else what the entry asks for, else the sample.
    pub(crate) fn or(&self, name: &str, sample: &str) -> String {
        self.get(name).unwrap_or_else(|| sample.to_owned())
    }

    /// An example of what the entry asks for.
    pub(crate) fn hinted(&self, name: &str) -> Option<String> {
        self.entry?.claims.iter().find(|(claim, _)| claim == name).map(|(_, pattern)| example(pattern))
    }

    /// An example of the entry's first subject.
    pub(crate) fn subject(&self) -> Option<String> {
        self.entry?.subjects.first().map(example)
    }
}

/// `main` where a pattern lets anything stand, `1` where only a part of it is open.
fn example(pattern: &Pattern) -> String {
    const ID: &str = "770022";
    let main = pattern.example("main", ID);
    let ends_free = main == "main" || main.ends_with("refs/heads/main") || main.ends_with(":ref:main");
    if ends_free { main } else { pattern.example("1", ID) }
}

/// A string as TOML and JSON both write it.
pub(crate) fn quoted(text: &str) -> String {
    Json::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn wishes(pairs: &[(&str, &str)]) -> Result<Wishes, Error> {
        let pairs: Vec<(String, String)> = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Wishes::new(&GitLab, &pairs)
    }

    #[test]
    fn names_are_unique_and_issuers_valid() {
        let names: std::collections::BTreeSet<_> = ci_systems().iter().map(|system| system.name()).collect();
        assert_eq!(names.len(), ci_systems().len());
        assert!(ci_systems().iter().all(|system| Issuer::parse(system.default_issuer()).is_ok()));
    }

    #[test]
    fn an_unknown_claim_is_an_error_that_helps() {
        for (name, part) in [
            ("branch", "--claim ref=NAME"),
            ("tag", "ref_type=tag"),
            ("projct_id", "`project_id`"),
            ("zzzzzz", "carry iss"),
        ] {
            let error = wishes(&[(name, "x")]).unwrap_err();
            assert_eq!(error.code().name, "sandbox-claim");
            assert!(error.help().join(" ").contains(part), "{name}: {:?}", error.help());
        }
        assert!(wishes(&[("https://aws.amazon.com/roles", "[]"), ("azp", "x"), ("ref", "x")]).is_ok());
        assert_eq!(wishes(&[("exp", "soon")]).unwrap_err().code().name, "sandbox-claim");
    }

    #[test]
    fn wishes_keep_the_types_of_the_claims() {
        let mut claims = json!({"runner_id": 31, "project_id": "4711", "ref": "main"}).as_object().unwrap().clone();
        let wishes = wishes(&[
            ("runner_id", "32"),
            ("project_id", "1"),
            ("exp", "7"),
            ("aud", r#"["a","b"]"#),
            ("ref", "x"),
            ("sub", "[no json"),
        ])
        .unwrap();
        wishes.apply(&mut claims);
        assert_eq!(
            Json::Object(claims),
            json!({"runner_id": 32, "project_id": "1", "exp": 7, "aud": ["a", "b"], "ref": "main", "sub": "[no json"})
        );
    }

    #[test]
    fn examples_prefer_main() {
        let glob = |text: &str| Pattern::empty().then_glob(text);
        assert_eq!(example(&glob("*")), "main");
        assert_eq!(example(&glob("repo:o/r:ref:refs/heads/*")), "repo:o/r:ref:refs/heads/main");
        assert_eq!(example(&glob("release/*")), "release/1");
        assert_eq!(example(&Pattern::exact("v1.0")), "v1.0");
    }
}
