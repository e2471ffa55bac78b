//! `federate credential-process`: what an AWS SDK asks of a program named in its config file.

use federate_core::{Error, codes};

use super::{only_target, written};
use crate::args::CredentialProcess;
use crate::cache::obtain;
use crate::report::{Failure, print_result};
use crate::setup::Start;

pub(crate) async fn run(start: &Start, arguments: CredentialProcess) -> Result<u8, Failure> {
    let profile = start.load(&[])?;
    let name = only_target(&profile, &arguments.targets.target, "credential-process")?;
    let kind = profile.target_kind(&name).unwrap_or_default().to_owned();
    let unknown = || {
        let what = format!("the target `{name}` has type `{kind}`, whose SDKs know no credential process");
        Error::new(&codes::USAGE, what).with_help("select an AWS target with -t")
    };
    let config = start.registry.cloud(&kind).and_then(|cloud| cloud.sdk_config()).ok_or_else(unknown)?;
    let obtained = obtain(start, &profile, &name, arguments.cache).await?;
    let json = config.credential_process(&obtained.credentials).ok_or_else(unknown)?;
    written(print_result(&format!("{}\n", json.reveal().trim_end())))
}
