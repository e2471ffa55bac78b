//! What is generated admits whom the `allow` list means, and nobody else; and the linter has nothing against it.

use federate_cloud_aws::AwsTrust;
use federate_core::Claims;
use federate_trust::{Artifact, Intended, Severity, TrustModel as _, Wanted, Way, compare, format_named};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::jobs::{self, AUDIENCE, Change, Ci, Entry, admits, entry, is_meant, lets_in_whom_it_means, wanted_entry};

fn wanted(entries: &[(Ci, Json)], changes: Json) -> Wanted {
    let mut settings =
        json!({"role_arn": "arn:aws:iam::111122223333:role/ci/deploy", "duration": "2h", "session_name": "x"});
    for (key, value) in changes.as_object().unwrap() {
        settings[key] = value.clone();
    }
    let entries = entries.iter().map(|(ci, keys)| wanted_entry(*ci, keys)).collect();
    Wanted { target: "deploy".to_owned(), settings, entries }
}

fn of(entries: &[Entry]) -> Wanted {
    wanted(&entries.iter().map(|entry| (entry.ci, entry.keys.clone())).collect::<Vec<_>>(), json!({}))
}

fn intended(wanted: &Wanted) -> Result<Intended, String> {
    jobs::intended(&AwsTrust, wanted)
}

/// Does STS see everything that tells this job?
fn is_visible(entry: &Entry) -> bool {
    match entry.ci {
        Ci::GitHub => true,
        Ci::GitLab => !entry.has("environment"),
        Ci::SelfManaged => !entry.is_beyond_a_gitlab_subject(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn exactly_the_entry_gets_in(entry in entry(), change in any::<Change>()) {
        let wanted = of(std::slice::from_ref(&entry));
        let intended = match intended(&wanted) {
            Ok(intended) => intended,
            Err(why) => {
                prop_assert!(!is_visible(&entry), "{} {why}", entry.keys);
                return Ok(());
            }
        };
        prop_assert!(is_visible(&entry), "{} is expressed, though STS cannot see it", entry.keys);
        let pattern = &wanted.entries[0].pattern;
        prop_assert!(is_meant(pattern, &entry.job.claims()), "{} {}", entry.keys, entry.job.claims());
        lets_in_whom_it_means(&entry, &change, pattern, &intended)?;
    }

    #[test]
    fn one_claim_changed_keeps_it_out(entry in entry(), suffix in "[a-z0-9]{1,4}") {
        let wanted = of(std::slice::from_ref(&entry));
        let Ok(intended) = intended(&wanted) else { return Ok(()) };
        let own = entry.job.claims();
        // Of the claims that the entry names, those that STS sees by themselves.
        let mut names: Vec<&str> = vec!["iss", "sub", "aud"];
        let seen: Vec<&str> = AwsTrust.keys(&Claims::new(own.as_object().unwrap().clone())).iter().filter_map(|(key, _)| {
            wanted.entries[0].pattern.claims.iter().map(|(name, _)| name.as_str()).find(|name| key.ends_with(&format!(":{name}")))
        }).collect();
        names.extend(seen);
        for name in names {
            let is_open = wanted.entries[0].pattern.subjects.iter().any(|one| one.as_exact().is_none()) && name == "sub";
            let mut changed = own.clone();
            // An open pattern is left by its head, a closed one by its end.
            let text = own[name].as_str().unwrap();
            changed[name] = if is_open { format!("{suffix}{text}") } else { format!("{text}{suffix}") }.into();
            prop_assert!(!admits(&intended, &changed), "{} {name} {changed}", entry.keys);
            let mut without = own.clone();
            without.as_object_mut().unwrap().remove(name);
            prop_assert!(!admits(&intended, &without), "{} without {name}", entry.keys);
        }
    }

    #[test]
    fn the_linter_passes_it(entries in prop::collection::vec(entry(), 1..4)) {
        let Ok(intended) = intended(&of(&entries)) else { return Ok(()) };
        // Pull requests, tags and all branches are what the list itself asks for.
        let asked = ["pull-request-open", "any-branch", "branch-prefix", "tag-wildcard"];
        for finding in intended.document.lint() {
            let is_fine = finding.id == "mutable-subject" || asked.contains(&finding.id);
            prop_assert!(is_fine, "{finding:?}");
            prop_assert!(finding.severity < Severity::Medium || entries.iter().any(Entry::is_broad), "{finding:?}");
        }
    }

    #[test]
    fn every_format_that_can_be_read_says_the_same(entries in prop::collection::vec(entry(), 1..4)) {
        let wanted = of(&entries);
        let Ok(intended) = intended(&wanted) else { return Ok(()) };
        for name in ["aws-json", "cloudformation-json"] {
            let value: Json = serde_json::from_str(&generate(&wanted, name)[0].text).unwrap();
            let documents = AwsTrust.documents(&value).unwrap();
            prop_assert_eq!(documents.len(), 1);
            let found = compare(&intended.document.ways().unwrap(), &documents[0].document.ways().unwrap());
            prop_assert!(found.is_same(), "{}: {:?}", name, found);
        }
    }
}

fn generate(wanted: &Wanted, format: &str) -> Vec<Artifact> {
    AwsTrust.generate(wanted, format_named("aws", AwsTrust.formats(), format).unwrap()).unwrap()
}

#[test]
fn what_sts_cannot_see_is_an_error_that_says_so() {
    for (ci, entry, part) in [
        (
            Ci::GitLab,
            json!({"project": "g/p", "environment": "prod"}),
            "STS does not see `project_path`, `environment`",
        ),
        (Ci::SelfManaged, json!({"project": "g/p", "branch": "main", "protected": true}), "`ref_protected`"),
        (Ci::SelfManaged, json!({"project": "g/p", "project_id": 7, "branch": "main"}), "`project_id`"),
    ] {
        let error = intended(&wanted(&[(ci, entry)], json!({}))).unwrap_err();
        assert!(error.contains("trust-not-expressible") && error.contains(part), "{error}");
    }
    let unfilled = intended(&wanted(
        &[(Ci::GitLab, json!({"project": "g/p", "branch": "main"}))],
        json!({"role_arn": "arn:aws:iam::111122223333:role/{env:ROLE}"}),
    ));
    assert!(unfilled.unwrap_err().contains("{env:ROLE}"));
}

#[test]
fn names_of_hostile_form_stay_literal() {
    let entry = json!({"repository": "o/r", "environment": "a?b${aws:username}\"'`$(x)%{y}\nz"});
    let wanted = wanted(&[(Ci::GitHub, entry)], json!({}));
    let own = json!({
        "iss": "https://token.actions.githubusercontent.com", "aud": AUDIENCE, "repository": "o/r",
        "environment": "a?b${aws:username}\"'`$(x)%{y}\nz", "sub": "repo:o/r:environment:a?b${aws%3Ausername}\"'`$(x)%{y}\nz",
    });
    let intended = intended(&wanted).unwrap();
    assert!(admits(&intended, &own));
    let mut other = own.clone();
    other["environment"] = "axb${aws:username}\"'`$(x)%{y}\nz".into();
    assert!(!admits(&intended, &other));
    assert!(
        intended.document.lint().iter().all(|finding| finding.severity < Severity::Medium),
        "{:?}",
        intended.document.lint()
    );
    for format in AwsTrust.formats() {
        for file in AwsTrust.generate(&wanted, format).unwrap() {
            assert!(!file.text.contains("%{y}\nz"), "{}: {}", format.name, file.text);
            let is_template = format.name == "terraform";
            assert!(
                !is_template || (file.text.contains("%%{y}") && !file.text.replace("$${", "").contains("${$}")),
                "{}",
                file.text
            );
        }
    }
}

#[test]
fn a_chain_has_roles_of_its_own() {
    let chain = json!({
        "duration": "1h",
        "chain": [
            {"role_arn": "arn:aws:iam::444455556666:role/hop", "external_id": "x-1", "tags": {"team": "blue", "who": "{claim:user_login}"}},
            {"role_arn": "arn:aws:iam::777788889999:role/last", "source_identity": "ci"},
        ],
        "policy_arns": ["arn:aws:iam::aws:policy/ReadOnlyAccess"],
    });
    let wanted = wanted(&[(Ci::GitLab, json!({"project": "g/p", "branch": "main"}))], chain);
    let files = generate(&wanted, "aws-json");
    let [first, hop, last] = files.as_slice() else { panic!("{files:?}") };
    assert_eq!((first.path.as_str(), hop.path.as_str()), ("aws.json", "chain-1-aws.json"));
    let json = |file: &Artifact| serde_json::from_str::<Json>(&file.text).unwrap();
    assert_eq!(
        json(first)["Policy"]["PolicyDocument"]["Statement"][0]["Resource"],
        "arn:aws:iam::444455556666:role/hop"
    );
    let trust = &json(hop)["Role"]["AssumeRolePolicyDocument"]["Statement"][0];
    assert_eq!(trust["Principal"]["AWS"], "arn:aws:iam::111122223333:role/ci/deploy");
    assert_eq!(trust["Action"], json!(["sts:AssumeRole", "sts:TagSession"]));
    assert_eq!(trust["Condition"]["StringEquals"], json!({"sts:ExternalId": "x-1", "aws:RequestTag/team": "blue"}));
    assert_eq!(trust["Condition"]["Null"], json!({"aws:RequestTag/who": "false"}));
    assert_eq!(json(last)["Role"]["AttachedManagedPolicies"], json!(["arn:aws:iam::aws:policy/ReadOnlyAccess"]));
    assert_eq!(json(first)["Role"]["MaxSessionDuration"], 3600);
    for format in ["cloudformation", "terraform", "aws-cli"] {
        assert_eq!(generate(&wanted, format).len(), 3, "{format}");
    }
}

#[test]
fn policies_are_compared_by_meaning() {
    let wanted = wanted(
        &[
            (Ci::GitHub, json!({"repository": "o/r", "branch": "main"})),
            (Ci::GitHub, json!({"repository": "o/r", "tag_pattern": "v*"})),
        ],
        json!({}),
    );
    let meant = intended(&wanted).unwrap().document.ways().unwrap();
    let provider = "token.actions.githubusercontent.com";
    let statement = |conditions: Json| json!({"Effect": "Allow", "Sid": "Other", "Principal": {"Federated": [format!("arn:aws:iam::1:oidc-provider/{provider}")]}, "Action": ["sts:assumerolewithwebidentity"], "Condition": conditions});
    let key = |claim: &str| format!("{}:{claim}", provider.to_uppercase());
    let subject = |context: &str| [format!("repo:o@*/r@*:{context}"), format!("repo:o/r:{context}")];
    let split = |context: &str| {
        statement(
            json!({"ForAnyValue:StringLike": {key("sub"): subject(context)}, "StringLike": {key("aud"): [AUDIENCE], key("repository"): "o/r"}}),
        )
    };
    let same = json!({"Version": "2012-10-17", "Statement": [split("ref:refs/tags/v*"), split("ref:refs/heads/main")]});
    let held = |policy: &Json| compare(&meant, &AwsTrust.documents(policy).unwrap()[0].document.ways().unwrap());
    assert!(held(&same).is_same(), "{:?}", held(&same));
    let wide = json!({"Version": "2012-10-17", "Statement": [split("*")]});
    assert!(held(&wide).missing.is_empty() && held(&wide).too_much.len() == 2);
    let narrow = json!({"Version": "2012-10-17", "Statement": split("ref:refs/heads/main")});
    assert!(held(&narrow).too_much.is_empty() && held(&narrow).missing.len() == 2, "{:?}", held(&narrow));
    let mut denied = same.clone();
    let mut deny = statement(json!({"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}}));
    deny["Effect"] = "Deny".into();
    denied["Statement"].as_array_mut().unwrap().push(deny);
    assert!(held(&denied).too_much.is_empty() && held(&denied).missing.len() == 4);
    // A Deny that is about none of them changes nothing.
    for (conditions, missing) in [
        (json!({"StringEquals": {key("sub"): "repo:o/r:ref:refs/heads/main"}}), 1),
        (json!({"StringLike": {key("sub"): "repo:o/r:ref:refs/tags/v1*"}}), 1),
        (json!({"StringNotLike": {key("sub"): ["repo:o*/r*:ref:refs/*", "x"]}}), 0),
        (json!({"StringNotLike": {key("sub"): "repo:o/r:*"}}), 2),
        (json!({"StringEquals": {key("repository"): "o/other"}}), 0),
        (json!({"StringEquals": {"gitlab.com:sub": "x"}}), 0),
        (json!({"StringNotEquals": {"gitlab.com:sub": "x"}}), 4),
        (json!({"StringNotLike": {key("repository"): "o/*"}}), 0),
        (json!({"StringNotLikeIfExists": {key("repository"): "o/*"}}), 0),
        (json!({"StringNotEquals": {key("repository"): "O/R"}}), 4),
        (json!({"StringNotEquals": {key("repository"): "o/r"}, "Bool": {"aws:SecureTransport": "false"}}), 0),
        (json!({"ForAllValues:StringEquals": {key("repository"): "o/other"}}), 4),
    ] {
        let mut denied = same.clone();
        let mut deny = statement(conditions.clone());
        deny["Effect"] = "Deny".into();
        denied["Statement"].as_array_mut().unwrap().push(deny);
        let found = held(&denied);
        assert_eq!((found.missing.len(), found.too_much.len()), (missing, 0), "{conditions}: {found:?}");
    }
    for (principal, actions, told) in [
        (json!({"AWS": "arn:aws:iam::1:root"}), json!("sts:*"), Some("principal is arn:aws:iam::1:root")),
        (
            json!({"AWS": "arn:aws:iam::1:root", "Federated": "arn:aws:iam::1:oidc-provider/gitlab.com"}),
            json!("sts:AssumeRole"),
            Some("principal is arn:aws:iam::1:root"),
        ),
        (json!({"Service": "ec2.amazonaws.com"}), json!("sts:AssumeRole"), Some("principal is ec2.amazonaws.com")),
        (
            json!({"Federated": "arn:aws:iam::1:saml-provider/s"}),
            json!("sts:AssumeRoleWithSAML"),
            Some("saml-provider/s"),
        ),
        (json!({"AWS": "*"}), json!("sts:AssumeRole"), Some("anyone, whatever they say")),
        (json!({"AWS": "arn:aws:iam::1:root"}), json!("sts:TagSession"), None),
    ] {
        let mut more = same.clone();
        let statement = json!({"Effect": "Allow", "Principal": principal, "Action": actions});
        more["Statement"].as_array_mut().unwrap().push(statement);
        let found = held(&more);
        let described: Vec<String> = found.too_much.iter().map(Way::describe).collect();
        assert_eq!(described.len(), usize::from(told.is_some()), "{described:?}");
        assert!(told.is_none_or(|told| described[0].contains(told)), "{described:?}");
    }
    let mut role = same.clone();
    role["Statement"]
        .as_array_mut()
        .unwrap()
        .push(json!({"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::1:root"}, "Action": "sts:AssumeRole"}));
    assert_eq!(held(&role).too_much.len(), 1);
}
