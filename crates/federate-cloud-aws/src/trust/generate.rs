//! From an `allow` list to everything that an AWS account needs: identity providers, role, permissions.

mod cdk;
mod cli;
mod cloudformation;
mod conditions;
mod document;
mod plan;
mod terraform;

use federate_trust::{Artifact, Format};

pub(super) use plan::Plan;

/// The forms of AWS's tools.
pub(super) const FORMATS: &[Format] = &[
    Format {
        name: "aws-json",
        summary: "one JSON document: identity providers, role with its trust policy, permissions",
    },
    Format { name: "cloudformation", summary: "a CloudFormation template in YAML" },
    Format { name: "cloudformation-json", summary: "the same template in JSON" },
    Format { name: "terraform", summary: "a Terraform or OpenTofu module for the hashicorp/aws provider" },
    Format { name: "aws-cdk", summary: "an AWS CDK app in TypeScript" },
    Format { name: "aws-cli", summary: "a bash script for the AWS CLI, which may run again" },
];

impl Plan {
    /// All files of a format.
    pub(super) fn write(&self, format: &str) -> Vec<Artifact> {
        match format {
            "cloudformation" => cloudformation::yaml(self),
            "cloudformation-json" => cloudformation::json(self),
            "terraform" => terraform::files(self),
            "aws-cdk" => cdk::files(self),
            "aws-cli" => cli::files(self),
            _ => document::files(self),
        }
    }
}
