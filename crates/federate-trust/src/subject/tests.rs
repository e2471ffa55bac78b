use super::*;

fn reach(issuer: &str, pattern: &str) -> Reach {
    analyse(&Provider::new(issuer), pattern)
}

fn gaps(issuer: &str, pattern: &str) -> Vec<Gap> {
    let reach = reach(issuer, pattern);
    assert_eq!(reach.impossible, None, "{pattern}");
    // Behind an open tenant, the workload counts only once something else names the tenant.
    let workload = reach.workload.filter(|_| reach.tenant.is_none());
    reach.tenant.into_iter().chain(workload).chain(reach.context).collect()
}

const GITHUB: &str = "token.actions.githubusercontent.com";

#[test]
fn a_strangers_subject_is_a_risk() {
    let risk = |subject: &str, known: &str| risk(&Provider::new(GITHUB), subject, &[known.to_owned()]);
    let main = "repo:acme@7/api@5:ref:refs/heads/main";
    for (subject, known, expected) in [
        (main, "repo:acme/api:ref:refs/heads/main", None),
        (main, "repo:Acme/api:ref:refs/heads/main", None),
        (main, "repo:acme@7/web@6:*", None),
        (main, "repo:acme@*/api@*:*", None),
        (main, "repo:*", None),
        (main, "repo:acme@77/api@5:*", Some("somebody else")),
        (main, "repo:larkspur*", Some("stranger")),
        (main, "repo:larkspur/api:*", Some("stranger")),
        ("repo:acme/api:pull_request", "repo:acme/api:*", Some("reviewed")),
        ("environment:prod", "repo:acme/api:*", Some("does not say whose job")),
    ] {
        let found = risk(subject, known);
        assert_eq!(found.is_some(), expected.is_some(), "{known}: {found:?}");
        assert!(expected.is_none_or(|part| found.unwrap().contains(part)), "{known}");
    }
}

#[test]
fn github_subjects() {
    for (pattern, expected) in [
        ("repo:acme/api:ref:refs/heads/main", vec![]),
        ("repo:acme/api:*", vec![Gap::AnyRef]),
        ("repo:acme/*", vec![Gap::OwnerWide, Gap::AnyRef]),
        ("repo:acme*", vec![Gap::OwnerPrefix, Gap::AnyRef]),
        ("repo:*/api:*", vec![Gap::AnyOwner, Gap::AnyRef]),
        ("repo:acme/api*", vec![Gap::NamePrefix, Gap::AnyRef]),
        ("repo:acme/api:ref:refs/heads/*", vec![Gap::AnyBranch]),
        ("repo:acme/api:ref:refs/heads/main*", vec![Gap::BranchPrefix]),
        ("repo:acme/api:ref:refs/heads/release/*", vec![]),
        ("repo:acme/api:environment:prod-*", vec![Gap::AnyEnvironment]),
        ("repo:acme@1/api@2:*", vec![Gap::AnyRef]),
        ("repo:acme@*/api@*:ref:refs/heads/main", vec![]),
        ("workflow:deploy", vec![Gap::AuthorControlled]),
        ("environment:prod:repo:acme/api", vec![Gap::AuthorClaimFirst]),
        ("repository_owner_id:1:repository_id:2", vec![]),
        ("repository_owner:acme:*", vec![Gap::OwnerWide]),
        ("*:environment:prod", vec![Gap::AnyOwner]),
    ] {
        assert_eq!(gaps(GITHUB, pattern), expected, "{pattern}");
    }
    for pattern in [
        "repo:acme/api",
        "acme/api:ref:refs/heads/main",
        "repo:acme/api:ref:main",
        "repo:acme/api:refs/heads/main",
        "repo:acme/api:branch:main",
        "repo:acme/api:environment:prod:eu",
        "repo:acme:ref:refs/heads/main",
        "repo:acme/api:ref:refs/heads/main ",
        "repo:acme/api/x:ref:refs/heads/main",
        "repo:acme/api:ref:refs/head/main",
        "",
    ] {
        assert!(reach(GITHUB, pattern).impossible.is_some(), "{pattern}");
    }
    assert!(
        reach(GITHUB, "repo:acme@1/api@2:pull_request").by_id && !reach(GITHUB, "repo:acme/api:pull_request").by_id
    );
    assert_eq!(immutable_form("repo:a@1/b@2:pull_request").as_deref(), Some("repo:a/b:pull_request"));
}

#[test]
fn a_workload_behind_an_open_owner() {
    for (issuer, pattern, expected) in [
        (GITHUB, "repo:*", Some(Gap::OwnerWide)),
        (GITHUB, "repo:*/api:*", None),
        (GITHUB, "repo:acme*", Some(Gap::OwnerWide)),
        (GITHUB, "*:environment:prod", Some(Gap::OwnerWide)),
        ("gitlab.com", "project_path:*:ref_type:branch:ref:main", Some(Gap::OwnerWide)),
        ("gitlab.com", "project_path:*/api:ref_type:branch:ref:main", None),
        ("oidc.vercel.com", "owner:*:project:site:environment:production", None),
        ("oidc.vercel.com", "owner:*:project:*:environment:production", Some(Gap::OwnerWide)),
    ] {
        let reach = reach(issuer, pattern);
        assert!(reach.tenant.is_some() && reach.workload == expected, "{pattern}: {reach:?}");
    }
}

#[test]
fn gitlab_subjects() {
    for (pattern, expected) in [
        ("project_path:g/p:ref_type:branch:ref:main", vec![]),
        ("project_path:g/p:*", vec![Gap::AnyRef]),
        ("project_path:g/*", vec![Gap::OwnerWide, Gap::AnyRef]),
        ("project_path:g*", vec![Gap::OwnerPrefix, Gap::AnyRef]),
        ("project_path:g/p*:ref_type:branch:ref:main", vec![Gap::NamePrefix]),
        ("project_path:g/p:ref_type:*:ref:main", vec![Gap::AnyRefType]),
        ("project_path:g/p:ref_type:branch:*", vec![Gap::AnyBranch]),
        ("project_path:g/p:ref_type:tag:ref:v*", vec![Gap::Tags]),
        ("project_id:7:ref_type:branch:ref:main", vec![]),
        ("project_path:g/p:ref_type:branch:ref:main:ref_protected:true", vec![]),
        ("project_path:g/p:ref_type:branch:ref:*:ref_protected:true", vec![]),
        ("project_path:g/p:ref_type:branch:ref:*:ref_protected:false", vec![Gap::AnyBranch]),
    ] {
        assert_eq!(gaps("gitlab.com", pattern), expected, "{pattern}");
    }
    for pattern in [
        "project_path:g/p",
        "project_path:g/p:environment:prod:*",
        "project_path:g/p:ref_type:mr:ref:1",
        "project_id:g/p:ref_type:branch:ref:main",
        "repo:g/p:*",
    ] {
        assert!(reach("gitlab.com", pattern).impossible.is_some(), "{pattern}");
    }
}

#[test]
fn other_subjects() {
    for (issuer, pattern, expected) in [
        ("app.terraform.io", "organization:o:project:p:workspace:w:run_phase:*", vec![Gap::AnyRunPhase]),
        ("app.terraform.io", "organization:o:project:p:workspace:*:run_phase:apply", vec![Gap::AnyWorkspace]),
        ("agent.buildkite.com", "organization:o:pipeline:p:*", vec![Gap::AnyRef]),
        ("oidc.eks.eu-west-1.amazonaws.com/id/1", "system:serviceaccount:*", vec![Gap::AnyServiceAccount]),
        ("oidc.eks.eu-west-1.amazonaws.com/id/1", "system:serviceaccount:n:*", vec![Gap::NamespaceWide]),
        ("oidc.vercel.com", "owner:*:project:site:environment:production", vec![Gap::AnyOwner]),
        ("idp.example.com", "*:ci", vec![Gap::LeadingWildcard]),
        ("idp.example.com", "*", vec![Gap::Everything, Gap::AnyRef]),
        ("idp.example.com", "acme|ci|*", vec![]),
    ] {
        assert_eq!(gaps(issuer, pattern), expected, "{pattern}");
    }
}

#[test]
fn a_name_that_has_changed_hands_is_a_risk() {
    let risk = |subject: &str, known: &str| risk(&Provider::new(GITHUB), subject, &[known.to_owned()]);
    let (classic, own) = ("repo:acme/api:environment:a", "repo:acme@1/api@2:environment:a");
    for (subject, known, expected) in [
        (own, "repo:acme@1/web@3:*", None),
        (own, "repo:acme@*/web@*:*", None),
        (own, "repo:acme/web:*", None),
        (classic, "repo:acme/web:*", None),
        (own, "repo:acme@7/api@2:*", Some("somebody else has the name now")),
        (classic, own, Some("by the name alone")),
        (own, "repo:quillon@1/api@2:*", Some("stranger")),
    ] {
        let found = risk(subject, known);
        assert!(
            found
                .as_deref()
                .map(|found| expected.is_some_and(|text| found.contains(text)))
                .unwrap_or(expected.is_none()),
            "{subject} {known}: {found:?}"
        );
    }
    let both = [classic.to_owned(), own.to_owned()];
    assert_eq!(super::risk(&Provider::new(GITHUB), "repo:acme/api:ref:refs/heads/main", &both), None);
}
