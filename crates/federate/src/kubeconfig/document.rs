//! Changing a kubeconfig file so that every line stays that has not to change.
//!
//! Lines are replaced, and the result is read again: only what says exactly what was meant is written. What is written in
//! another style than kubectl's is refused, unless it is JSON, which has no comments to lose.

use serde_json::{Map, Value as Json, json};

use super::yaml::{self, Node, Value, block, scalar};

/// A kubeconfig file.
pub(super) enum Document {
    Yaml { text: String, root: Option<Node> },
    Json { root: Map<String, Json>, before: String },
}

const STYLE: &str = "it is written in a style that cannot be changed line by line";

impl Document {
    /// Reads a file.
    ///
    /// # Errors
    /// Why it cannot be changed.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.trim_start().starts_with('{') {
            let root = serde_json::from_str(text).map_err(|_| STYLE.to_owned())?;
            return Ok(Self::Json { root, before: text.to_owned() });
        }
        let root = yaml::parse(text)?.filter(|root| !root.is_null());
        match root.as_ref().map(|root| (&root.value, root.is_flow)) {
            None | Some((Value::Mapping(_), false)) => Ok(Self::Yaml { text: text.to_owned(), root }),
            _ => Err("it is not a kubeconfig file".to_owned()),
        }
    }

    /// The file's text.
    pub(super) fn text(self) -> String {
        match self {
            Self::Yaml { text, .. } => text,
            Self::Json { root, before } => {
                let is_same = serde_json::from_str::<Map<String, Json>>(&before).is_ok_and(|old| old == root);
                if is_same { before } else { format!("{:#}\n", Json::Object(root)) }
            }
        }
    }

    /// A text at the top.
    pub(super) fn get(&self, key: &str) -> Option<String> {
        match self {
            Self::Yaml { root, .. } => root.as_ref()?.get(key)?.text().map(str::to_owned),
            Self::Json { root, .. } => root.get(key)?.as_str().map(str::to_owned),
        }
    }

    /// The names of a list's entries.
    pub(super) fn names(&self, list: &str) -> Vec<String> {
        match self {
            Self::Yaml { .. } => {
                self.items(list).iter().filter_map(|item| item.get("name")?.text().map(str::to_owned)).collect()
            }
            Self::Json { root, .. } => {
                let items = root.get(list).and_then(Json::as_array).into_iter().flatten();
                items.filter_map(|item| item["name"].as_str().map(str::to_owned)).collect()
            }
        }
    }

    /// An entry of a list: `clusters`, `contexts`, `users`.
    ///
    /// # Errors
    /// Where it is written in a way that JSON cannot say.
    pub(super) fn entry(&self, list: &str, name: &str) -> Result<Option<Json>, String> {
        match self {
            Self::Yaml { .. } => match self.items(list).iter().find(|item| is_named(item, name)) {
                Some(item) => item.json().map(Some).ok_or_else(|| STYLE.to_owned()),
                None => Ok(None),
            },
            Self::Json { root, .. } => {
                let items = root.get(list).and_then(Json::as_array).into_iter().flatten();
                Ok(items.into_iter().find(|item| item["name"] == name).cloned())
            }
        }
    }

    /// Writes an entry; nothing happens if it says that already.
    ///
    /// # Errors
    /// Where the file's style does not allow it.
    pub(super) fn set_entry(&mut self, list: &str, name: &str, entry: &Json) -> Result<(), String> {
        if self.entry(list, name)?.as_ref() == Some(entry) {
            return Ok(());
        }
        match self {
            Self::Json { root, .. } => {
                let items = root.entry(list.to_owned()).or_insert(Json::Null);
                if items.is_null() {
                    *items = json!([]);
                }
                let items = items.as_array_mut().ok_or(STYLE)?;
                match items.iter_mut().find(|item| item["name"] == name) {
                    Some(item) => *item = entry.clone(),
                    None => items.push(entry.clone()),
                }
                Ok(())
            }
            Self::Yaml { .. } => self.replace(list, name, Some(entry)),
        }
    }

    /// Removes an entry.
    ///
    /// # Errors
    /// As [`Document::set_entry`].
    pub(super) fn remove_entry(&mut self, list: &str, name: &str) -> Result<(), String> {
        match self {
            Self::Json { root, .. } => {
                if let Some(items) = root.get_mut(list).and_then(Json::as_array_mut) {
                    items.retain(|item| item["name"] != name);
                }
                Ok(())
            }
            Self::Yaml { .. } if self.entry(list, name)?.is_none() => Ok(()),
            Self::Yaml { .. } => self.replace(list, name, None),
        }
    }

    /// Sets a text at the top.
    ///
    /// # Errors
    /// As [`Document::set_entry`].
    pub(super) fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        if self.get(key).as_deref() == Some(value) {
            return Ok(());
        }
        match self {
            Self::Json { root, .. } => {
                root.insert(key.to_owned(), value.into());
                Ok(())
            }
            Self::Yaml { text, root } => {
                let line = format!("{key}: {}", scalar(value));
                let found = root.as_ref().and_then(|root| place(root, key));
                let mut lines = lines(text);
                match found {
                    Some((key_node, old)) if key_node.first == old.last && old.text().is_some() => {
                        let end = comment(&lines[old.last]);
                        lines[old.last] = format!("{line}{end}\n");
                    }
                    Some(_) => return Err(STYLE.to_owned()),
                    None => push(&mut lines, line),
                }
                let mut expected = root.clone();
                put(&mut expected, key, yaml::parse(&scalar(value))?.ok_or(STYLE)?);
                self.accept(lines, expected)
            }
        }
    }

    fn items(&self, list: &str) -> &[Node] {
        match self {
            Self::Yaml { root: Some(root), .. } => match root.get(list).map(|node| &node.value) {
                Some(Value::Sequence(items)) => items,
                _ => &[],
            },
            _ => &[],
        }
    }

    fn replace(&mut self, list: &str, name: &str, entry: Option<&Json>) -> Result<(), String> {
        let Self::Yaml { text, root } = self else { return Ok(()) };
        let mut lines = lines(text);
        let mut expected_items = match root.as_ref().and_then(|root| root.get(list)).map(|node| &node.value) {
            Some(Value::Sequence(items)) => items.clone(),
            _ => Vec::new(),
        };
        let at = expected_items.iter().position(|item| is_named(item, name));
        let written = |indent: usize| entry.map(|entry| block(&json!([entry]), indent)).unwrap_or_default();
        match root.as_ref().and_then(|root| place(root, list)) {
            None => {
                push(&mut lines, format!("{list}:"));
                lines.push(written(0));
            }
            Some((key, found)) if expected_items.is_empty() => {
                if key.first != found.last {
                    return Err(STYLE.to_owned());
                }
                let end = comment(&lines[key.first]);
                lines[key.first] = format!("{list}:{end}\n{}", written(0));
            }
            Some((_, found)) if found.is_flow => return Err(STYLE.to_owned()),
            Some((key, found)) => {
                let item = &expected_items[at.unwrap_or(expected_items.len() - 1)];
                let (first, last) = (dash(&lines, item.first)?, without_blanks(&lines, item.last));
                let indent = lines[first].len() - lines[first].trim_start().len();
                match (at, entry) {
                    (Some(_), Some(_)) => drop(lines.splice(first..=last, [written(indent)])),
                    (Some(_), None) if expected_items.len() == 1 => {
                        drop(lines.splice(first..=last, []));
                        let end = comment(&lines[key.first]);
                        lines[key.first] = format!("{list}: []{end}\n");
                    }
                    (Some(_), None) => drop(lines.splice(first..=last, [])),
                    (None, _) => {
                        let end = without_blanks(&lines, found.last);
                        end_with_newline(&mut lines[end]);
                        lines.insert(end + 1, written(indent));
                    }
                }
            }
        }
        let new = match entry {
            Some(entry) => Some(yaml::parse(&block(entry, 0))?.ok_or(STYLE)?),
            None => None,
        };
        match (at, new) {
            (Some(at), Some(new)) => expected_items[at] = new,
            (Some(at), None) => drop(expected_items.remove(at)),
            (None, new) => expected_items.extend(new),
        }
        let mut expected = root.clone();
        let items = Node { value: Value::Sequence(expected_items), first: 0, last: 0, is_flow: false };
        put(&mut expected, list, items);
        self.accept(lines, expected)
    }

    /// Takes the new lines if they say what is expected.
    fn accept(&mut self, lines: Vec<String>, expected: Option<Node>) -> Result<(), String> {
        let text = lines.concat();
        let root = yaml::parse(&text).map_err(|_| STYLE.to_owned())?;
        if root != expected {
            return Err(STYLE.to_owned());
        }
        *self = Self::Yaml { text, root };
        Ok(())
    }
}

fn is_named(item: &Node, name: &str) -> bool {
    item.get("name").and_then(Node::text) == Some(name)
}

fn place<'a>(root: &'a Node, key: &str) -> Option<(&'a Node, &'a Node)> {
    let Value::Mapping(pairs) = &root.value else { return None };
    pairs.iter().find(|(name, _)| name.text() == Some(key)).map(|(name, value)| (name, value))
}

fn put(root: &mut Option<Node>, key: &str, value: Node) {
    let name = Node {
        value: Value::Scalar { text: key.to_owned(), is_plain: true, tag: String::new() },
        first: 0,
        last: 0,
        is_flow: false,
    };
    let root =
        root.get_or_insert_with(|| Node { value: Value::Mapping(Vec::new()), first: 0, last: 0, is_flow: false });
    if let Value::Mapping(pairs) = &mut root.value {
        match pairs.iter_mut().find(|(found, _)| found.text() == Some(key)) {
            Some((_, old)) => *old = value,
            None => pairs.push((name, value)),
        }
    }
}

fn lines(text: &str) -> Vec<String> {
    text.split_inclusive('\n').map(str::to_owned).collect()
}

fn end_with_newline(line: &mut String) {
    if !line.ends_with('\n') {
        line.push('\n');
    }
}

fn push(lines: &mut Vec<String>, line: String) {
    lines.last_mut().map(end_with_newline);
    lines.push(format!("{line}\n"));
}

/// A comment at the end of a line whose value holds no ` #`.
fn comment(line: &str) -> &str {
    line.find(" #").map_or("", |at| line[at..].trim_end())
}

/// The line with the dash before an item.
fn dash(lines: &[String], first: usize) -> Result<usize, String> {
    let is_dash =
        |at: usize| lines.get(at).is_some_and(|line| line.trim_start().starts_with("- ") || line.trim() == "-");
    let at = [Some(first), first.checked_sub(1)].into_iter().flatten().find(|at| is_dash(*at));
    at.ok_or_else(|| STYLE.to_owned())
}

fn without_blanks(lines: &[String], mut last: usize) -> usize {
    while last > 0 && lines.get(last).is_none_or(|line| line.trim().is_empty()) {
        last -= 1;
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    const KUBECTLS: &str = "# mine\napiVersion: v1\nclusters:\n- cluster:\n    server: https://a # a\n  name: a\n# between\n- cluster:\n    server: https://b\n  name: b\n\ncontexts: [] # none\ncurrent-context: \"\" # now\nkind: Config\npreferences: {}\nusers: null\n";

    fn document(text: &str) -> Document {
        Document::parse(text).unwrap()
    }

    #[test]
    fn only_the_entrys_lines_change() {
        let mut file = document(KUBECTLS);
        file.set_entry("clusters", "b", &json!({"cluster": {"server": "https://new"}, "name": "b"})).unwrap();
        file.set_entry("clusters", "c", &json!({"cluster": {"server": "https://c"}, "name": "c"})).unwrap();
        file.set_entry("contexts", "c", &json!({"name": "c"})).unwrap();
        file.set_entry("users", "c", &json!({"name": "c", "user": {"exec": {"args": ["x"]}}})).unwrap();
        file.set("current-context", "c").unwrap();
        let expected = KUBECTLS
            .replace("https://b", "https://new")
            .replace("  name: b\n", "  name: b\n- cluster:\n    server: https://c\n  name: c\n")
            .replace("contexts: [] # none\n", "contexts: # none\n- name: c\n")
            .replace("users: null\n", "users:\n- name: c\n  user:\n    exec:\n      args:\n      - x\n")
            .replace("\"\" # now", "c # now");
        assert_eq!(file.text(), expected);
        let mut file = document(&expected);
        for list in ["clusters", "contexts", "users"] {
            file.remove_entry(list, "c").unwrap();
        }
        file.set("current-context", "").unwrap();
        let back = KUBECTLS.replace("https://b", "https://new").replace("users: null", "users: []");
        assert_eq!(file.text(), back);
    }

    #[test]
    fn what_is_there_already_is_not_touched() {
        let mut file = document(KUBECTLS);
        file.set_entry("clusters", "a", &json!({"name": "a", "cluster": {"server": "https://a"}})).unwrap();
        file.remove_entry("users", "x").unwrap();
        file.set("kind", "Config").unwrap();
        assert_eq!(file.text(), KUBECTLS);
        assert_eq!(document(KUBECTLS).names("clusters"), ["a", "b"]);
    }

    #[test]
    fn indented_lists_and_missing_ends_work() {
        let mut file = document("users:\n    -\n      name: a\n    - name: b\nkind: Config");
        file.set_entry("users", "a", &json!({"name": "a", "user": {}})).unwrap();
        file.set_entry("users", "c", &json!({"name": "c"})).unwrap();
        file.set_entry("clusters", "c", &json!({"name": "c"})).unwrap();
        assert_eq!(
            file.text(),
            "users:\n    - name: a\n      user: {}\n    - name: b\n    - name: c\nkind: Config\nclusters:\n- name: c\n"
        );
        let mut empty = document("# nothing yet\n");
        empty.set("kind", "Config").unwrap();
        assert_eq!(empty.text(), "# nothing yet\nkind: Config\n");
    }

    #[test]
    fn json_stays_json() {
        let mut file = document("{\"users\": null, \"clusters\": [{\"name\": \"a\"}]}");
        file.set_entry("users", "c", &json!({"name": "c"})).unwrap();
        file.remove_entry("clusters", "a").unwrap();
        let text = file.text();
        assert_eq!(serde_json::from_str::<Json>(&text).unwrap(), json!({"users": [{"name": "c"}], "clusters": []}));
        assert_eq!(document("{ }").text(), "{ }");
    }

    #[test]
    fn other_styles_are_refused_and_not_damaged() {
        for text in [
            "users: [{name: a}]\n",
            "users:\n  [{name: a},\n   {name: b}]\n",
            "users: &all\n- name: a\ncontexts: *all\n",
            "users:\n- &a\n  name: a\n- *a\n",
            "{users: []}\n",
            "- a\n",
            "users: [\n",
        ] {
            let changed = Document::parse(text).and_then(|mut file| {
                file.set_entry("users", "a", &json!({"name": "a", "user": {}}))?;
                file.set_entry("contexts", "a", &json!({"name": "a"}))?;
                Ok(file.text())
            });
            assert!(changed.is_err(), "{text}: {changed:?}");
        }
    }
}
