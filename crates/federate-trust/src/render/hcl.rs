//! HCL as `terraform fmt` would leave it.

use super::node::{Node, map};
use super::quote;

/// What a file or a block holds.
pub type Body = Vec<Item>;

/// A line of HCL, or several.
#[derive(Clone, Debug)]
pub enum Item {
    /// `# …`
    Comment(String),
    /// An empty line.
    Blank,
    /// `name = value`
    Set(String, Node),
    /// `name = function(value)`
    Call(String, String, Node),
    /// `header { … }`
    Block(String, Body),
}

impl Item {
    /// `name = value`
    pub fn set(name: &str, value: impl Into<Node>) -> Self {
        Self::Set(name.to_owned(), value.into())
    }

    /// `name = code`
    pub fn code(name: &str, code: impl Into<String>) -> Self {
        Self::Set(name.to_owned(), Node::Code(code.into()))
    }

    /// `header { … }`, the header as written.
    pub fn block(header: impl Into<String>, body: Body) -> Self {
        Self::Block(header.into(), body)
    }
}

/// The block `terraform` of a module that needs these providers: name, source, versions.
pub fn requirements(providers: &[(&str, &str, &str)]) -> Item {
    let needed = providers.iter().map(|(name, source, version)| {
        Item::Set((*name).to_owned(), map([("source", (*source).into()), ("version", (*version).into())]))
    });
    Item::block(
        "terraform",
        vec![Item::set("required_version", ">= 1.3"), Item::Blank, Item::block("required_providers", needed.collect())],
    )
}

/// The text of a file.
pub fn file(body: &[Item]) -> String {
    let mut lines = Lines::default();
    lines.body(body, 0);
    lines.finish()
}

/// Lines, of which neighbours that assign on one line have their `=` below one another.
#[derive(Default)]
struct Lines {
    out: String,
    /// Indentation, name and value of the neighbours so far.
    open: Vec<(usize, String, String)>,
}

impl Lines {
    fn finish(mut self) -> String {
        self.align();
        self.out
    }

    fn align(&mut self) {
        let width = self.open.iter().map(|(_, name, _)| name.chars().count()).max().unwrap_or(0);
        for (indent, name, value) in self.open.drain(..) {
            self.out.push_str(&format!("{}{name:width$} = {value}\n", " ".repeat(indent)));
        }
    }

    fn line(&mut self, indent: usize, text: &str) {
        self.align();
        let pad = if text.is_empty() { String::new() } else { " ".repeat(indent) };
        self.out.push_str(&format!("{pad}{text}\n"));
    }

    fn body(&mut self, body: &[Item], indent: usize) {
        for item in body {
            match item {
                Item::Comment(text) => self.line(indent, &format!("# {}", quote::comment(text))),
                Item::Blank => self.line(indent, ""),
                Item::Set(name, value) => self.assign(name, "", value, "", indent),
                Item::Call(name, function, value) => self.assign(name, &format!("{function}("), value, ")", indent),
                Item::Block(header, body) if body.is_empty() => self.line(indent, &format!("{header} {{}}")),
                Item::Block(header, body) => {
                    self.line(indent, &format!("{header} {{"));
                    self.body(body, indent + 2);
                    self.line(indent, "}");
                }
            }
        }
        self.align();
    }

    fn assign(&mut self, name: &str, before: &str, value: &Node, behind: &str, indent: usize) {
        match one_line(value) {
            Some(text) => self.open.push((indent, name.to_owned(), format!("{before}{text}{behind}"))),
            None => {
                let (open, close) = brackets(value);
                self.line(indent, &format!("{name} = {before}{open}"));
                self.inside(value, indent + 2);
                self.line(indent, &format!("{close}{behind}"));
            }
        }
    }

    /// The entries of a list or map, a line each.
    fn inside(&mut self, value: &Node, indent: usize) {
        match value {
            Node::List(entries) => {
                for entry in entries {
                    match one_line(entry) {
                        Some(text) => self.line(indent, &format!("{text},")),
                        None => {
                            let (open, close) = brackets(entry);
                            self.line(indent, open);
                            self.inside(entry, indent + 2);
                            self.line(indent, &format!("{close},"));
                        }
                    }
                }
            }
            Node::Map(entries) => {
                for (key, value) in entries {
                    self.assign(&map_key(key), "", value, "", indent);
                }
                self.align();
            }
            _ => {}
        }
    }
}

fn brackets(value: &Node) -> (&'static str, &'static str) {
    if matches!(value, Node::List(_)) { ("[", "]") } else { ("{", "}") }
}

/// Scalars, and lists of one scalar or none.
fn one_line(value: &Node) -> Option<String> {
    match value {
        Node::Text(text) => Some(quote::hcl(text)),
        Node::Code(code) => Some(code.clone()),
        Node::Number(number) => Some(number.to_string()),
        Node::Flag(flag) => Some(flag.to_string()),
        Node::List(entries) => match entries.as_slice() {
            [] => Some("[]".to_owned()),
            [Node::List(_) | Node::Map(_)] => None,
            [one] => one_line(one).map(|text| format!("[{text}]")),
            _ => None,
        },
        Node::Map(entries) => entries.is_empty().then(|| "{}".to_owned()),
    }
}

fn map_key(key: &str) -> String {
    let is_plain = key.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && key.starts_with(|first: char| first.is_ascii_alphabetic());
    if is_plain { key.to_owned() } else { quote::hcl(key) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::{map, texts};

    #[test]
    fn neighbours_are_aligned_and_blocks_are_not() {
        let text = file(&[
            Item::Comment("one\ntwo".to_owned()),
            Item::block(
                "resource \"a\" \"b\"",
                vec![
                    Item::set("name", "x"),
                    Item::set("max_session", Node::Number(1)),
                    Item::Blank,
                    Item::Call(
                        "policy".to_owned(),
                        "jsonencode".to_owned(),
                        map([
                            ("Version", "v".into()),
                            ("A", Node::List(vec![map([("k:e", texts(&["${x}"])), ("Effect", "Allow".into())])])),
                        ]),
                    ),
                ],
            ),
        ]);
        let expected = "# one two\nresource \"a\" \"b\" {\n  name        = \"x\"\n  max_session = 1\n\n  policy = jsonencode({\n    Version = \"v\"\n    A = [\n      {\n        \"k:e\"  = [\"$${x}\"]\n        Effect = \"Allow\"\n      },\n    ]\n  })\n}\n";
        assert_eq!(text, expected);
    }
}
