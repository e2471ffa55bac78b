//! `matches()`: RE2 syntax, and a match anywhere in the text.

use regex_lite::RegexBuilder;
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind, Look};

/// Does the pattern match somewhere in the text?
///
/// # Errors
/// In words, where the pattern cannot be read.
pub(super) fn matches(text: &str, pattern: &str) -> Result<bool, String> {
    let regex = RegexBuilder::new(pattern).size_limit(1 << 20).build();
    regex.map(|regex| regex.is_match(text)).map_err(|error| format!("`{pattern}` is no regular expression: {error}"))
}

/// One way in which a pattern can match: a text with `*` and `?` as wildcards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::trust) struct Shape {
    /// The pattern; wildcards that were written, not those of a missing anchor.
    pub(in crate::trust) glob: String,
    /// There is no `^`, so anything may stand before.
    pub(in crate::trust) open_start: bool,
    /// There is no `$`, so anything may follow.
    pub(in crate::trust) open_end: bool,
}

const START: char = '\u{2}';
const END: char = '\u{3}';
/// More alternatives than this are told as anything at all.
const MOST: usize = 64;

/// The ways in which a pattern can match; `None` where it cannot be read.
pub(in crate::trust) fn shapes(pattern: &str) -> Option<Vec<Shape>> {
    let texts = expand(&parsed(pattern)?);
    Some(texts.into_iter().filter_map(shape).collect())
}

/// Are there letters of which upper and lower case will do? [`shapes`] tells them by the lower case alone.
pub(in crate::trust) fn folds(pattern: &str) -> bool {
    fn any(tree: &Hir) -> bool {
        match tree.kind() {
            HirKind::Class(class) => one_letter(class).is_some(),
            HirKind::Capture(capture) => any(&capture.sub),
            HirKind::Repetition(repeated) => any(&repeated.sub),
            HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().any(any),
            _ => false,
        }
    }
    parsed(pattern).is_some_and(|tree| any(&tree))
}

/// The characters of a class; `None` where they are more than are told one by one.
fn few(class: &Class) -> Option<Vec<char>> {
    const FEW: usize = 4;
    let first = |characters: &mut dyn Iterator<Item = char>| characters.take(FEW + 1).collect::<Vec<char>>();
    let found = match class {
        Class::Bytes(class) => first(&mut class.iter().flat_map(|range| range.start()..=range.end()).map(char::from)),
        // An alternation of single characters is such a class, whatever the parser was told of Unicode.
        Class::Unicode(class) => first(&mut class.iter().flat_map(|range| range.start()..=range.end())),
    };
    (found.len() <= FEW).then_some(found)
}

/// The letter of a class that has its upper and its lower case.
fn one_letter(class: &Class) -> Option<char> {
    match few(class)?.as_slice() {
        [one, other] if one.eq_ignore_ascii_case(other) => Some(*other),
        _ => None,
    }
}

fn parsed(pattern: &str) -> Option<Hir> {
    ParserBuilder::new().unicode(false).utf8(false).nest_limit(100).build().parse(pattern).ok()
}

fn shape(text: String) -> Option<Shape> {
    let (open_start, text) = text.strip_prefix(START).map_or((true, text.as_str()), |rest| (false, rest));
    let (open_end, text) = text.strip_suffix(END).map_or((true, text), |rest| (false, rest));
    // `^` behind a text and `$` before one never match; what may be empty is told by its other alternatives.
    if text.trim_start_matches('*').contains(START) || text.trim_end_matches('*').contains(END) {
        return None;
    }
    let mut glob: String = text.chars().filter(|mark| ![START, END].contains(mark)).collect();
    while glob.contains("**") {
        glob = glob.replace("**", "*");
    }
    Some(Shape { glob, open_start, open_end })
}

fn expand(tree: &Hir) -> Vec<String> {
    let one = |text: &str| vec![text.to_owned()];
    match tree.kind() {
        HirKind::Empty => one(""),
        HirKind::Look(Look::Start) => vec![START.to_string()],
        HirKind::Look(Look::End) => vec![END.to_string()],
        HirKind::Look(_) => one(""),
        HirKind::Literal(text) => vec![literal(&String::from_utf8_lossy(&text.0))],
        HirKind::Class(class) => match (one_letter(class), few(class)) {
            (Some(letter), _) => one(&letter.to_string()),
            (None, Some(few)) => few.into_iter().map(|one| literal(&one.to_string())).collect(),
            (None, None) => one("?"),
        },
        HirKind::Capture(capture) => expand(&capture.sub),
        HirKind::Repetition(repeated) => match (repeated.min, repeated.max) {
            (0, Some(0)) => one(""),
            (0, Some(1)) => {
                let mut all = expand(&repeated.sub);
                all.push(String::new());
                all
            }
            (least, Some(most)) if least == most && least <= 8 => {
                product(std::iter::repeat_n(&*repeated.sub, least as usize))
            }
            _ => one("*"),
        },
        HirKind::Concat(parts) => product(parts.iter()),
        HirKind::Alternation(ways) => {
            let all: Vec<String> = ways.iter().flat_map(expand).collect();
            if all.len() > MOST { one("*") } else { all }
        }
    }
}

/// A wildcard's sign in the text is no wildcard.
fn literal(text: &str) -> String {
    text.replace(['*', '?'], "\u{fffd}")
}

fn product<'a>(parts: impl Iterator<Item = &'a Hir>) -> Vec<String> {
    let mut all = vec![String::new()];
    for part in parts {
        let ways = expand(part);
        if all.len() * ways.len() > MOST {
            all.iter_mut().for_each(|text| text.push('*'));
            continue;
        }
        all = all.iter().flat_map(|text| ways.iter().map(move |way| format!("{text}{way}"))).collect();
    }
    all
}
