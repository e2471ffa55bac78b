//! `a || b && c`: the tree does not tell whether brackets were written, the text does.

/// Does a level of the text mix `||` and `&&` so that one alternative lacks what stands behind the `&&`?
pub(super) fn is_mixed(text: &str) -> bool {
    let mut levels = vec![Level::default()];
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let step = if let Some(length) = quoted(rest) {
            length
        } else if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("||") {
            if let Some(level) = levels.last_mut() {
                level.next_alternative();
            }
            2
        } else if rest.starts_with("&&") {
            if let Some(level) = levels.last_mut() {
                level.joined += 1;
            }
            2
        } else {
            let closed = match first {
                '(' | '[' | '{' => {
                    levels.push(Level::default());
                    None
                }
                ')' | ']' | '}' => levels.pop(),
                ',' | '?' | ':' => levels.last_mut().map(std::mem::take),
                _ => None,
            };
            if closed.is_some_and(|level| level.is_mixed()) {
                return true;
            }
            first.len_utf8()
        };
        rest = rest.get(step..).unwrap_or_default();
    }
    levels.iter().any(|level| level.is_mixed())
}

/// What stands between two brackets.
#[derive(Clone, Debug, Default)]
struct Level {
    /// `&&` in the alternative that is being read.
    joined: usize,
    with: bool,
    without: bool,
    alternatives: usize,
}

impl Level {
    fn next_alternative(&mut self) {
        self.alternatives += 1;
        self.with |= self.joined > 0;
        self.without |= self.joined == 0;
        self.joined = 0;
    }

    fn is_mixed(&self) -> bool {
        let mut whole = self.clone();
        whole.next_alternative();
        whole.alternatives > 1 && whole.with && whole.without
    }
}

/// The length of a text in quotes that begins here.
fn quoted(rest: &str) -> Option<usize> {
    let quote = rest.chars().next().filter(|mark| *mark == '\'' || *mark == '"');
    let raw = ["r'", "r\"", "R'", "R\""].iter().any(|mark| rest.starts_with(mark));
    let start = usize::from(raw);
    let quote = quote.or_else(|| rest[start..].chars().next().filter(|_| raw))?;
    let triple: String = std::iter::repeat_n(quote, 3).collect();
    let end = if rest[start..].starts_with(&triple) { triple } else { quote.to_string() };
    let mut at = start + end.len();
    while let Some(first) = rest.get(at..).and_then(|rest| rest.chars().next()) {
        if rest[at..].starts_with(&end) {
            return Some(at + end.len());
        }
        at += first.len_utf8();
        if first == '\\' && !raw {
            at += rest.get(at..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
        }
    }
    Some(rest.len())
}

#[cfg(test)]
mod tests {
    use super::is_mixed;

    #[test]
    fn only_an_alternative_that_lacks_a_test_is_suspicious() {
        for text in [
            "a || b && c",
            "a && b || c",
            "x && (a || b && c)",
            "f(a || b && c)",
            "a ? b || c && d : e",
            "(a) || b && c",
        ] {
            assert!(is_mixed(text), "{text}");
        }
        for text in [
            "a || (b && c)",
            "(a || b) && c",
            "a && b || c && d",
            "a || b || c",
            "a && b",
            "x == 'a || b && c' || y",
            "x == \"a\\\" || b && c\"",
            "x == r'\\' || y",
            "a || b // && c",
            "a && b ? c || d : e",
            "'''a' || b && c'''",
        ] {
            assert!(!is_mixed(text), "{text}");
        }
    }
}
