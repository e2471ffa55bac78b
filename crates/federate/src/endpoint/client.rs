//! Asking an endpoint: for a profile's `credential_process`, and for `federate whoami` inside of it.

use std::path::Path;
use std::time::{Duration, Instant};

use federate_core::policy::is_loopback;
use federate_core::{Env, Error, Http as _, NetworkSettings, Reach, Request, Response, Secret, codes};
use url::Url;

/// Longer than an exchange that meets one slow answer, shorter than a person's patience.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks an endpoint on this machine; the file holds its secret.
///
/// # Errors
/// `usage` for any other address, and where the file cannot be read: the endpoint is gone.
pub(crate) async fn ask(url: &str, secret_file: &Path) -> Result<Response, Error> {
    let own = Url::parse(url).ok().filter(|url| url.scheme() == "http" && url.host().as_ref().is_some_and(is_loopback));
    let Some(url) = own else {
        return Err(Error::new(&codes::USAGE, format!("`{url}` is not the address of an endpoint of federate")));
    };
    let secret = std::fs::read_to_string(secret_file).map_err(|error| {
        Error::new(&codes::USAGE, format!("the endpoint's token file {} cannot be read", secret_file.display()))
            .with_cause(error.to_string())
            .with_help("it lives as long as the `federate exec` or `federate serve` that made it; start a new one")
    })?;
    let request = Request::get("the endpoint's answer", url, Reach::BuiltIn)
        .with_header("authorization", Secret::new(secret.trim()))
        .with_header("accept", "application/json");
    // Neither proxies nor the sandbox's rerouting have a part in this.
    let client = federate_http::Client::new(&NetworkSettings::default(), &Env::default())?;
    client.send(&request, Instant::now() + PATIENCE).await
}

/// Why the endpoint gave nothing, in its own words.
pub(crate) fn refusal(response: &Response) -> Error {
    let document: serde_json::Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let message = document["message"].as_str().unwrap_or("it did not say why");
    let code = if response.status >= 500 { &codes::SERVICE_ERROR } else { &codes::USAGE };
    Error::new(code, format!("federate's endpoint answered {}: {message}", response.status))
}
