//! What the claims of the known issuers say: whose a job is, which of their jobs it is, or nothing of the kind.

use federate_trust::{Family, Provider as Issuer};

/// What a claim tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The subject, or a part of it from its start on.
    Subject,
    /// `OWNER/NAME`
    Path,
    /// A group with its parents: `larkspur/platform`.
    Namespace,
    /// The owner, by a name or by an id that is never given to another.
    Owner { by_id: bool },
    /// One workload of one owner, by a name or an id that no other has.
    Workload { by_id: bool },
    /// One workload among those of an owner; other owners have workloads of this name.
    WorkloadName,
    /// The workflow file that runs, with the repository it is in, and the ref: `OWNER/NAME/PATH@REF`.
    Workflow,
    /// The reusable workflow that was called, by whomever.
    Called,
    /// A full git ref.
    Ref,
    /// A branch or tag by its name.
    Branch,
    /// An environment.
    Environment,
    /// Something that tells jobs of a workload apart, where it is compared with a value.
    Context,
    /// Who started the job, wherever.
    Actor,
    /// What every token of the issuer has: `aud`, `iss`, the times.
    Envelope,
    /// A name or kind that jobs of every owner can have.
    Anything,
}

/// Who writes the claims. A server under a name of its own is recognised by the claims that are asked of it.
pub(super) fn family<'a>(issuer: &Issuer, names: impl IntoIterator<Item = &'a str>) -> Family {
    if issuer.family() != Family::Other || issuer.is_shared() {
        return issuer.family();
    }
    let of_name = |name: &str| match name {
        "project_path" | "namespace_path" | "project_id" | "namespace_id" => Some(Family::GitLab),
        "repository" | "repository_id" | "repository_owner" | "repository_owner_id" | "job_workflow_ref" => {
            Some(Family::GitHub)
        }
        _ => name.starts_with("terraform_").then_some(Family::Terraform),
    };
    names.into_iter().find_map(of_name).unwrap_or(Family::Other)
}

/// What the claim tells in tokens of this family.
pub(super) fn role(family: Family, is_shared: bool, claim: &str) -> Role {
    let known = match claim {
        "sub" => Some(Role::Subject),
        "aud" | "iss" | "exp" | "iat" | "nbf" | "jti" => Some(Role::Envelope),
        _ => None,
    };
    let special = match family {
        Family::GitHub => github(claim),
        Family::GitLab => gitlab(claim),
        Family::Terraform => terraform(claim),
        Family::Buildkite => match claim {
            "organization_slug" => Some(Role::Owner { by_id: false }),
            "organization_id" | "cluster_id" => Some(Role::Owner { by_id: true }),
            "pipeline_slug" => Some(Role::WorkloadName),
            "pipeline_id" => Some(Role::Workload { by_id: true }),
            "build_branch" => Some(Role::Branch),
            "build_tag" | "build_commit" => Some(Role::Context),
            _ => None,
        },
        Family::CircleCi => match claim {
            "oidc.circleci.com/project-id" => Some(Role::Workload { by_id: true }),
            "oidc.circleci.com/vcs-origin" => Some(Role::Workload { by_id: false }),
            "oidc.circleci.com/vcs-ref" => Some(Role::Ref),
            _ => None,
        },
        Family::Bitbucket => match claim {
            "workspaceUuid" => Some(Role::Owner { by_id: true }),
            "repositoryUuid" => Some(Role::Workload { by_id: true }),
            "branchName" => Some(Role::Branch),
            "deploymentEnvironmentUuid" | "pipelineUuid" | "stepUuid" => Some(Role::Context),
            _ => None,
        },
        Family::Vercel => match claim {
            "owner" => Some(Role::Owner { by_id: false }),
            "owner_id" => Some(Role::Owner { by_id: true }),
            "project" => Some(Role::WorkloadName),
            "project_id" => Some(Role::Workload { by_id: true }),
            "environment" => Some(Role::Environment),
            _ => None,
        },
        Family::Google => match claim {
            "email" | "azp" => Some(Role::Workload { by_id: false }),
            "hd" => Some(Role::Owner { by_id: false }),
            _ => None,
        },
        _ => is_shared.then(|| by_its_name(claim)).flatten(),
    };
    known.or(special).unwrap_or(Role::Anything)
}

fn github(claim: &str) -> Option<Role> {
    Some(match claim {
        "repository" => Role::Path,
        "repository_owner" | "enterprise" => Role::Owner { by_id: false },
        "repository_owner_id" | "enterprise_id" => Role::Owner { by_id: true },
        "repository_id" => Role::Workload { by_id: true },
        "workflow_ref" => Role::Workflow,
        "job_workflow_ref" => Role::Called,
        "ref" => Role::Ref,
        "environment" => Role::Environment,
        "environment_node_id" | "sha" | "ref_protected" => Role::Context,
        "actor" | "actor_id" | "triggering_actor" => Role::Actor,
        _ => return None,
    })
}

fn gitlab(claim: &str) -> Option<Role> {
    Some(match claim {
        "project_path" => Role::Path,
        "project_id" => Role::Workload { by_id: true },
        "namespace_path" => Role::Namespace,
        "namespace_id" => Role::Owner { by_id: true },
        "ref" => Role::Branch,
        "ref_path" => Role::Ref,
        "environment" => Role::Environment,
        "ref_protected" | "environment_protected" | "deployment_tier" | "sha" => Role::Context,
        "user_login" | "user_id" | "user_email" | "user_identities" | "groups_direct" => Role::Actor,
        _ => return None,
    })
}

fn terraform(claim: &str) -> Option<Role> {
    Some(match claim {
        "terraform_organization_name" => Role::Owner { by_id: false },
        "terraform_organization_id" | "terraform_project_id" => Role::Owner { by_id: true },
        "terraform_workspace_name" => Role::WorkloadName,
        "terraform_workspace_id" => Role::Workload { by_id: true },
        "terraform_full_workspace" => Role::Subject,
        _ => return None,
    })
}

/// At other services for everybody, the claim's name is all that there is to go by.
fn by_its_name(claim: &str) -> Option<Role> {
    let name = claim.to_ascii_lowercase();
    let by_id = name.ends_with("id");
    let is_owner = ["org", "account", "team", "owner", "tenant", "customer"].iter().any(|word| name.contains(word));
    if is_owner {
        return Some(Role::Owner { by_id });
    }
    by_id.then_some(Role::Workload { by_id })
}

/// Is the claim always a text, so that comparing it with a number or a boolean can never work?
#[cfg(feature = "cel")]
pub(super) fn is_text(family: Family, claim: &str) -> bool {
    if ["sub", "iss", "jti"].contains(&claim) {
        return true;
    }
    match family {
        Family::GitHub | Family::GitLab => {
            !["aud", "exp", "iat", "nbf", "auth_time", "groups_direct", "user_identities", "runner_id", "job_config"]
                .contains(&claim)
        }
        Family::Terraform => claim.starts_with("terraform_"),
        Family::Buildkite => {
            ["organization_slug", "organization_id", "pipeline_slug", "pipeline_id", "build_branch", "build_commit"]
                .contains(&claim)
        }
        Family::CircleCi => {
            ["oidc.circleci.com/project-id", "oidc.circleci.com/vcs-origin", "oidc.circleci.com/vcs-ref"]
                .contains(&claim)
        }
        Family::Bitbucket => claim.ends_with("Uuid") || claim == "branchName",
        Family::Vercel => ["owner", "owner_id", "project", "project_id", "environment"].contains(&claim),
        Family::Google => ["email", "azp", "hd"].contains(&claim),
        _ => false,
    }
}

/// With what the subjects of this family begin, where it is always the same.
#[cfg(feature = "cel")]
pub(super) fn subject_head(family: Family) -> Option<&'static str> {
    Some(match family {
        Family::GitHub => "repo",
        Family::GitLab => "project_path",
        Family::Terraform | Family::Buildkite => "organization",
        _ => return None,
    })
}

/// Do jobs of one workload differ by a ref or environment that conditions can ask for?
#[cfg(feature = "cel")]
pub(super) fn has_refs(family: Family) -> bool {
    matches!(family, Family::GitHub | Family::GitLab | Family::Buildkite | Family::Bitbucket)
}

/// The owner that a value of this claim names, where it names one.
pub(super) fn owner(role: Role, value: &str) -> Option<&str> {
    match role {
        Role::Owner { .. } => Some(value),
        Role::Path | Role::Namespace | Role::Workflow => value.split('/').next(),
        Role::Subject => {
            let (kind, rest) = value.split_once(':')?;
            let end = match kind {
                "repo" | "project_path" => rest.find('/')?,
                "organization" | "owner" => rest.find(':')?,
                _ => return None,
            };
            rest[..end].split('@').next()
        }
        _ => None,
    }
}
