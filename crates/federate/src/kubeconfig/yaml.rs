//! A YAML document as a tree that knows on which lines each part stands.

use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use serde_json::{Map, Number, Value as Json};

/// A part of a document. Two are equal if they say the same, wherever they stand.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) value: Value,
    /// The first line, counted from 0.
    pub(super) first: usize,
    /// The last line with something of it.
    pub(super) last: usize,
    /// In braces or brackets.
    pub(super) is_flow: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Scalar {
        text: String,
        is_plain: bool,
        tag: String,
    },
    Sequence(Vec<Node>),
    Mapping(Vec<(Node, Node)>),
    /// `*name`, as the number of its anchor.
    Alias(usize),
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl Node {
    /// The text of a scalar.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        let Value::Mapping(pairs) = &self.value else { return None };
        pairs.iter().find(|(name, _)| name.text() == Some(key)).map(|(_, value)| value)
    }

    /// `null`, `~` or nothing.
    pub(super) fn is_null(&self) -> bool {
        self.json() == Some(Json::Null)
    }

    /// The same in JSON, as YAML 1.2's core schema reads it. `None` for what JSON cannot say: aliases, tags, other keys than texts.
    pub(super) fn json(&self) -> Option<Json> {
        match &self.value {
            Value::Scalar { text, is_plain, tag } if tag.is_empty() => Some(resolved(text, *is_plain)),
            Value::Sequence(items) => items.iter().map(Node::json).collect(),
            Value::Mapping(pairs) => {
                let pairs = pairs.iter().map(|(key, value)| Some((key.text()?.to_owned(), value.json()?)));
                pairs.collect::<Option<Map<_, _>>>().map(Json::Object)
            }
            _ => None,
        }
    }
}

fn resolved(text: &str, is_plain: bool) -> Json {
    if !is_plain {
        return text.into();
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Json::Null,
        "true" | "True" | "TRUE" => true.into(),
        "false" | "False" | "FALSE" => false.into(),
        _ => match text.parse::<i64>() {
            Ok(number) => number.into(),
            Err(_) => {
                let is_number = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
                let number = text.parse::<f64>().ok().filter(|_| is_number).and_then(Number::from_f64);
                number.map_or_else(|| text.into(), Json::Number)
            }
        },
    }
}

/// Deeper than any kubeconfig file, and not so deep that walking it could fail.
const DEEPEST: usize = 64;

/// Reads one document.
///
/// # Errors
/// What is wrong and in which line.
pub(super) fn parse(text: &str) -> Result<Option<Node>, String> {
    let mut roots = Vec::new();
    // Collections under way, each with the scalars and collections in it so far.
    let mut open: Vec<(bool, Span, Vec<Node>)> = Vec::new();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| format!("line {}: {}", error.marker().line(), error.info()))?;
        let done = match event {
            Event::Scalar(text, style, _, tag) => {
                let is_plain = matches!(style, ScalarStyle::Plain);
                let tag = tag.map(|tag| tag.to_string()).unwrap_or_default();
                node(Value::Scalar { text: text.into_owned(), is_plain, tag }, &span, &span, false)
            }
            Event::Alias(anchor) => node(Value::Alias(anchor), &span, &span, false),
            Event::SequenceStart(..) | Event::MappingStart(..) if open.len() == DEEPEST => {
                return Err(format!("line {}: it is nested too deeply", span.start.line()));
            }
            Event::SequenceStart(..) | Event::MappingStart(..) => {
                open.push((!span.is_empty(), span, Vec::new()));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some((is_flow, start, parts)) = open.pop() else { return Err("it is not closed".to_owned()) };
                let last = parts.iter().map(|part| part.last).max();
                let value = if matches!(event, Event::SequenceEnd) { Value::Sequence(parts) } else { pairs(parts) };
                let mut done = node(value, &start, if is_flow { &span } else { &start }, is_flow);
                done.last = done.last.max(last.unwrap_or(0));
                done
            }
            _ => continue,
        };
        match open.last_mut() {
            Some((_, _, parts)) => parts.push(done),
            None => roots.push(done),
        }
    }
    if roots.len() > 1 {
        return Err("it holds more than one document".to_owned());
    }
    Ok(roots.pop())
}

fn pairs(parts: Vec<Node>) -> Value {
    let mut pairs = Vec::new();
    let mut parts = parts.into_iter();
    while let (Some(key), Some(value)) = (parts.next(), parts.next()) {
        pairs.push((key, value));
    }
    Value::Mapping(pairs)
}

fn node(value: Value, start: &Span, end: &Span, is_flow: bool) -> Node {
    let first = start.start.line().saturating_sub(1);
    // A block of text ends where the next line begins.
    let last =
        end.end.line().saturating_sub(if end.end.col() == 0 && end.end.line() > start.start.line() { 2 } else { 1 });
    Node { value, first, last: last.max(first), is_flow }
}

/// JSON in YAML's block style, each line indented by so much; the first line begins after it.
pub(super) fn block(value: &Json, indent: usize) -> String {
    let pad = " ".repeat(indent);
    match value {
        Json::Object(map) if !map.is_empty() => {
            map.iter().map(|(key, value)| format!("{pad}{}:{}", scalar(key), below(value, indent))).collect()
        }
        Json::Array(items) if !items.is_empty() => {
            items.iter().map(|item| format!("{pad}- {}", block(item, indent + 2).trim_start())).collect()
        }
        other => format!("{pad}{}\n", inline(other)),
    }
}

fn below(value: &Json, indent: usize) -> String {
    match value {
        Json::Object(map) if !map.is_empty() => format!("\n{}", block(value, indent + 2)),
        // As kubectl writes it: a list's dashes stand below its key.
        Json::Array(items) if !items.is_empty() => format!("\n{}", block(value, indent)),
        other => format!(" {}\n", inline(other)),
    }
}

fn inline(value: &Json) -> String {
    match value {
        Json::String(text) => scalar(text),
        other => other.to_string(),
    }
}

/// A text, in quotes unless nobody could take it for something else.
pub(super) fn scalar(text: &str) -> String {
    const WORDS: &[&str] = &["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:@".contains(c))
        && !text.ends_with(':')
        && !WORDS.contains(&text.to_ascii_lowercase().as_str());
    if is_plain { text.to_owned() } else { Json::from(text).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lines_are_known() {
        let text = "a: 1 # é\nlist:\n- x: \"b\n    c\"\n- y: |\n    d\n    e\n\nend: [1,\n  2]\n";
        let root = parse(text).unwrap().unwrap();
        let Value::Sequence(items) = &root.get("list").unwrap().value else { panic!() };
        assert_eq!(items.iter().map(|item| (item.first, item.last)).collect::<Vec<_>>(), [(2, 3), (4, 7)]);
        let end = root.get("end").unwrap();
        assert_eq!((end.first, end.last, end.is_flow), (8, 9, true));
        assert_eq!(root.json().unwrap()["list"], json!([{"x": "b c"}, {"y": "d\ne\n"}]));
    }

    #[test]
    fn what_is_written_is_read_again() {
        for value in [
            json!({"name": "x", "user": {"exec": {"args": ["-t", "a b", "yes", "", "1.0", "#c", "a: b"], "env": null, "n": []}}}),
            json!({"a": true, "b": "true", "c": 7, "d": "é\n\"", "e": {}, "f": [[1], {"k": "v"}]}),
        ] {
            let text = block(&value, 2);
            assert_eq!(parse(&text).unwrap().unwrap().json().unwrap(), value, "{text}");
        }
    }

    #[test]
    fn what_json_cannot_say_is_left_alone() {
        for text in ["a: &x 1\nb: *x\n", "a: !!binary eA==\n"] {
            assert_eq!(parse(text).unwrap().unwrap().json(), None, "{text}");
        }
        assert!(parse("a: [").is_err() && parse("---\na: 1\n---\nb: 1\n").is_err());
        assert!(parse("").unwrap().is_none());
        assert!(parse(&"- ".repeat(65)).unwrap_err().contains("too deeply") && parse(&"[".repeat(100_000)).is_err());
    }
}
