//! An entry of an `allow` list as federated identity credentials.

use federate_core::{ClaimPattern, Error, Pattern, PatternPart};
use federate_trust::{Family, Provider, TRUST_NOT_EXPRESSIBLE, WantedEntry, split_claims};

use crate::trust::lint::testable;

/// A credential to be made.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Made {
    /// 3 to 120 letters, digits, `_` and `-`; unique in the application.
    pub(super) name: String,
    pub(super) description: String,
    pub(super) issuer: String,
    pub(super) audience: String,
    pub(super) test: Told,
}

/// How it tells tokens.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Told {
    /// By the subject, to the letter.
    Subject(String),
    /// By an expression: a flexible credential, which applications have, and managed identities do not.
    Expression(String),
}

/// What a flexible credential for GitHub may ask besides the subject.
const GITHUB_CLAIMS: [&str; 3] = ["job_workflow_ref", "repository_id", "repository_owner_id"];
/// One of these it has to ask.
const GITHUB_IDS: [&str; 2] = ["repository_id", "repository_owner_id"];
/// Graph's limit for issuer, subject, audience and description.
const LONGEST: usize = 600;

/// The credentials of an entry.
pub(super) fn of_entry(entry: &WantedEntry, notes: &mut Vec<String>) -> Result<Vec<Made>, Error> {
    let pattern = &entry.pattern;
    let mut reasons: Vec<String> = Vec::new();
    let mut own_notes = Vec::new();
    let mut made = Vec::new();
    if !pattern.absent.is_empty() {
        let names = pattern.absent.join("`, `");
        return Err(cannot(pattern, &[format!("Entra cannot ask that `{names}` is not there")]));
    }
    for subject in &pattern.subjects {
        match told(pattern, subject, &mut own_notes) {
            Ok(test) => {
                let audience = entry.audiences.first().cloned().unwrap_or_default();
                let issuer = pattern.issuer.as_str().to_owned();
                let description: String =
                    federate_trust::render::quote::comment(&pattern.label).chars().take(200).collect();
                made.push(Made { name: slug(pattern), description, issuer, audience, test });
            }
            Err(reason) => {
                own_notes.push(format!(
                    "entry `{}`: tokens whose subject is like {subject} stay outside: {reason}",
                    pattern.label
                ));
                if !reasons.contains(&reason) {
                    reasons.push(reason);
                }
            }
        }
    }
    if made.is_empty() {
        if reasons.is_empty() {
            reasons.push("Entra tells jobs by their subject, and this entry says nothing of it".to_owned());
        }
        return Err(cannot(pattern, &reasons));
    }
    for one in &made {
        let subject = match &one.test {
            Told::Subject(text) | Told::Expression(text) => text,
        };
        if [&one.issuer, &one.audience, subject].iter().any(|text| text.chars().count() > LONGEST) {
            return Err(cannot(
                pattern,
                &[format!("Entra takes texts of {LONGEST} characters, and one of its credential is longer")],
            ));
        }
    }
    notes.extend(own_notes);
    Ok(made)
}

/// How Entra can tell tokens with this subject that also have the entry's other claims.
fn told(entry: &ClaimPattern, subject: &Pattern, notes: &mut Vec<String>) -> Result<Told, String> {
    let by_subject = split_claims(entry, Some(subject), &|_| false);
    if let (Some(subject), true) = (subject.as_exact(), by_subject.untold.is_empty()) {
        if !by_subject.doubtful.is_empty() {
            notes.push(format!(
                "entry `{}`: Entra sees the subject alone, where `%3A` stands for a colon: an environment that has %3A in its name would get in too",
                entry.label
            ));
        }
        return Ok(Told::Subject(subject));
    }
    if testable(entry.issuer.as_str()).is_none() {
        return Err(format!(
            "Entra compares tokens of {} by their whole subject only, and takes no patterns for them",
            entry.issuer
        ));
    }
    let family = Provider::new(entry.issuer.as_str()).family();
    let is_github = family == Family::GitHub;
    let split = split_claims(entry, Some(subject), &|claim| is_github && GITHUB_CLAIMS.contains(&claim));
    if !split.untold.is_empty() || !split.doubtful.is_empty() {
        let hidden: Vec<String> =
            split.untold.iter().chain(&split.doubtful).map(|claim| format!("`{claim}`")).collect();
        return Err(format!("Entra does not see {} of these tokens", hidden.join(", ")));
    }
    if is_github && !split.tested.iter().any(|(claim, _)| GITHUB_IDS.contains(&claim.as_str())) {
        return Err("it takes a flexible credential, and Entra wants an id in those for GitHub: add `repository_id` or `owner_id` to the entry".to_owned());
    }
    if family == Family::GitLab {
        notes.push(format!(
            "entry `{}`: where Entra refuses the expression because it lacks required claims, add ` and claims['project_id'] eq '…'` to it",
            entry.label
        ));
    }
    let mut terms = vec![term("sub", subject)?];
    for (claim, pattern) in &split.tested {
        terms.push(term(claim, pattern)?);
    }
    Ok(Told::Expression(terms.join(" and ")))
}

fn term(claim: &str, pattern: &Pattern) -> Result<String, String> {
    let quoted = |text: &str| text.replace('\'', "''");
    if let Some(text) = pattern.as_exact() {
        return Ok(format!("claims['{claim}'] eq '{}'", quoted(&text)));
    }
    let mut glob = String::new();
    for part in pattern.parts() {
        match part {
            PatternPart::Text(text) if text.contains(['*', '?']) => {
                return Err(format!("`{text}` has a character that is a wildcard beside the entry's own pattern"));
            }
            PatternPart::Text(text) => glob.push_str(text),
            PatternPart::Any | PatternPart::Digits => glob.push('*'),
        }
    }
    Ok(format!("claims['{claim}'] matches '{}'", quoted(&glob)))
}

fn cannot(pattern: &ClaimPattern, reasons: &[String]) -> Error {
    Error::new(&TRUST_NOT_EXPRESSIBLE, format!("Entra cannot tell the jobs of `{}` from others: {}", pattern.label, reasons.join("; ")))
        .with_help("describe the jobs by what their subject says, most simply by branch, tag or (GitHub) environment; a broader credential is not generated")
}

/// A name from the entry's label.
fn slug(pattern: &ClaimPattern) -> String {
    let mut name = pattern.provider.to_owned();
    for word in
        pattern.label.split(|one: char| !one.is_ascii_alphanumeric() && one != '_').filter(|word| !word.is_empty())
    {
        name.push('-');
        name.push_str(word);
    }
    name.truncate(100);
    name.trim_end_matches('-').to_owned()
}
