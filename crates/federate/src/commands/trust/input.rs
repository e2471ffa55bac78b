//! Files that the trust commands read.

use std::io::Read as _;
use std::path::Path;

use federate_core::suggest::nearest;
use federate_core::{Claims, Error, IdToken, Secret, codes};
use federate_trust::{Located, TRUST_DOCUMENT, TrustModel};
use serde_json::Value as Json;

use super::source::Source;
use crate::registry::trust_models;

/// No trust configuration or payload is larger; what is, is something else.
const LARGEST: u64 = 64 * 1024 * 1024;

/// A file's text; `-` is stdin.
pub(super) fn text(path: &Path) -> Result<String, Error> {
    let failed = |error: std::io::Error| {
        Error::new(&codes::USAGE, format!("{} cannot be read", name(path))).with_cause(error.to_string())
    };
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        std::io::stdin().take(LARGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
    } else {
        std::fs::File::open(path).map_err(failed)?.take(LARGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
    }
    if bytes.len() as u64 > LARGEST {
        return Err(Error::new(&codes::USAGE, format!("{} is larger than 64 MiB", name(path))));
    }
    decoded(bytes).ok_or_else(|| Error::new(&codes::USAGE, format!("{} is not UTF-8 text", name(path))))
}

/// UTF-8, or UTF-16 with its mark, which is what `>` writes in Windows PowerShell.
fn decoded(bytes: Vec<u8>) -> Option<String> {
    let unit: fn([u8; 2]) -> u16 = match bytes.get(..2) {
        Some([0xff, 0xfe]) => u16::from_le_bytes,
        Some([0xfe, 0xff]) => u16::from_be_bytes,
        _ => return String::from_utf8(bytes).ok(),
    };
    let (units, rest) = bytes[2..].as_chunks::<2>();
    let units: Vec<u16> = units.iter().copied().map(unit).collect();
    if rest.is_empty() { String::from_utf16(&units).ok() } else { None }
}

/// A file's JSON.
pub(super) fn json(path: &Path) -> Result<Json, Error> {
    let text = text(path)?;
    serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|error| {
        Error::new(&TRUST_DOCUMENT, format!("{} is not JSON", name(path)))
            .with_cause(error.to_string())
            .with_origin(format!("{}:{}", name(path), error.line()))
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

/// A file as JSON or YAML.
pub(super) fn source(path: &Path) -> Result<Source, Error> {
    text(path).and_then(|text| Source::read(path, text))
}

/// Every trust configuration in a file that was read; it may hold none.
pub(super) fn documents_in(source: &Source, cloud: Option<&str>) -> Result<Vec<Located>, Vec<Error>> {
    let mut found = Vec::new();
    for model in models(cloud).map_err(|error| vec![error])? {
        let documents = model.documents(&source.value);
        found.extend(
            documents.map_err(|errors| errors.into_iter().map(|error| source.locate(error)).collect::<Vec<_>>())?,
        );
    }
    Ok(found)
}

/// Every trust configuration in a file.
pub(super) fn documents(path: &Path, cloud: Option<&str>) -> Result<(Source, Vec<Located>), Vec<Error>> {
    models(cloud).map_err(|error| vec![error])?;
    let source = source(path).map_err(|error| vec![error])?;
    let found = documents_in(&source, cloud)?;
    // A plan or state says all there is to say; that no role is in it is no mistake.
    if found.is_empty() && !federate_trust::terraform::is_one(&source.value) {
        let mut others = trust_models().iter().filter(|model| cloud.is_some_and(|cloud| model.kind() != cloud));
        let other = others.find(|model| model.documents(&source.value).is_ok_and(|found| !found.is_empty()));
        if let (Some(cloud), Some(other)) = (cloud, other) {
            let message =
                format!("{} holds no trust configuration of {cloud}, but one of {}", name(path), other.kind());
            return Err(vec![
                Error::new(&TRUST_DOCUMENT, message)
                    .with_help(format!("give a file of {cloud}, or judge this one as {}", other.kind()))
                    .with_origin(name(path)),
            ]);
        }
        return Err(vec![Error::new(&TRUST_DOCUMENT, format!("{} holds no trust configuration", name(path)))
            .with_help("for AWS give a role's trust policy or what `aws iam get-role` prints; for Azure what `az ad app federated-credential list` or `az identity federated-credential list` prints; for Google Cloud what `gcloud iam workload-identity-pools providers describe` or `list` prints with --format=json; or a template, plan or state that holds one")
            .with_origin(name(path))]);
    }
    Ok((source, found))
}

/// A file in messages. What a profile names comes absolute from its loader, and is told shorter.
pub(super) fn name(path: &Path) -> String {
    if path.is_absolute() { shown(path) } else { path.display().to_string() }
}

/// A path as people write it here: from the working directory where it is below it, and without `..`.
pub(crate) fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let real = path.canonicalize().ok();
    let real_here = here.canonicalize().unwrap_or_else(|_| here.clone());
    let below = real.as_deref().and_then(|path| path.strip_prefix(&real_here).ok());
    below.unwrap_or_else(|| path.strip_prefix(&here).unwrap_or(path)).display().to_string()
}

/// The one trust configuration in a file; `only` chooses among several. `how` says how to choose.
pub(crate) fn document(path: &Path, cloud: Option<&str>, only: Option<&str>, how: &str) -> Result<Located, Vec<Error>> {
    let (_, mut found) = documents(path, cloud)?;
    let all: Vec<String> =
        found.iter().map(|located| located.place.clone()).filter(|place| !place.is_empty()).collect();
    if let Some(only) = only {
        found.retain(|located| located.place.contains(only));
    }
    if found.len() == 1 {
        return Ok(found.remove(0));
    }
    let places: Vec<&str> =
        found.iter().map(|located| located.place.as_str()).filter(|place| !place.is_empty()).collect();
    let error = match only {
        Some(only) if found.is_empty() => unnamed(path, only, &all),
        _ if found.is_empty() => Error::new(&TRUST_DOCUMENT, format!("{} holds no trust configuration", name(path))),
        _ if places.is_empty() => {
            Error::new(&TRUST_DOCUMENT, format!("{} holds {} trust configurations", name(path), found.len()))
                .with_help("none of them has a name to choose it by: put each into a file of its own")
        }
        _ => Error::new(&TRUST_DOCUMENT, format!("{} holds {} trust configurations", name(path), found.len()))
            .with_help(format!("choose one with {how}: {}", places.join("; "))),
    };
    Err(vec![error])
}

/// Nothing in the file is called like `only`.
pub(super) fn unnamed(path: &Path, only: &str, there: &[String]) -> Error {
    let error = Error::new(&TRUST_DOCUMENT, format!("no trust configuration in {} is named `{only}`", name(path)));
    if there.is_empty() { error } else { error.with_help(format!("there are {}", there.join("; "))) }
}

/// A payload: a token's claims, what `federate token -o json` prints, or the token itself.
pub(crate) fn claims(path: &Path) -> Result<Claims, Error> {
    let text = text(path)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text).trim();
    if text.is_empty() {
        return Err(Error::new(&codes::USAGE, format!("{} is empty, and should hold claims", name(path)))
            .with_origin(name(path)));
    }
    if IdToken::looks_like_one(text) {
        let token = IdToken::parse(Secret::new(text), name(path))?;
        return Ok(Claims::clone(token.claims()));
    }
    let value: Json = serde_json::from_str(text).map_err(|error| {
        Error::new(&codes::USAGE, format!("the claims in {} are not JSON", name(path)))
            .with_cause(error.to_string())
            .with_origin(format!("{}:{}", name(path), error.line()))
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
        return Err(Error::new(&codes::USAGE, format!("the claims in {} are not an object", name(path)))
            .with_origin(format!("{}:1", name(path)))
            .with_help("give a token's payload, as `federate token` prints it"));
    };
    Ok(Claims::new(payload.clone()))
}
