//! Findings as SARIF 2.1.0, which GitHub and GitLab show in merge requests.
//! <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>

use std::collections::{BTreeMap, HashMap};
use std::path::{Component, Path};

use federate_trust::Severity;
use serde_json::{Value as Json, json};

use super::input;
use super::lint::InFile;

pub(super) fn report(findings: &[InFile]) -> Json {
    let rules: BTreeMap<&str, &InFile> = findings.iter().map(|one| (one.finding.id, one)).collect();
    let index: HashMap<&str, usize> = rules.keys().enumerate().map(|(index, id)| (*id, index)).collect();
    json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "federate",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "rules": rules.values().map(|one| rule(one)).collect::<Vec<_>>(),
            } },
            "columnKind": "unicodeCodePoints",
            "results": findings.iter().map(|one| result(one, index[one.finding.id])).collect::<Vec<_>>(),
        }],
    })
}

fn rule(one: &InFile) -> Json {
    let finding = &one.finding;
    json!({
        "id": finding.id,
        "name": pascal_case(finding.id),
        "shortDescription": { "text": finding.message },
        "fullDescription": { "text": format!("{}. Fix: {}.", finding.message, finding.fix) },
        "help": {
            "text": format!("{}. Fix: {}.", finding.message, finding.fix),
            "markdown": format!("{}.\n\n**Fix:** {}.", finding.message, finding.fix),
        },
        "defaultConfiguration": { "level": level(finding.severity) },
        "properties": {
            "security-severity": score(finding.severity),
            "precision": "very-high",
            "tags": ["security", "trust"],
        },
    })
}

fn result(one: &InFile, index: usize) -> Json {
    let finding = &one.finding;
    let mut location = json!({ "artifactLocation": artifact(&one.file) });
    // The forges show nothing of a result without a region.
    location["region"] = json!({ "startLine": one.line.unwrap_or(1) });
    json!({
        "ruleId": finding.id,
        "ruleIndex": index,
        "level": level(finding.severity),
        "message": { "text": format!("{}. {}. Fix: {}", finding.place, finding.message, finding.fix) },
        "locations": [{
            "physicalLocation": location,
            "logicalLocations": [{ "fullyQualifiedName": finding.place }],
        }],
        // Without the line, so that a finding stays the same where text above it changes.
        "partialFingerprints": { "federate/v1": fingerprint(&[finding.id, &one.file, &finding.place]) },
    })
}

/// The file as a URI: from the working directory where it is below it.
fn artifact(file: &str) -> Json {
    let path = Path::new(file);
    let here = std::env::current_dir().unwrap_or_default();
    let path = path.strip_prefix(&here).unwrap_or(path);
    // The forges look for the URI in the repository as it is written, and know no `..`.
    let plain = input::shown(path);
    let path = if path.components().any(|part| part == Component::ParentDir) { Path::new(&plain) } else { path };
    if path.is_absolute() {
        return json!({ "uri": format!("file://{}", encoded(&path.display().to_string())) });
    }
    let parts = path.components().filter(|part| *part != Component::CurDir);
    let parts: Vec<String> = parts.map(|part| encoded(&part.as_os_str().to_string_lossy())).collect();
    json!({ "uri": parts.join("/"), "uriBaseId": "%SRCROOT%" })
}

fn encoded(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(byte);
    text.bytes().map(|byte| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn fingerprint(parts: &[&str]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, parts.join("\0").as_bytes());
    digest.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn pascal_case(id: &str) -> String {
    let word = |word: &str| word[..1].to_uppercase() + &word[1..];
    id.split('-').filter(|part| !part.is_empty()).map(word).collect()
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "note",
    }
}

/// The middle of each band of CVSS, by which GitHub sorts.
fn score(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.5",
        Severity::Low => "3.0",
        Severity::Info => "0.0",
    }
}
