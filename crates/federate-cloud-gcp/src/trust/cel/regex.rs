//! `matches()`: RE2 syntax, and a match anywhere in the text.

use regex_lite::RegexBuilder;
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, ClassBytes, Hir, HirKind, Look};

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
            HirKind::Class(Class::Bytes(class)) => one_letter(class).is_some(),
            HirKind::Capture(capture) => any(&capture.sub),
            HirKind::Repetition(repeated) => any(&repeated.sub),
            HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().any(any),
            _ => false,
        }
    }
    parsed(pattern).is_some_and(|tree| any(&tree))
}

/// The letter of a class that has its upper and its lower case.
fn one_letter(class: &ClassBytes) -> Option<char> {
    let mut bytes = class.iter().flat_map(|range| range.start()..=range.end());
    match (bytes.next(), bytes.next(), bytes.next()) {
        (Some(one), Some(other), None) if one.eq_ignore_ascii_case(&other) => Some(char::from(other)),
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
        HirKind::Literal(literal) => {
            // A wildcard's sign in the text is no wildcard.
            vec![String::from_utf8_lossy(&literal.0).replace(['*', '?'], "\u{fffd}")]
        }
        HirKind::Class(Class::Bytes(class)) => {
            let bytes: Vec<u8> = class.iter().flat_map(|range| range.start()..=range.end()).collect();
            if bytes.is_empty() {
                Vec::new()
            } else if let Some(letter) = one_letter(class) {
                one(&letter.to_string())
            } else if bytes.len() <= 4 {
                bytes.into_iter().map(|byte| char::from(byte).to_string()).collect()
            } else {
                one("?")
            }
        }
        HirKind::Class(Class::Unicode(_)) => one("?"),
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
