//! From an `allow` list to the federated identity credentials of an application or managed identity.

mod az_cli;
mod bicep;
mod credentials;
mod plan;
mod terraform;

use federate_core::Error;
use federate_trust::{Artifact, Format};

pub(super) use plan::Plan;

/// The forms of Azure's tools.
pub(super) const FORMATS: &[Format] = &[
    Format {
        name: "azure-json",
        summary: "the federated identity credentials as a JSON list, as Microsoft Graph takes them",
    },
    Format { name: "az-cli", summary: "a bash script for the az CLI, which may run again" },
    Format { name: "azure-terraform", summary: "a Terraform or OpenTofu module for the hashicorp/azuread provider" },
    Format { name: "bicep", summary: "a Bicep file with a user-assigned managed identity" },
];

impl Plan {
    /// All files of a format.
    pub(super) fn write(&self, format: &str) -> Result<Vec<Artifact>, Vec<Error>> {
        match format {
            "az-cli" => Ok(vec![Artifact::script("setup.sh", az_cli::script(self))]),
            "azure-terraform" => Ok(vec![Artifact::new("main.tf", terraform::module(self))]),
            "bicep" => Ok(vec![Artifact::new("main.bicep", bicep::file(self)?)]),
            _ => Ok(vec![Artifact::new("credentials.json", self.list().json())]),
        }
    }
}
