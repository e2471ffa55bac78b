//! An AWS config file for a child that is several roles at once.
//!
//! The user's own settings stay (regions, output, retries); whatever would bring other credentials goes.

use federate_core::{Credentials, Secret};

/// Keys that make or lead to credentials.
pub(crate) fn is_credential_key(key: &str) -> bool {
    const KEYS: &[&str] = &[
        "aws_access_key_id",
        "aws_secret_access_key",
        "aws_session_token",
        "aws_security_token",
        "aws_account_id",
        "role_arn",
        "source_profile",
        "credential_source",
        "credential_process",
        "web_identity_token_file",
        "mfa_serial",
        "external_id",
        "role_session_name",
        "duration_seconds",
        "login_session",
    ];
    KEYS.contains(&key) || key.starts_with("sso_")
}

/// A section: its heading without brackets, and its lines.
struct Section {
    name: String,
    lines: Vec<String>,
}

/// An option's key as Python reads it: in any case, before either sign.
pub(crate) fn key_of(line: &str) -> String {
    line.split(['=', ':']).next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn sections(text: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    let mut dropping_nested = false;
    for line in text.lines() {
        let trimmed = line.trim();
        if let Some(name) = trimmed.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            sections.push(Section { name: name.split_whitespace().collect::<Vec<_>>().join(" "), lines: Vec::new() });
            dropping_nested = false;
            continue;
        }
        let Some(section) = sections.last_mut() else { continue };
        let is_nested = line.starts_with([' ', '\t']);
        if !is_nested {
            dropping_nested = is_credential_key(&key_of(line));
        }
        if !dropping_nested {
            section.lines.push(line.to_owned());
        }
    }
    sections
}

/// What stands in a target's profile, key by key.
type Lines = Vec<(&'static str, String)>;

/// The file: the user's, with one profile a target that holds its credentials.
pub(crate) fn merged(user: Option<&str>, targets: &[(&str, &Credentials)]) -> Secret {
    let lines = |credentials: &Credentials| -> Lines {
        [
            ("aws_access_key_id", credentials.plain("access_key_id")),
            ("aws_secret_access_key", credentials.secret("secret_access_key").map(Secret::reveal)),
            ("aws_session_token", credentials.secret("session_token").map(Secret::reveal)),
            ("aws_account_id", credentials.plain("account")),
            ("region", credentials.plain("region")),
        ]
        .into_iter()
        .filter_map(|(key, value)| Some((key, value?.to_owned())))
        .collect()
    };
    with_profiles(user, targets.iter().map(|(target, credentials)| (*target, lines(credentials))))
}

/// The file: the user's, with one profile a target whose credentials a command prints.
pub(crate) fn asking(user: Option<&str>, targets: &[(&str, &Credentials, String)]) -> Secret {
    let lines = |credentials: &Credentials, command: &str| -> Lines {
        let region = credentials.plain("region").map(|region| ("region", region.to_owned()));
        std::iter::once(("credential_process", command.to_owned())).chain(region).collect()
    };
    with_profiles(user, targets.iter().map(|(target, credentials, command)| (*target, lines(credentials, command))))
}

fn with_profiles<'t>(user: Option<&str>, targets: impl Iterator<Item = (&'t str, Lines)>) -> Secret {
    let mut kept: Vec<Section> = sections(user.unwrap_or_default())
        .into_iter()
        .filter(|section| !section.name.starts_with("sso-session"))
        .collect();
    for (target, lines) in targets {
        let name = if target == "default" { "default".to_owned() } else { format!("profile {target}") };
        let at = kept.iter().position(|section| section.name == name).unwrap_or_else(|| {
            kept.push(Section { name, lines: Vec::new() });
            kept.len() - 1
        });
        let section = &mut kept[at];
        section.lines.retain(|line| {
            let is_nested = line.starts_with([' ', '\t']);
            is_nested || !lines.iter().any(|(own, _)| key_of(line) == *own)
        });
        section.lines.splice(0..0, lines.into_iter().map(|(key, value)| format!("{key} = {value}")));
    }
    let mut text = String::new();
    for section in kept {
        text.push_str(&format!("[{}]\n", section.name));
        for line in section.lines {
            text.push_str(&line);
            text.push('\n');
        }
    }
    Secret::new(text)
}

/// The values of a target's profile in a file made by [`merged`].
pub(crate) fn profile(text: &str, target: &str) -> Vec<(String, String)> {
    let heading = if target == "default" { "[default]".to_owned() } else { format!("[profile {target}]") };
    let lines = text.lines().skip_while(|line| *line != heading).skip(1).take_while(|line| !line.starts_with('['));
    lines
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(secret: &str) -> Credentials {
        Credentials::new("aws", None)
            .with_plain("access_key_id", "ASIA1")
            .with_secret("secret_access_key", Secret::new(secret))
            .with_secret("session_token", Secret::new("t"))
            .with_plain("region", "eu-west-1")
    }

    #[test]
    fn the_users_settings_stay_and_their_credentials_go() {
        let user = "[default]\nregion = us-east-1\naws_secret_access_key = canary\ns3 =\n  max_concurrent_requests = 20\nsso_session = x\n\n[sso-session x]\nsso_start_url = https://x\n\
                    [profile prod]\nrole_arn = arn:x\nsource_profile = default\noutput = json\nregion = us-east-2\n[profile other]\ncredential_process = /bin/evil\nretry_mode = adaptive\n";
        let file = merged(Some(user), &[("prod", &credentials("s1")), ("dev", &credentials("s2"))]);
        let text = file.reveal();
        for gone in ["canary", "sso", "arn:x", "source_profile", "/bin/evil", "us-east-2"] {
            assert!(!text.contains(gone), "{gone}: {text}");
        }
        for kept in ["region = us-east-1", "  max_concurrent_requests = 20", "output = json", "retry_mode = adaptive"] {
            assert!(text.contains(kept), "{kept}: {text}");
        }
        assert!(profile(text, "prod").contains(&("aws_secret_access_key".into(), "s1".into())));
        assert!(profile(text, "dev").contains(&("aws_secret_access_key".into(), "s2".into())));
        assert!(profile(text, "unknown").is_empty());
    }

    #[test]
    fn keys_are_known_however_they_are_written() {
        let user = "[profile dev]\nRegion = us-east-1\nAws_Session_Token: canary\ns3 =\n  region = nested\n";
        let file = merged(Some(user), &[("dev", &credentials("s"))]);
        let text = file.reveal();
        assert!(!text.contains("canary") && !text.contains("Region"), "{text}");
        assert!(text.contains("region = eu-west-1\ns3 =\n  region = nested\n"), "{text}");
    }

    #[test]
    fn a_profile_that_asks_holds_no_key_and_the_default_one_gets_nobodys() {
        let user = "[default]\nregion = us-east-1\naws_access_key_id = AKIAFOREIGN\ncredential_process = /bin/evil\n[profile audit]\noutput = json\nrole_arn = x\n";
        let one = credentials("canary");
        let file = asking(Some(user), &[("audit", &one, "federate ask-endpoint f u".to_owned())]);
        let text = file.reveal();
        for gone in ["canary", "AKIAFOREIGN", "/bin/evil", "role_arn"] {
            assert!(!text.contains(gone), "{gone}: {text}");
        }
        assert_eq!(profile(text, "default"), [("region".to_owned(), "us-east-1".to_owned())]);
        let audit = profile(text, "audit");
        assert_eq!(audit[0], ("credential_process".to_owned(), "federate ask-endpoint f u".to_owned()));
        assert!(audit.contains(&("output".to_owned(), "json".to_owned())));
    }
}
