//! Issuers: who they are, and whether strangers get tokens of them too.

/// Who writes the subjects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// GitHub Actions, also of enterprises and Enterprise Server.
    GitHub,
    /// GitLab CI, also self-managed.
    GitLab,
    /// HCP Terraform and Terraform Enterprise.
    Terraform,
    /// Buildkite.
    Buildkite,
    /// CircleCI.
    CircleCi,
    /// Bitbucket Pipelines.
    Bitbucket,
    /// Vercel.
    Vercel,
    /// Pulumi Cloud.
    Pulumi,
    /// Amazon Cognito identity pools.
    Cognito,
    /// Google accounts.
    Google,
    /// Service accounts of a Kubernetes cluster.
    Kubernetes,
    /// Anyone else.
    Other,
}

/// An issuer as clouds name it: the `iss` without `https://`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    name: String,
    family: Family,
    is_shared: bool,
}

/// Issuers that serve all customers of a service under one `iss`, besides those that have a family. What has a path below
/// these belongs to one customer, as at Fly.io.
/// Source: AWS, "Identity-provider controls for shared OIDC providers" (IAM User Guide), and the services' own pages.
const OTHER_SHARED: &[&str] = &[
    "oidc.prod-aks.azure.com",
    "identity.spacelift.io",
    "app.env0.com",
    "login.env0.com",
    "oidc.fly.io",
    "agent.harness.io",
];

/// Those of them for which AWS asks for a test of `sub`, from the same page.
const CONTROLLED: &[&str] = &[
    "oidc.codefresh.io",
    "scalr.io",
    "proidc.upbound.io",
    "studio.datachain.ai",
    "tokens.cloud.shisho.dev",
    "oidc-configuration.audit-log.githubusercontent.com",
    "vstoken.actions.githubusercontent.com",
];
/// The one whose tenants are told by `aud`, and for which AWS asks for that.
const SANDBOXES: &str = "sandboxes.cloud";

impl Provider {
    /// Recognises an issuer; `https://` may stand before it.
    pub fn new(issuer: &str) -> Self {
        let name = issuer.strip_prefix("https://").unwrap_or(issuer).to_owned();
        let (host, path) = name.split_once('/').map_or((name.as_str(), ""), |(host, path)| (host, path));
        let (family, is_shared) = match host {
            "token.actions.githubusercontent.com" => (Family::GitHub, path.is_empty()),
            "gitlab.com" => (Family::GitLab, true),
            "app.terraform.io" | "app.eu.terraform.io" => (Family::Terraform, true),
            "agent.buildkite.com" => (Family::Buildkite, true),
            "oidc.circleci.com" => (Family::CircleCi, path.is_empty()),
            "api.bitbucket.org" => (Family::Bitbucket, false),
            "oidc.vercel.com" => (Family::Vercel, path.is_empty()),
            "api.pulumi.com" => (Family::Pulumi, true),
            "cognito-identity.amazonaws.com" => (Family::Cognito, true),
            "accounts.google.com" => (Family::Google, true),
            _ if host.starts_with("token.actions.") && host.ends_with(".ghe.com") => (Family::GitHub, false),
            _ if path == "_services/token" => (Family::GitHub, false),
            _ if host.starts_with("gitlab.") => (Family::GitLab, false),
            _ if host.starts_with("oidc.eks.") || host.ends_with(".oic.prod-aks.azure.com") => {
                (Family::Kubernetes, false)
            }
            _ => {
                let is_controlled = CONTROLLED.contains(&host) || host == SANDBOXES;
                (Family::Other, is_controlled || (path.is_empty() && OTHER_SHARED.contains(&host)))
            }
        };
        Self { name, family, is_shared }
    }

    /// Without `https://`: what stands before the claim in an AWS condition key.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Who writes the subjects.
    pub fn family(&self) -> Family {
        self.family
    }

    /// Do strangers get tokens of this very issuer?
    pub fn is_shared(&self) -> bool {
        self.is_shared
    }

    /// Are tenants of this issuer told by names that somebody else can register once they are free?
    pub fn names_can_be_recycled(&self) -> bool {
        self.is_shared && matches!(self.family, Family::GitHub | Family::GitLab)
    }

    /// Is the tenant named by the audience rather than the subject?
    pub fn tenant_is_audience(&self) -> bool {
        let is_told = matches!(self.family, Family::Pulumi | Family::Vercel | Family::Cognito);
        self.is_shared && (is_told || self.name == SANDBOXES)
    }

    /// The claims of which one has to be tested before AWS lets a role be created for this issuer; empty where it does
    /// not ask.
    pub fn tenancy_claims(&self) -> &'static [&'static str] {
        let host = self.name.split('/').next().unwrap_or_default();
        match self.family {
            _ if !self.is_shared => &[],
            _ if self.tenant_is_audience() => &["aud"],
            Family::GitHub => &["sub", "job_workflow_ref"],
            Family::GitLab | Family::Buildkite => &["sub"],
            Family::Terraform if host == "app.terraform.io" => &["sub"],
            _ if CONTROLLED.contains(&host) => &["sub"],
            _ => &[],
        }
    }
}

/// Hosts of services that sign their tokens under another name.
const OTHER_HOSTS: &[&str] = &[
    "github.com",
    "api.github.com",
    "vstoken.actions.githubusercontent.com",
    "www.gitlab.com",
    "bitbucket.org",
    "circleci.com",
    "app.circleci.com",
    "buildkite.com",
    "terraform.io",
    "www.terraform.io",
];

/// Can this be the `iss` of a token? Known issuers are known to the letter: a slash too many or too few, another scheme,
/// a discovery document's path, the service's web site.
pub fn can_be_iss(issuer: &str) -> bool {
    let Some(name) = issuer.strip_prefix("https://") else { return false };
    let (host, path) = name.split_once('/').map_or((name, None), |(host, path)| (host, Some(path)));
    let is_aks = host.ends_with(".oic.prod-aks.azure.com");
    let has_slash = name.ends_with('/');
    let is_known = Provider::new(issuer.trim_end_matches('/')).family() != Family::Other;
    let is_wrong = name.is_empty()
        || name.contains("/.well-known/")
        || host.bytes().any(|byte| byte.is_ascii_uppercase())
        || (is_aks && !has_slash)
        || (is_known && !is_aks && has_slash)
        || OTHER_HOSTS.contains(&host)
        || (host == "oidc.circleci.com" && !path.is_some_and(|path| path.starts_with("org/")))
        || (host == "gitlab.com" && path.is_some());
    !is_wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_and_private_issuers_are_told_apart() {
        for (issuer, family, is_shared) in [
            ("https://token.actions.githubusercontent.com", Family::GitHub, true),
            ("token.actions.githubusercontent.com/acme", Family::GitHub, false),
            ("ghe.example.com/_services/token", Family::GitHub, false),
            ("gitlab.com", Family::GitLab, true),
            ("gitlab.example.com", Family::GitLab, false),
            ("oidc.vercel.com/team", Family::Vercel, false),
            ("oidc.circleci.com/org/1", Family::CircleCi, false),
            ("idp.example.com", Family::Other, false),
            ("oidc.fly.io/acme", Family::Other, false),
            ("oidc.fly.io", Family::Other, true),
            ("studio.datachain.ai/api", Family::Other, true),
        ] {
            let provider = Provider::new(issuer);
            assert_eq!((provider.family(), provider.is_shared()), (family, is_shared), "{issuer}");
        }
    }

    #[test]
    fn issuers_are_known_to_the_letter() {
        for issuer in ["https://gitlab.com", "https://larkspur.eu.auth0.com/", "https://idp.example.com/a"] {
            assert!(can_be_iss(issuer), "{issuer}");
        }
        for issuer in [
            "https://gitlab.com/",
            "http://gitlab.com",
            "https://GitLab.com",
            "https://github.com",
            "https://oidc.circleci.com",
            "https://idp.example.com/.well-known/openid-configuration",
            "gitlab.com",
            "https://",
        ] {
            assert!(!can_be_iss(issuer), "{issuer}");
        }
    }
}
