//! A value whose keys keep their order, in every language.

use serde_json::Value as Json;

use super::quote;

/// A value to be written.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// A text.
    Text(String),
    /// A number.
    Number(u64),
    /// Yes or no.
    Flag(bool),
    /// A list.
    List(Vec<Node>),
    /// Keys and values, in this order.
    Map(Vec<(String, Node)>),
    /// An expression of the language that is written. JSON and YAML have none: there it is a text.
    Code(String),
}

/// A map from pairs.
pub fn map<const N: usize>(pairs: [(&str, Node); N]) -> Node {
    Node::Map(pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

/// A list of texts.
pub fn texts<T: AsRef<str>>(values: &[T]) -> Node {
    Node::List(values.iter().map(|value| Node::from(value.as_ref())).collect())
}

impl From<&str> for Node {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Node {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&Json> for Node {
    fn from(value: &Json) -> Self {
        match value {
            Json::String(text) => Self::Text(text.clone()),
            Json::Bool(flag) => Self::Flag(*flag),
            Json::Array(entries) => Self::List(entries.iter().map(Self::from).collect()),
            Json::Object(map) => Self::Map(map.iter().map(|(key, value)| (key.clone(), Self::from(value))).collect()),
            Json::Number(number) => number.as_u64().map_or_else(|| Self::Text(number.to_string()), Self::Number),
            Json::Null => Self::Text(String::new()),
        }
    }
}

/// How a language writes lists and maps over several lines.
struct Style<'a> {
    text: fn(&str) -> String,
    key: &'a dyn Fn(&str) -> String,
    /// Between entries of a list, and of a map.
    separators: [&'a str; 2],
    /// After the last entry of either.
    last: &'a str,
}

impl Node {
    /// As JSON, ending with a line break.
    pub fn json(&self) -> String {
        let style = Style {
            text: quote::json,
            key: &|key| format!("{}: ", quote::json(key)),
            separators: [",", ","],
            last: "",
        };
        format!("{}\n", self.braced(&style, 0))
    }

    /// The same as a value of `serde_json`.
    pub fn value(&self) -> Json {
        match self {
            Self::Text(text) | Self::Code(text) => Json::from(text.as_str()),
            Self::Number(number) => Json::from(*number),
            Self::Flag(flag) => Json::from(*flag),
            Self::List(entries) => entries.iter().map(Self::value).collect(),
            Self::Map(entries) => {
                Json::Object(entries.iter().map(|(key, value)| (key.clone(), value.value())).collect())
            }
        }
    }

    /// As a TypeScript expression whose first line is already indented by this many spaces.
    pub fn typescript(&self, indent: usize) -> String {
        let key = |key: &str| {
            let is_plain = key.bytes().all(|byte| byte.is_ascii_alphanumeric())
                && !key.starts_with(|first: char| first.is_ascii_digit());
            if is_plain && !key.is_empty() { format!("{key}: ") } else { format!("{}: ", quote::json(key)) }
        };
        let style = Style { text: quote::json, key: &key, separators: [",", ","], last: "," };
        self.braced(&style, indent)
    }

    /// As a Bicep expression.
    pub fn bicep(&self, indent: usize) -> String {
        let key = |key: &str| {
            let is_plain = key.bytes().all(|byte| byte.is_ascii_alphanumeric());
            if is_plain { format!("{key}: ") } else { format!("{}: ", quote::bicep(key)) }
        };
        let style = Style { text: quote::bicep, key: &key, separators: ["", ""], last: "" };
        self.braced(&style, indent)
    }

    fn braced(&self, style: &Style<'_>, indent: usize) -> String {
        let lines = |open: char, close: char, separator: &str, entries: Vec<String>| {
            if entries.is_empty() {
                return format!("{open}{close}");
            }
            let pad = " ".repeat(indent + 2);
            let body = entries.join(&format!("{separator}\n{pad}"));
            format!("{open}\n{pad}{body}{}\n{}{close}", style.last, " ".repeat(indent))
        };
        match self {
            Self::Text(text) => (style.text)(text),
            Self::Code(code) => code.clone(),
            Self::Number(number) => number.to_string(),
            Self::Flag(flag) => flag.to_string(),
            Self::List(entries) => {
                let entries = entries.iter().map(|entry| entry.braced(style, indent + 2)).collect();
                lines('[', ']', style.separators[0], entries)
            }
            Self::Map(entries) => {
                let entry =
                    |(key, value): &(String, Self)| format!("{}{}", (style.key)(key), value.braced(style, indent + 2));
                lines('{', '}', style.separators[1], entries.iter().map(entry).collect())
            }
        }
    }

    /// As YAML 1.1 and 1.2 alike: texts always in double quotes, so that none is taken for a number, a date or a `no`.
    pub fn yaml(&self) -> String {
        let mut out = String::new();
        self.block(0, &mut out);
        out
    }

    fn block(&self, indent: usize, out: &mut String) {
        let pad = " ".repeat(indent);
        match self {
            Self::Map(entries) if !entries.is_empty() => {
                for (key, value) in entries {
                    out.push_str(&format!("{pad}{}:", yaml_key(key)));
                    value.behind(indent + 2, out);
                }
            }
            Self::List(entries) if !entries.is_empty() => {
                for entry in entries {
                    out.push_str(&format!("{pad}-"));
                    match entry {
                        Self::Map(inner) if !inner.is_empty() => {
                            // The first key stands on the dash's own line.
                            let mut text = String::new();
                            entry.block(indent + 2, &mut text);
                            out.push_str(&text[indent + 1..]);
                        }
                        other => other.behind(indent + 2, out),
                    }
                }
            }
            scalar => out.push_str(&format!("{pad}{}\n", scalar.scalar())),
        }
    }

    /// What stands behind a key or a dash.
    fn behind(&self, indent: usize, out: &mut String) {
        match self {
            Self::Map(entries) if !entries.is_empty() => {
                out.push('\n');
                self.block(indent, out);
            }
            Self::List(entries) if !entries.is_empty() => {
                out.push('\n');
                self.block(indent, out);
            }
            scalar => out.push_str(&format!(" {}\n", scalar.scalar())),
        }
    }

    fn scalar(&self) -> String {
        match self {
            Self::Text(text) | Self::Code(text) => quote::json(text),
            Self::Number(number) => number.to_string(),
            Self::Flag(flag) => flag.to_string(),
            Self::List(_) => "[]".to_owned(),
            Self::Map(_) => "{}".to_owned(),
        }
    }
}

/// Keys of templates are plain; whatever could be anything but a text is quoted.
fn yaml_key(key: &str) -> String {
    const OTHERS: [&str; 11] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"];
    let is_word = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphabetic());
    if is_word && !OTHERS.contains(&key.to_ascii_lowercase().as_str()) { key.to_owned() } else { quote::json(key) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sample() -> Node {
        map([
            ("Version", "2012-10-17".into()),
            ("Empty", Node::List(Vec::new())),
            ("List", Node::List(vec![map([("a:b", "x${y}".into()), ("Deep", texts(&["no", "1"]))]), Node::Number(7)])),
            ("Flag", Node::Flag(true)),
        ])
    }

    #[test]
    fn every_language() {
        assert_eq!(serde_json::from_str::<Json>(&sample().json()).unwrap(), sample().value());
        assert_eq!(Node::from(&json!({"a": [1, true, "x"]})).value(), json!({"a": [1, true, "x"]}));
        assert_eq!(
            sample().yaml(),
            "Version: \"2012-10-17\"\nEmpty: []\nList:\n  - \"a:b\": \"x${y}\"\n    Deep:\n      - \"no\"\n      - \"1\"\n  - 7\nFlag: true\n"
        );
        assert_eq!(
            map([("a", texts(&["x"])), ("b-c", Node::Code("this.y".to_owned()))]).typescript(2),
            "{\n    a: [\n      \"x\",\n    ],\n    \"b-c\": this.y,\n  }"
        );
        assert_eq!(map([("a", texts(&["x", "y"]))]).bicep(0), "{\n  a: [\n    'x'\n    'y'\n  ]\n}");
    }
}
