//! Cluster, user and context of a target in a kubeconfig file
//! (<https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/>).

mod document;
mod yaml;

use federate_core::{Error, codes};
use serde_json::{Value as Json, json};

use crate::edited::FILE_UNUSABLE;
use document::Document;

/// What is to stand in the file.
pub(crate) struct Access {
    /// How context, cluster and user are called.
    pub(crate) name: String,
    pub(crate) server: String,
    /// In base64.
    pub(crate) authority: Option<String>,
    pub(crate) namespace: Option<String>,
    pub(crate) use_context: bool,
    /// Program and arguments of the plug-in.
    pub(crate) program: Vec<String>,
    pub(crate) api_version: &'static str,
}

const HINT: &str = "federate is needed to sign in to this cluster: it exchanges the CI job's ID token for a token that the cluster takes.";

fn user(access: &Access) -> Json {
    let (program, arguments) =
        access.program.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
    json!({
        "exec": {
            "apiVersion": access.api_version, "command": program, "args": arguments, "env": null,
            "installHint": HINT, "interactiveMode": "Never", "provideClusterInfo": false,
        },
    })
}

/// Is this a user that this command wrote?
fn is_ours(entry: &Json) -> bool {
    let arguments = entry["user"]["exec"]["args"].as_array().into_iter().flatten();
    arguments.clone().next().is_some_and(|first| first == "kube-token")
}

fn unreadable(why: String) -> Error {
    Error::new(&FILE_UNUSABLE, "the kubeconfig file cannot be changed")
        .with_cause(why)
        .with_help("write a file of its own with --file PATH, and set KUBECONFIG=PATH:OTHER to use both")
}

/// The text with the access in it.
///
/// # Errors
/// `file-unusable`; `usage` where an entry of this name is somebody else's, unless it is to be replaced.
pub(crate) fn with_access(text: &str, access: &Access, replace: bool) -> Result<String, Error> {
    as_it_ends_lines(text, |text| with_access_in(text, access, replace))
}

fn with_access_in(text: &str, access: &Access, replace: bool) -> Result<String, Error> {
    let mut file = Document::parse(text).map_err(unreadable)?;
    let name = &access.name;
    let found = |file: &Document, list: &str| file.entry(list, name).map_err(unreadable);
    let (cluster, context, user_before) =
        (found(&file, "clusters")?, found(&file, "contexts")?, found(&file, "users")?);
    let is_strangers = match (&user_before, &cluster, &context) {
        (Some(user), _, _) => !is_ours(user),
        (None, Some(cluster), _) if cluster["cluster"]["server"] != access.server.as_str() => true,
        (None, _, Some(_)) => true,
        _ => false,
    };
    if is_strangers && !replace {
        return Err(Error::new(
            &codes::USAGE,
            format!("the kubeconfig file has a `{name}` that federate did not write"),
        )
        .with_help("choose another name with --context, or take it over with --force"));
    }
    // Whatever the user set besides (a proxy, a server name for TLS) stays.
    let mut cluster = kept(cluster, "cluster", name);
    cluster["cluster"]["server"] = json!(access.server);
    for outdated in ["certificate-authority", "certificate-authority-data", "insecure-skip-tls-verify"] {
        if let Some(keys) = cluster["cluster"].as_object_mut() {
            keys.remove(outdated);
        }
    }
    if let Some(authority) = &access.authority {
        cluster["cluster"]["certificate-authority-data"] = json!(authority);
    }
    let mut context = kept(context, "context", name);
    context["context"]["cluster"] = json!(name);
    context["context"]["user"] = json!(name);
    if let Some(namespace) = &access.namespace {
        context["context"]["namespace"] = json!(namespace);
    }
    let user = json!({ "name": name, "user": user(access) });
    let mut change = || -> Result<(), String> {
        for (key, value) in [("apiVersion", "v1"), ("kind", "Config")] {
            if file.get(key).is_none() {
                file.set(key, value)?;
            }
        }
        for (list, entry) in [("clusters", &cluster), ("contexts", &context), ("users", &user)] {
            file.set_entry(list, name, entry)?;
        }
        if access.use_context || file.get("current-context").is_none_or(|current| current.is_empty()) {
            file.set("current-context", name)?;
        }
        Ok(())
    };
    change().map_err(unreadable)?;
    Ok(file.text())
}

fn kept(entry: Option<Json>, key: &str, name: &str) -> Json {
    entry.filter(|entry| entry[key].is_object()).unwrap_or_else(|| json!({ "name": name, key: {} }))
}

/// The text without what [`with_access`] wrote for this name.
///
/// # Errors
/// `file-unusable`.
pub(crate) fn without_access(text: &str, name: &str) -> Result<String, Error> {
    as_it_ends_lines(text, |text| without_access_in(text, name))
}

/// Changes a text; what ends every line with a carriage return goes on to do so.
fn as_it_ends_lines(text: &str, change: impl FnOnce(&str) -> Result<String, Error>) -> Result<String, Error> {
    let has_returns = text.contains('\n') && text.split_inclusive('\n').all(|line| line.ends_with("\r\n"));
    if !has_returns {
        return change(text);
    }
    Ok(change(&text.replace("\r\n", "\n"))?.replace('\n', "\r\n"))
}

fn without_access_in(text: &str, name: &str) -> Result<String, Error> {
    let mut file = Document::parse(text).map_err(unreadable)?;
    let ours = file.entry("users", name).map_err(unreadable)?.is_some_and(|user| is_ours(&user));
    if !ours {
        return Ok(text.to_owned());
    }
    let mut change = || -> Result<(), String> {
        file.remove_entry("users", name)?;
        let context = file.entry("contexts", name)?;
        if context.is_some_and(|context| context["context"]["user"] == name) {
            file.remove_entry("contexts", name)?;
        }
        let is_used = |context: &String| {
            file.entry("contexts", context)
                .is_ok_and(|entry| entry.is_some_and(|entry| entry["context"]["cluster"] == name))
        };
        if !file.names("contexts").iter().any(is_used) {
            file.remove_entry("clusters", name)?;
        }
        if file.get("current-context").as_deref() == Some(name) {
            file.set("current-context", "")?;
        }
        Ok(())
    };
    change().map_err(unreadable)?;
    Ok(file.text())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access() -> Access {
        Access {
            name: "prod".to_owned(),
            server: "https://prod.example".to_owned(),
            authority: Some("Y2E=".to_owned()),
            namespace: Some("web".to_owned()),
            use_context: false,
            program: ["/opt/federate", "kube-token", "-t", "aws"].map(str::to_owned).to_vec(),
            api_version: "client.authentication.k8s.io/v1",
        }
    }

    #[test]
    fn a_new_file_is_whole() {
        let text = with_access("", &access(), false).unwrap();
        insta::assert_snapshot!(text);
        assert_eq!(with_access(&text, &access(), false).unwrap(), text, "written twice is written once");
        let removed = without_access(&text, "prod").unwrap();
        assert_eq!(
            removed,
            "apiVersion: v1\nkind: Config\nclusters: []\ncontexts: []\nusers: []\ncurrent-context: \"\"\n"
        );
        assert_eq!(without_access(&removed, "prod").unwrap(), removed);
    }

    #[test]
    fn what_the_user_set_besides_stays() {
        let own = with_access("", &access(), false)
            .unwrap()
            .replace("    server:", "    proxy-url: http://p.example\n    server:");
        let moved = Access { server: "https://new.example".to_owned(), authority: None, ..access() };
        let text = with_access(&own, &moved, false).unwrap();
        assert!(text.contains("proxy-url: http://p.example") && text.contains("https://new.example"), "{text}");
        assert!(!text.contains("Y2E="), "{text}");
    }

    #[test]
    fn carriage_returns_stay() {
        let own = "# mine\r\nkind: Config\r\nclusters: []\r\ncontexts: []\r\nusers: []\r\ncurrent-context: \"\"\r\napiVersion: v1\r\n";
        let text = with_access(own, &access(), false).unwrap();
        assert!(text.contains("- name: prod\r\n") && text.lines().count() == text.matches("\r\n").count(), "{text:?}");
        assert_eq!(without_access(&text, "prod").unwrap(), own);
    }

    #[test]
    fn a_strangers_entry_is_taken_over_only_if_asked() {
        for text in [
            "users:\n- name: prod\n  user:\n    token: x\n",
            "clusters:\n- name: prod\n  cluster:\n    server: https://other.example\n",
            "contexts:\n- name: prod\n  context:\n    user: other\n",
        ] {
            let error = with_access(text, &access(), false).unwrap_err();
            assert!(error.what().contains("did not write"), "{text}");
            assert!(with_access(text, &access(), true).unwrap().contains("kube-token"));
            assert_eq!(without_access(text, "prod").unwrap(), text);
        }
        assert_eq!(with_access("users: [{name: x}]", &access(), true).unwrap_err().code().name, "file-unusable");
    }
}
