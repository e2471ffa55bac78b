//! Reading an entry of an `allow` list: what every identity adapter asks of its keys.

use serde_json::{Map, Value as Json};

use crate::codes;
use crate::error::Error;
use crate::suggest::nearest;

/// An entry's table, and every problem that was found in it so far.
#[derive(Debug)]
pub struct AllowEntry<'a> {
    table: Option<&'a Map<String, Json>>,
    errors: Vec<Error>,
}

impl<'a> AllowEntry<'a> {
    /// Notes every key that entries of this CI system (`GitLab`) do not have.
    pub fn new(entry: &'a Json, system: &str, keys: &[&str]) -> Self {
        let mut this = Self { table: entry.as_object(), errors: Vec::new() };
        for key in this.keys().filter(|key| !keys.contains(key)).collect::<Vec<_>>() {
            let help = nearest(key, keys.iter().copied()).map_or_else(
                || format!("{system} entries have {}", keys.join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            this.fail(key, format!("`{key}` is not a key of a {system} entry"), help);
        }
        this
    }

    fn keys(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.table.into_iter().flat_map(Map::keys).map(String::as_str)
    }

    /// The value as written.
    pub fn get(&self, key: &str) -> Option<&'a Json> {
        self.table?.get(key)
    }

    /// Is the key there?
    pub fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Notes a problem with a key; the empty key is the whole entry.
    pub fn fail(&mut self, key: &str, what: impl Into<String>, help: impl Into<String>) {
        self.errors.push(Error::new(&codes::SETTING_INVALID, what).with_setting(key).with_help(help));
    }

    /// A text. Ids (`…_id`) may stand as numbers; `*` is for patterns (`…_pattern`) alone.
    pub fn text(&mut self, key: &str) -> Option<String> {
        let read = match self.get(key)? {
            Json::String(text) => Some(text.clone()),
            Json::Number(number) if key.ends_with("_id") => Some(number.to_string()),
            _ => None,
        };
        match read {
            Some(text) if text.is_empty() => {
                self.fail(key, format!("`{key}` is empty"), "leave the key out, or give it a value");
            }
            Some(text) if text.contains('*') && !key.ends_with("_pattern") => self.fail(
                key,
                format!("`{key}` is taken literally, so `*` in it means an asterisk"),
                "only `branch_pattern` and `tag_pattern` take `*`",
            ),
            Some(text) => return Some(text),
            None => self.fail(key, format!("`{key}` must be a string"), "write it in quotes"),
        }
        None
    }

    /// Exactly one of these keys has to say which of the jobs of `what` (`project`) are meant.
    pub fn one_of(&mut self, jobs: &[&str], what: &str) {
        match jobs.iter().filter(|key| self.has(key)).collect::<Vec<_>>().as_slice() {
            [_] => {}
            [] => self.fail(
                "",
                format!("the entry does not say which of the {what}'s jobs"),
                format!("add one of {}", jobs.join(", ")),
            ),
            [_, second, ..] => self.fail(
                second,
                "the entry says in two ways which jobs are meant",
                format!("keep one of {}; write another entry for the other", jobs.join(", ")),
            ),
        }
    }

    /// The entry for people: `project mygroup/myproject, branch main`.
    pub fn label(&self) -> String {
        let shown = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let parts = self.table.into_iter().flatten().map(|(key, value)| format!("{key} {}", shown(value)));
        parts.collect::<Vec<_>>().join(", ")
    }

    /// Nothing, if nothing is wrong.
    ///
    /// # Errors
    /// Every problem that was noted.
    pub fn checked(&mut self) -> Result<(), Vec<Error>> {
        if self.errors.is_empty() { Ok(()) } else { Err(std::mem::take(&mut self.errors)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_problem_is_noted() {
        let value = json!({"project": "g/*", "project_id": 7, "branhc": "main", "namespace_id": true});
        let mut entry = AllowEntry::new(&value, "GitLab", &["project", "project_id", "namespace_id", "branch", "tag"]);
        assert_eq!(entry.text("project"), None);
        assert_eq!(entry.text("project_id").as_deref(), Some("7"));
        assert_eq!(entry.text("namespace_id"), None);
        entry.one_of(&["branch", "tag"], "project");
        let errors = entry.checked().unwrap_err();
        let settings: Vec<&str> = errors.iter().filter_map(Error::setting).collect();
        assert_eq!(settings, ["branhc", "project", "namespace_id", ""]);
        assert!(errors[0].help()[0].contains("`branch`"));
        assert!(entry.checked().is_ok());
    }
}
