//! Findings as SARIF 2.1.0, which GitHub and GitLab show in merge requests.
//! <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>

use std::collections::BTreeMap;

use federate_trust::Severity;
use serde_json::{Value as Json, json};

use super::lint::InFile;

pub(super) fn report(findings: &[InFile]) -> Json {
    let rules: BTreeMap<&str, &InFile> = findings.iter().map(|one| (one.finding.id, one)).collect();
    json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "federate",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "rules": rules.iter().map(|(id, one)| json!({
                    "id": id,
                    "shortDescription": { "text": one.finding.message },
                    "help": { "text": one.finding.fix },
                    "properties": { "security-severity": score(one.finding.severity) },
                })).collect::<Vec<_>>(),
            } },
            "results": findings.iter().map(|one| json!({
                "ruleId": one.finding.id,
                "level": level(one.finding.severity),
                "message": { "text": format!("{}. {}. Fix: {}", one.finding.place, one.finding.message, one.finding.fix) },
                "locations": [{ "physicalLocation": {
                    "artifactLocation": { "uri": one.file.replace('\\', "/") },
                    "region": { "startLine": 1 },
                } }],
            })).collect::<Vec<_>>(),
        }],
    })
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
