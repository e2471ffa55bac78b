//! `federate ask-endpoint`: what a profile of a served child names as its `credential_process`.

use std::path::Path;

use super::written;
use crate::endpoint::client::{ask, refusal};
use crate::report::{Failure, print_result};

pub(crate) async fn run(secret_file: &Path, url: &str) -> Result<u8, Failure> {
    let response = ask(url, secret_file).await?;
    if response.status != 200 {
        return Err(refusal(&response).into());
    }
    written(print_result(&format!("{}\n", response.text().trim_end())))
}
