//! The JSON Schema of a layer file, for editors, and the reference page made from it.

use federate_core::NetworkSettings;
use serde_json::{Map, Value as Json, json};

use crate::policy::PolicySection;
use crate::registry::{Registry, settings_schema};

/// The schema (2020-12) of one layer file. Nothing is required, for another layer may set it.
pub fn schema(registry: &Registry) -> Json {
    let identities: Vec<(&str, &str, Json)> =
        registry.identities().iter().map(|kind| (kind.kind, kind.summary, (kind.schema)())).collect();
    let targets: Vec<(&str, &str, Json)> =
        registry.targets().iter().map(|kind| (kind.kind, kind.summary, (kind.schema)())).collect();
    let target_keys = json!({
        "identity": { "type": "string", "description": "Who vouches for the job at this target: a name of [identities.*], an adapter, or `auto`. Default: the profile's `identity`." },
        "matrix": {
            "type": "object",
            "description": "Makes many targets of this table: every combination of the values, `{matrix:KEY}` standing for each. They are called by the table's name and the values, in the order of the keys: `member-111122223333-eu-west-1`. Any other key is a list of values, or a table with `file` and, if it is not called like the key, `column`.",
            "properties": {
                "file": { "type": "string", "description": "A .csv file whose header names the keys, or a .json list of objects: one row a target. From the folder of the layer. A column `name` alone stands in the targets' names." },
                "name": { "type": "string", "description": "What the targets' names are made of: `{matrix:account}`. Default: the column `name` of the file, else all its columns, and the other keys." },
            },
            "additionalProperties": {
                "anyOf": [
                    { "type": "array", "items": { "type": ["string", "integer"] } },
                    { "type": ["string", "integer"] },
                    {
                        "type": "object",
                        "required": ["file"],
                        "additionalProperties": false,
                        "properties": { "file": { "type": "string" }, "column": { "type": "string" } },
                    },
                ],
            },
        },
        "trust": {
            "type": "object",
            "description": "Who is meant to get in.",
            "additionalProperties": false,
            "properties": {
                "allow": {
                    "type": "array",
                    "description": "One table an alternative; all keys of one have to match.",
                    "items": {
                        "type": "object",
                        "required": ["identity"],
                        "properties": { "identity": { "type": "string", "description": "Whose jobs: a name of [identities.*] or an adapter. The other keys are that adapter's." } },
                    },
                },
                "policy": { "type": "string", "description": "The file that holds the trust as it is deployed: a policy, a template, what the cloud's tools print. From the folder of the file that declares it." },
                "only": { "type": "string", "description": "Where that file holds several trust configurations: the one whose name or place has this in it." },
                "ignore": { "type": "object", "additionalProperties": { "type": "string" }, "description": "Lint findings that are meant to be: their id, and the reason." },
                "test": {
                    "type": "array",
                    "description": "What must hold of the trust; `federate trust test` sees to it.",
                    "items": {
                        "type": "object",
                        "additionalProperties": false,
                        "required": ["claims", "expect"],
                        "properties": {
                            "name": { "type": "string", "description": "What people call the test." },
                            "claims": { "anyOf": [{ "type": "object" }, { "type": "string" }], "description": "The payload of a job's token, or the file that holds it." },
                            "expect": { "enum": ["allow", "deny"], "description": "Whether a job with these claims has to get in." },
                            "context": { "type": "object", "description": "Request keys that do not come from the token." },
                            "actions": { "type": "array", "items": { "type": "string" }, "description": "What is to be done; the cloud's usual exchange where it is left out." },
                        },
                    },
                },
            },
        },
    });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "federate profile layer",
        "description": "One layer of a federate profile: base.toml, a profile, or a configuration file of the machine or the user.",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "default_profile": { "type": "string", "description": "base.toml: the profile to use when none is asked for." },
            "default_targets": { "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }], "description": "The targets to use when none is asked for; globs match." },
            "identity": { "type": "string", "description": "Who vouches for the job: `auto` (detect the CI system), a name of [identities.*], or an adapter.", "default": "auto" },
            "extends": { "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }], "description": "Profiles only: profiles to lay below this one." },
            "serve": { "enum": crate::serve::VALUES, "type": "string", "description": "How credentials reach the command of `federate exec` and `federate each`: `never` by an endpoint, `always` by one, or `auto`, where they would end before the job or before `--expect-duration`.", "default": "never" },
            "identities": { "type": "object", "description": "Identity providers by name.", "additionalProperties": section("identity adapter", &identities, &json!({})) },
            "targets": { "type": "object", "description": "Cloud targets by name.", "additionalProperties": section("target adapter", &targets, &target_keys) },
            "network": lenient(settings_schema::<NetworkSettings>(), "Time-outs, tries and extra roots."),
            "policy": lenient(settings_schema::<PolicySection>(), "What the machine's owner allows; in /etc/federate/config.toml and the user's file only."),
        },
    })
}

/// A section whose keys depend on its `type`; without `type` (another layer has it) the keys of all kinds are accepted.
fn section(what: &str, kinds: &[(&str, &str, Json)], extra: &Json) -> Json {
    let names: Vec<&str> = kinds.iter().map(|(kind, ..)| *kind).collect();
    let description =
        kinds.iter().map(|(kind, summary, _)| format!("{kind}: {summary}")).collect::<Vec<_>>().join("\n");
    let type_key =
        json!({ "enum": names, "description": format!("The {what}. Default: the section's own name.\n{description}") });
    let alternatives: Vec<Json> = kinds
        .iter()
        .map(|(kind, summary, schema)| {
            let mut one = lenient(schema.clone(), summary);
            one["title"] = json!(kind);
            let mut properties = one["properties"].as_object().cloned().unwrap_or_default();
            let mut own_type = type_key.clone();
            own_type["const"] = json!(kind);
            properties.insert("type".to_owned(), own_type);
            properties.extend(extra.as_object().cloned().unwrap_or_default());
            one["properties"] = Json::Object(properties);
            one
        })
        .collect();
    json!({ "anyOf": alternatives })
}

fn lenient(mut schema: Json, description: &str) -> Json {
    if let Some(object) = schema.as_object_mut() {
        object.remove("required");
        object.remove("$schema");
        object.remove("title");
        object.insert("description".to_owned(), json!(description));
        object.insert("additionalProperties".to_owned(), json!(false));
    }
    schema
}

/// Writes the keys of the schema as Markdown tables.
pub fn reference(schema: &Json, out: &mut String) {
    let properties = &schema["properties"];
    table(
        out,
        "Top level",
        "",
        properties.as_object().unwrap_or(&Map::new()),
        &["identities", "targets", "network", "policy"],
    );
    for (section, title) in [("identities", "[identities.NAME]"), ("targets", "[targets.NAME]")] {
        for alternative in properties[section]["additionalProperties"]["anyOf"].as_array().into_iter().flatten() {
            let title = format!("`{title}`, `type = {}`", alternative["title"]);
            table(
                out,
                &title,
                text(alternative, "description"),
                alternative["properties"].as_object().unwrap_or(&Map::new()),
                &["type"],
            );
        }
    }
    for section in ["network", "policy"] {
        let part = &properties[section];
        table(
            out,
            &format!("`[{section}]`"),
            text(part, "description"),
            part["properties"].as_object().unwrap_or(&Map::new()),
            &[],
        );
    }
}

fn table(out: &mut String, title: &str, description: &str, properties: &Map<String, Json>, skip: &[&str]) {
    out.push_str(&format!("\n## {title}\n\n"));
    if !description.is_empty() {
        out.push_str(&format!("{description}\n\n"));
    }
    out.push_str("| key | type | meaning |\n| --- | --- | --- |\n");
    for (key, property) in properties.iter().filter(|(key, _)| !skip.contains(&key.as_str())) {
        let meaning = text(property, "description").replace('\n', " ").replace('|', "\\|");
        out.push_str(&format!("| `{key}` | {} | {meaning} |\n", type_name(property)));
        let items = if property["items"]["properties"].is_object() { &property["items"] } else { property };
        for (below, property) in items["properties"].as_object().into_iter().flatten() {
            out.push_str(&format!(
                "| `{key}.{below}` | {} | {} |\n",
                type_name(property),
                text(property, "description").replace('\n', " ").replace('|', "\\|")
            ));
        }
    }
}

fn text<'j>(value: &'j Json, key: &str) -> &'j str {
    value[key].as_str().unwrap_or_default()
}

fn type_name(property: &Json) -> String {
    let name = match &property["type"] {
        Json::String(name) => name.clone(),
        Json::Array(names) => {
            names.iter().filter_map(Json::as_str).filter(|name| *name != "null").collect::<Vec<_>>().join(" or ")
        }
        _ => {
            let alternatives = property["anyOf"].as_array().or_else(|| property["oneOf"].as_array());
            let mut names: Vec<String> =
                alternatives.into_iter().flatten().filter(|one| one["type"] != "null").map(type_name).collect();
            names.dedup();
            names.join(" or ")
        }
    };
    if name == "array" && property["items"]["type"].is_string() {
        format!("list of {}", text(&property["items"], "type"))
    } else {
        name
    }
}
