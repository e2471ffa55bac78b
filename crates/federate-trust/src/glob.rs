//! `*` and `?` as clouds read them: any run of characters (also none, also across `:` and `/`), and exactly one.

/// A pattern with `*` and `?`, or a text that only matches itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Glob(Vec<Piece>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    Char(char),
    One,
    Any,
}

impl Glob {
    /// Reads `*` and `?` as wildcards.
    pub fn parse(text: &str) -> Self {
        let pieces = text.chars().map(|character| match character {
            '*' => Piece::Any,
            '?' => Piece::One,
            other => Piece::Char(other),
        });
        Self(pieces.collect())
    }

    /// Reads everything literally.
    pub fn literal(text: &str) -> Self {
        Self(text.chars().map(Piece::Char).collect())
    }

    /// Goes on with a literal text.
    pub fn push_literal(&mut self, text: &str) {
        self.0.extend(text.chars().map(Piece::Char));
    }

    /// Goes on with a pattern.
    pub fn push_pattern(&mut self, text: &str) {
        self.0.extend(Self::parse(text).0);
    }

    /// The pattern's parts between this character, at most `count` of them; the last takes in the rest.
    pub fn split(&self, at: char, count: usize) -> Vec<Self> {
        self.0.splitn(count, |piece| *piece == Piece::Char(at)).map(|pieces| Self(pieces.to_vec())).collect()
    }

    /// Does the pattern match the whole text? Case matters. Time grows with the product of both lengths at most.
    pub fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        let (mut piece, mut at) = (0, 0);
        // Where the last `*` stands, and how much of the text it has taken so far.
        let mut star: Option<(usize, usize)> = None;
        while at < text.len() {
            match self.0.get(piece) {
                Some(Piece::Any) => {
                    star = Some((piece, at));
                    piece += 1;
                }
                Some(Piece::One) => {
                    piece += 1;
                    at += 1;
                }
                Some(Piece::Char(character)) if *character == text[at] => {
                    piece += 1;
                    at += 1;
                }
                _ => {
                    let Some((stood, taken)) = star else { return false };
                    star = Some((stood, taken + 1));
                    piece = stood + 1;
                    at = taken + 1;
                }
            }
        }
        self.0[piece..].iter().all(|piece| *piece == Piece::Any)
    }

    /// Does it match every text that the other matches? Never said wrongly; patterns whose wildcards stand in another order
    /// (`*?` and `?*`) may be told apart although they match the same.
    pub fn covers(&self, other: &Self) -> bool {
        let (rows, columns) = (self.0.len(), other.0.len());
        // Whether the rest of this pattern covers the rest of the other, from the end.
        let mut below = vec![false; columns + 1];
        for row in (0..=rows).rev() {
            let mut current = vec![false; columns + 1];
            for column in (0..=columns).rev() {
                let theirs = other.0.get(column);
                current[column] = match (self.0.get(row), theirs) {
                    (None, theirs) => theirs.is_none(),
                    (Some(Piece::Any), theirs) => below[column] || (theirs.is_some() && current[column + 1]),
                    (Some(Piece::One), Some(Piece::Char(_) | Piece::One)) => below[column + 1],
                    (Some(Piece::Char(ours)), Some(Piece::Char(theirs))) => ours == theirs && below[column + 1],
                    _ => false,
                };
            }
            below = current;
        }
        below[0]
    }

    /// Has it no wildcard?
    pub fn is_literal(&self) -> bool {
        self.0.iter().all(|piece| matches!(piece, Piece::Char(_)))
    }

    /// Is there a text that both patterns match?
    pub fn intersects(&self, other: &Self) -> bool {
        let (rows, columns) = (self.0.len(), other.0.len());
        let mut below = vec![false; columns + 1];
        for row in (0..=rows).rev() {
            let mut current = vec![false; columns + 1];
            for column in (0..=columns).rev() {
                let (left, right) = (self.0.get(row), other.0.get(column));
                current[column] = match (left, right) {
                    (None, None) => true,
                    (Some(Piece::Any), _) => below[column] || (column < columns && current[column + 1]),
                    (_, Some(Piece::Any)) => current[column + 1] || (row < rows && below[column]),
                    (Some(Piece::Char(left)), Some(Piece::Char(right))) => left == right && below[column + 1],
                    (Some(_), Some(_)) => below[column + 1],
                    _ => false,
                };
            }
            below = current;
        }
        below[0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn wildcards_cross_everything() {
        for (pattern, text, expected) in [
            ("repo:acme/*", "repo:acme/api:ref:refs/heads/main", true),
            ("repo:acme/*", "repo:acme-evil/api:ref:refs/heads/main", false),
            ("a*b*c", "a--b--b--c", true),
            ("a*b*c", "a--c--b", false),
            ("api-?", "api-2", true),
            ("api-?", "api-", false),
            ("*", "", true),
            ("", "x", false),
        ] {
            assert_eq!(Glob::parse(pattern).matches(text), expected, "{pattern} {text}");
        }
        assert!(!Glob::literal("a*").matches("ab") && Glob::literal("a*").matches("a*"));
    }

    #[test]
    fn patterns_that_share_a_text() {
        for (left, right, expected) in [
            ("a*", "*b", true),
            ("a*", "b*", false),
            ("repo:o/r:ref:*", "repo:o/r:pull_request*", false),
            ("repo:o/r:*", "repo:o/*:main", true),
            ("?", "", false),
            ("*", "", true),
        ] {
            assert_eq!(Glob::parse(left).intersects(&Glob::parse(right)), expected, "{left} {right}");
        }
    }

    #[test]
    fn patterns_cover_patterns() {
        for (wide, narrow, expected) in [
            ("*", "a*b?", true),
            ("a*", "ab", true),
            ("a*", "a", true),
            ("a*", "*", false),
            ("repo:o/*", "repo:o/r:ref:*", true),
            ("repo:o/r:*", "repo:o/*", false),
            ("a?c", "abc", true),
            ("a?c", "a*c", false),
            ("a?", "a?", true),
            ("*main", "refs/*/main", true),
            ("", "", true),
            ("", "*", false),
        ] {
            assert_eq!(Glob::parse(wide).covers(&Glob::parse(narrow)), expected, "{wide} {narrow}");
        }
        assert!(!Glob::literal("a*").covers(&Glob::parse("a*")) && Glob::parse("a*").covers(&Glob::literal("a*")));
    }

    proptest! {
        #[test]
        fn what_is_covered_matches(wide in "[ab*?]{0,6}", narrow in "[ab*?]{0,6}", text in "[ab]{0,6}") {
            let (wide, narrow) = (Glob::parse(&wide), Glob::parse(&narrow));
            if wide.covers(&narrow) && narrow.matches(&text) {
                prop_assert!(wide.matches(&text));
            }
        }

        #[test]
        fn a_text_is_matched_exactly_if_the_patterns_meet(pattern in "[ab*?]{0,8}", text in "[ab]{0,8}") {
            prop_assert_eq!(Glob::parse(&pattern).matches(&text), Glob::parse(&pattern).intersects(&Glob::literal(&text)));
        }
    }
}
