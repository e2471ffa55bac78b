//! Which line a value stands on.

/// A value's line, from 1, and those of what is in it; 0 where it is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Lines {
    pub(super) line: usize,
    /// By key or index.
    pub(super) below: Vec<(String, Lines)>,
}

impl Lines {
    /// The line of what the keys and indices lead to, or of the last of them that is there.
    pub(super) fn follow(&self, path: &[String]) -> Option<usize> {
        let mut at = self;
        for key in path {
            match at.below.iter().rev().find(|(name, _)| name == key) {
                Some((_, below)) => at = below,
                None => break,
            }
        }
        Some(at.line)
    }

    /// The same for a place in words: `Statement[0].Condition.gitlab.com:sub`, whose keys may hold dots.
    pub(super) fn find(&self, place: &str) -> Option<usize> {
        let (mut at, mut rest) = (self, place);
        loop {
            rest = rest.trim_start_matches(['.', '[', ']']);
            let fits = |name: &str| {
                rest.strip_prefix(name).is_some_and(|behind| behind.is_empty() || behind.starts_with(['.', '[', ']']))
            };
            let longest = at.below.iter().filter(|(name, _)| !name.is_empty() && fits(name));
            let Some((name, below)) = longest.max_by_key(|(name, _)| name.len()) else {
                // A list of one may stand there without its brackets.
                match rest.strip_prefix("0]") {
                    Some(behind) => rest = behind,
                    None => return Some(at.line),
                }
                continue;
            };
            (at, rest) = (below, &rest[name.len()..]);
        }
    }
}

/// The lines of a JSON text that has been read before, so that it is known to be one, and not too deep.
pub(super) fn of_json(text: &str) -> Lines {
    let mut scanner = Scanner { bytes: text.as_bytes(), at: 0, line: 1 };
    scanner.value()
}

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    line: usize,
}

impl Scanner<'_> {
    fn peek(&mut self) -> u8 {
        while let Some(byte) = self.bytes.get(self.at).filter(|byte| byte.is_ascii_whitespace() || **byte == b',') {
            self.line += usize::from(*byte == b'\n');
            self.at += 1;
        }
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    fn value(&mut self) -> Lines {
        let first = self.peek();
        let mut lines = Lines { line: self.line, below: Vec::new() };
        match first {
            b'{' => {
                self.at += 1;
                while self.peek() == b'"' {
                    let (line, key) = (self.line, self.string());
                    if self.peek() == b':' {
                        self.at += 1;
                    }
                    lines.below.push((key, Lines { line, ..self.value() }));
                }
                self.at += 1;
            }
            b'[' => {
                self.at += 1;
                while !matches!(self.peek(), b']' | 0) {
                    let before = self.at;
                    let entry = self.value();
                    if self.at == before {
                        break;
                    }
                    lines.below.push((lines.below.len().to_string(), entry));
                }
                self.at += 1;
            }
            b'"' => drop(self.string()),
            _ => {
                let is_literal = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
                while self.bytes.get(self.at).is_some_and(is_literal) {
                    self.at += 1;
                }
            }
        }
        lines
    }

    fn string(&mut self) -> String {
        let start = self.at;
        self.at += 1;
        while let Some(byte) = self.bytes.get(self.at).filter(|byte| **byte != b'"') {
            self.at += 1 + usize::from(*byte == b'\\');
        }
        self.at = (self.at + 1).min(self.bytes.len());
        serde_json::from_slice(&self.bytes[start..self.at]).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_its_line() {
        let lines = of_json("{\n \"a.b\": [\n  1,\n  {\"c\\\"\": \"x\\\\\"}\n ],\n \"d\": {\n  \"e\": null\n }\n}");
        let line = |path: &[&str]| lines.follow(&path.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>());
        assert_eq!((line(&["a.b"]), line(&["a.b", "1"]), line(&["a.b", "1", "c\""])), (Some(2), Some(4), Some(4)));
        assert_eq!((line(&["d", "e"]), line(&["d", "none"]), line(&[])), (Some(7), Some(6), Some(1)));
        assert_eq!((lines.find("a.b[1].c\""), lines.find("d.e"), lines.find("a")), (Some(4), Some(7), Some(1)));
        assert_eq!((lines.find("d[0].e"), lines.find("d[0]"), lines.find("d[1].e")), (Some(7), Some(6), Some(6)));
    }
}
