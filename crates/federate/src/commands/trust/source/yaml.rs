//! YAML as templates use it: aliases, merge keys and CloudFormation's short tags, bounded in depth and size.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};
use serde_json::{Map, Value as Json};

use super::lines::Lines;

/// As deep as JSON may be.
const DEEPEST: usize = 127;
/// Values in a document, its aliases written out.
const MOST: usize = 1_000_000;

/// The functions that templates write as tags: `!Sub x` is `{"Fn::Sub": x}`.
const TAGS: &[&str] = &[
    "Base64",
    "Cidr",
    "FindInMap",
    "GetAZs",
    "GetAtt",
    "If",
    "ImportValue",
    "Join",
    "Length",
    "Select",
    "Split",
    "Sub",
    "ToJsonString",
    "Transform",
    "And",
    "Equals",
    "Not",
    "Or",
];

/// A value with its lines and the number of values in it.
#[derive(Clone, Debug)]
struct Node {
    value: Json,
    lines: Lines,
    size: usize,
}

/// A list or map that is not closed yet.
struct Level {
    node: Node,
    anchor: usize,
    tag: Option<String>,
    /// Of a map: the key whose value comes next, and its line.
    key: Option<(String, usize)>,
    merged: Vec<(Json, Lines)>,
}

struct Builder {
    levels: Vec<Level>,
    anchors: HashMap<usize, Node>,
    documents: Vec<Node>,
    size: usize,
}

/// Reads a YAML text; several documents become a list.
///
/// # Errors
/// The line and what is wrong there.
pub(super) fn read(text: &str) -> Result<(Json, Lines), (usize, String)> {
    let mut builder = Builder { levels: Vec::new(), anchors: HashMap::new(), documents: Vec::new(), size: 0 };
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| (error.marker().line(), error.info().to_owned()))?;
        let line = span.start.line();
        builder.take(event, line).map_err(|why| (line, why))?;
    }
    let mut documents = builder.documents;
    if documents.len() == 1 {
        let only = documents.remove(0);
        return Ok((only.value, only.lines));
    }
    let (mut values, mut lines) = (Vec::new(), Lines { line: 1, below: Vec::new() });
    for (index, document) in documents.into_iter().enumerate() {
        values.push(document.value);
        lines.below.push((index.to_string(), document.lines));
    }
    Ok((values.into(), lines))
}

impl Builder {
    fn take(&mut self, event: Event<'_>, line: usize) -> Result<(), String> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_text = tag.as_ref().is_some_and(|tag| tag.is_yaml_core_schema() && tag.suffix == "str");
                let value = if style == ScalarStyle::Plain && !is_text { plain(&text) } else { Json::from(&*text) };
                let tag = tag.as_deref().and_then(function);
                // As a key, the text counts as it stands.
                let is_key =
                    self.levels.last().is_some_and(|level| level.node.value.is_object() && level.key.is_none());
                let value = if is_key { Json::from(&*text) } else { tagged(value, tag) };
                self.put(Node { value, lines: Lines { line, below: Vec::new() }, size: 1 }, anchor)
            }
            Event::Alias(anchor) => {
                let node = self.anchors.get(&anchor).cloned().ok_or("an alias stands inside its own anchor")?;
                self.put(node, 0)
            }
            Event::SequenceStart(anchor, tag) => self.open(Json::Array(Vec::new()), anchor, tag.as_deref(), line),
            Event::MappingStart(anchor, tag) => self.open(Json::Object(Map::new()), anchor, tag.as_deref(), line),
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            _ => Ok(()),
        }
    }

    fn open(&mut self, value: Json, anchor: usize, tag: Option<&Tag>, line: usize) -> Result<(), String> {
        if self.levels.len() >= DEEPEST {
            return Err(format!("recursion limit exceeded: more than {DEEPEST} levels"));
        }
        let node = Node { value, lines: Lines { line, below: Vec::new() }, size: 1 };
        let tag = tag.and_then(function);
        self.levels.push(Level { node, anchor, tag, key: None, merged: Vec::new() });
        Ok(())
    }

    fn close(&mut self) -> Result<(), String> {
        let Some(mut level) = self.levels.pop() else { return Ok(()) };
        for (value, lines) in std::mem::take(&mut level.merged) {
            merge(&mut level.node, value, lines)?;
        }
        if level.tag.is_some() {
            level.node.lines = Lines {
                line: level.node.lines.line,
                below: vec![(level.tag.clone().unwrap_or_default(), level.node.lines)],
            };
        }
        level.node.value = tagged(level.node.value, level.tag);
        self.put(level.node, level.anchor)
    }

    fn put(&mut self, node: Node, anchor: usize) -> Result<(), String> {
        self.size += node.size;
        if self.size > MOST {
            return Err(format!("it holds more than {MOST} values, its aliases written out"));
        }
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(level) = self.levels.last_mut() else {
            self.documents.push(node);
            return Ok(());
        };
        level.node.size += node.size;
        match &mut level.node.value {
            Json::Array(entries) => {
                level.node.lines.below.push((entries.len().to_string(), node.lines));
                entries.push(node.value);
            }
            Json::Object(map) => match level.key.take() {
                None => match node.value {
                    Json::String(key) => level.key = Some((key, node.lines.line)),
                    _ => return Err("a key has to be a text".to_owned()),
                },
                Some((key, _)) if key == "<<" => level.merged.push((node.value, node.lines)),
                Some((key, line)) => {
                    if map.insert(key.clone(), node.value).is_some() {
                        return Err(format!("the key `{key}` stands there twice"));
                    }
                    level.node.lines.below.push((key, Lines { line, ..node.lines }));
                }
            },
            _ => {}
        }
        Ok(())
    }
}

/// `<<: *defaults`: what the map does not say itself.
fn merge(node: &mut Node, value: Json, lines: Lines) -> Result<(), String> {
    match value {
        Json::Array(values) => {
            let mut below = lines.below.into_iter().map(|(_, lines)| lines);
            values.into_iter().try_for_each(|value| merge(node, value, below.next().unwrap_or_default()))
        }
        Json::Object(more) => {
            let Json::Object(map) = &mut node.value else { return Ok(()) };
            for (key, value) in more {
                if !map.contains_key(&key) {
                    let of_key = lines.below.iter().find(|(name, _)| *name == key).cloned();
                    node.lines.below.extend(of_key);
                    map.insert(key, value);
                }
            }
            Ok(())
        }
        _ => Err("a merge key (<<) takes in a map, or a list of maps".to_owned()),
    }
}

fn function(tag: &Tag) -> Option<String> {
    let name = tag.suffix.as_str();
    match (tag.handle.as_str(), name) {
        ("!", "Ref" | "Condition") => Some(name.to_owned()),
        ("!", name) if TAGS.contains(&name) => Some(format!("Fn::{name}")),
        _ => None,
    }
}

fn tagged(value: Json, tag: Option<String>) -> Json {
    match tag {
        Some(tag) => Json::Object(Map::from_iter([(tag, value)])),
        None => value,
    }
}

/// The core schema, but for numbers that would lose their leading zeros: account ids are text.
fn plain(text: &str) -> Json {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Json::Null,
        "true" | "True" | "TRUE" => return true.into(),
        "false" | "False" | "FALSE" => return false.into(),
        _ => {}
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') && !digits.is_empty();
    let keeps_its_form = !(digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0."));
    match text.parse::<i64>() {
        Ok(number) if is_number && keeps_its_form => number.into(),
        Err(_) if is_number && keeps_its_form && digits.bytes().filter(|byte| *byte == b'.').count() == 1 => {
            text.parse::<f64>().map_or_else(|_| text.into(), Json::from)
        }
        _ => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn value(text: &str) -> Json {
        read(text).unwrap().0
    }

    #[test]
    fn tags_aliases_and_merge_keys() {
        let text = "base: &base\n  a: 1\n  b: !Sub 'x-${Y}'\nother:\n  <<: *base\n  b: two\nlist: [!Ref R, !GetAtt A.B, !Join [':', [a, !Ref B]], *base]\nv: 2012-10-17\nid: 012345678901\nt: true\nn: !!str 5\nempty:\n";
        assert_eq!(
            value(text),
            json!({
                "base": {"a": 1, "b": {"Fn::Sub": "x-${Y}"}},
                "other": {"a": 1, "b": "two"},
                "list": [{"Ref": "R"}, {"Fn::GetAtt": "A.B"}, {"Fn::Join": [":", ["a", {"Ref": "B"}]]}, {"a": 1, "b": {"Fn::Sub": "x-${Y}"}}],
                "v": "2012-10-17", "id": "012345678901", "t": true, "n": "5", "empty": null,
            })
        );
        let (_, lines) = read(text).unwrap();
        let line = |path: &[&str]| lines.follow(&path.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>());
        assert_eq!((line(&["other", "b"]), line(&["base", "b"]), line(&["v"])), (Some(6), Some(3), Some(8)));
        assert_eq!(value("a: 1\n---\nb: 2\n"), json!([{"a": 1}, {"b": 2}]));
    }

    #[test]
    fn bombs_and_wrong_documents_end() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..10 {
            let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
            bomb.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
        }
        assert!(read(&bomb).unwrap_err().1.contains("values"));
        for deep in ["[".repeat(1_000_000), "- ".repeat(20_000), "{a: ".repeat(100_000), "? ".repeat(20_000)] {
            assert!(read(&deep).is_err());
        }
        for (text, line) in
            [("a: 1\na: 2\n", 2), ("a: [1\nb: 2", 2), ("a: &x [*x]\n", 1), ("? [a]\n: b\n", 1), ("<<: 1\n", 1)]
        {
            let (at, why) = read(text).unwrap_err();
            assert!(at >= line, "{text}: {at} {why}");
        }
    }
}
