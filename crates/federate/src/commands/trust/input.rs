//! Files that the trust commands read.

use std::io::Read as _;
use std::path::Path;

use federate_core::suggest::nearest;
use federate_core::{Claims, Error, IdToken, Secret, codes};
use federate_trust::{Located, TRUST_DOCUMENT, TrustModel};
use serde_json::Value as Json;

use crate::registry::trust_models;

/// No trust configuration or payload is larger; what is, is something else.
const LARGEST: u64 = 64 * 1024 * 1024;

/// A file's text; `-` is stdin.
pub(super) fn text(path: &Path) -> Result<String, Error> {
    let failed = |error: std::io::Error| {
        Error::new(&codes::USAGE, format!("{} cannot be read", path.display())).with_cause(error.to_string())
    };
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        std::io::stdin().take(LARGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
    } else {
        std::fs::File::open(path).map_err(failed)?.take(LARGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
    }
    if bytes.len() as u64 > LARGEST {
        return Err(Error::new(&codes::USAGE, format!("{} is larger than 64 MiB", path.display())));
    }
    String::from_utf8(bytes).map_err(|_| Error::new(&codes::USAGE, format!("{} is not UTF-8 text", path.display())))
}

/// A file's JSON.
pub(super) fn json(path: &Path) -> Result<Json, Error> {
    let text = text(path)?;
    serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|error| {
        Error::new(&TRUST_DOCUMENT, format!("{} is not JSON", path.display()))
            .with_cause(error.to_string())
            .with_origin(format!("{}:{}", path.display(), error.line()))
    })
}

/// The models to look with.
pub(super) fn models(cloud: Option<&str>) -> Result<Vec<&'static dyn TrustModel>, Error> {
    let Some(cloud) = cloud else { return Ok(trust_models().to_vec()) };
    let found: Vec<_> = trust_models().iter().copied().filter(|model| model.kind() == cloud).collect();
    if found.is_empty() {
        let known: Vec<&str> = trust_models().iter().map(|model| model.kind()).collect();
        let mut error = Error::new(&codes::USAGE, format!("no trust of a cloud `{cloud}` is known"))
            .with_help(format!("known are {}", known.join(", ")));
        if let Some(near) = nearest(cloud, known) {
            error = error.with_help(format!("did you mean `{near}`?"));
        }
        return Err(error);
    }
    Ok(found)
}

/// Every trust configuration in a file.
pub(super) fn documents(path: &Path, cloud: Option<&str>) -> Result<Vec<Located>, Vec<Error>> {
    let models = models(cloud).map_err(|error| vec![error])?;
    let value = json(path).map_err(|error| vec![error])?;
    let mut found = Vec::new();
    for model in models {
        found.extend(model.documents(&value).map_err(|errors| {
            let place = |error: Error| match error.origin().map(str::to_owned) {
                Some(origin) => error.with_origin(format!("{}, {origin}", path.display())),
                None => error.with_origin(path.display().to_string()),
            };
            errors.into_iter().map(place).collect::<Vec<_>>()
        })?);
    }
    if found.is_empty() {
        return Err(vec![Error::new(&TRUST_DOCUMENT, format!("{} holds no trust configuration", path.display()))
            .with_help("for AWS give a role's trust policy or what `aws iam get-role` prints; for Azure what `az ad app federated-credential list` or `az identity federated-credential list` prints; for Google Cloud what `gcloud iam workload-identity-pools providers describe` or `list` prints with --format=json")]);
    }
    Ok(found)
}

/// The one trust configuration in a file; `only` chooses among several. `how` says how to choose.
pub(crate) fn document(path: &Path, cloud: Option<&str>, only: Option<&str>, how: &str) -> Result<Located, Vec<Error>> {
    let mut found = documents(path, cloud)?;
    if let Some(only) = only {
        found.retain(|located| located.place.contains(only));
    }
    if found.len() == 1 {
        return Ok(found.remove(0));
    }
    let places: Vec<&str> = found.iter().map(|located| located.place.as_str()).collect();
    let error = match only {
        Some(only) if places.is_empty() => {
            Error::new(&TRUST_DOCUMENT, format!("no trust configuration in {} is named `{only}`", path.display()))
        }
        _ => Error::new(&TRUST_DOCUMENT, format!("{} holds {} trust configurations", path.display(), places.len()))
            .with_help(format!("choose one with {how}: {}", places.join("; "))),
    };
    Err(vec![error])
}

/// A payload: a token's claims, what `federate token -o json` prints, or the token itself.
pub(crate) fn claims(path: &Path) -> Result<Claims, Error> {
    let text = text(path)?;
    let text = text.trim();
    if IdToken::looks_like_one(text) {
        let token = IdToken::parse(Secret::new(text), path.display().to_string())?;
        return Ok(Claims::clone(token.claims()));
    }
    let value: Json = serde_json::from_str(text).map_err(|error| {
        Error::new(&codes::USAGE, format!("the claims in {} are not JSON", path.display()))
            .with_cause(error.to_string())
            .with_origin(format!("{}:{}", path.display(), error.line()))
    })?;
    payload(&value, path)
}

/// A JSON value that is a payload, or has one in `claims`.
pub(super) fn payload(value: &Json, path: &Path) -> Result<Claims, Error> {
    let payload = match value.get("claims") {
        Some(inner @ Json::Object(_)) if value.get("iss").is_none() => inner,
        _ => value,
    };
    let Some(payload) = payload.as_object() else {
        return Err(Error::new(&codes::USAGE, format!("the claims in {} are not an object", path.display()))
            .with_help("give a token's payload, as `federate token` prints it"));
    };
    Ok(Claims::new(payload.clone()))
}
