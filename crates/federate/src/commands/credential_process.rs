//! `federate credential-process`: what an AWS SDK asks of a program named in its config file.

use federate_core::{Error, codes};

use super::written;
use crate::args::Targets;
use crate::report::{Failure, print_result};
use crate::setup::{Start, exchange};

pub(crate) async fn run(start: &Start, targets: Targets) -> Result<u8, Failure> {
    let profile = start.load(&[])?;
    let names = profile.matching(&targets.target)?;
    let [name] = names.as_slice() else {
        return Err(Error::new(
            &codes::USAGE,
            format!(
                "credential-process hands out one target's credentials, and {} are selected: {}",
                names.len(),
                names.join(", ")
            ),
        )
        .with_help("select one with -t")
        .into());
    };
    let kind = profile.target_kind(name).unwrap_or_default().to_owned();
    let cloud = start.registry.cloud(&kind);
    let ready = exchange(start, &profile, std::slice::from_ref(name)).await?;
    let json =
        ready.exchanged.first().and_then(|one| cloud.and_then(|cloud| cloud.credential_process(&one.credentials)));
    match json {
        Some(json) => written(print_result(&format!("{}\n", json.reveal().trim_end()))),
        None => Err(Error::new(
            &codes::USAGE,
            format!("the target `{name}` has type `{kind}`, whose SDKs know no credential process"),
        )
        .with_help("select an AWS target with -t")
        .into()),
    }
}
