//! How wide a text is at most, whatever font the reader has.

/// Widths are in pixels at this size.
pub(super) const NAME: f64 = 13.0;
/// As above, for what stands beside a name.
pub(super) const SMALL: f64 = 11.0;

/// A text in a font of fixed width. The widest of the common ones take 0.602 of their size; others come from another font.
pub(super) fn mono(text: &str, size: f64) -> f64 {
    text.chars().map(|character| if character.is_ascii() { 0.61 } else { wide(character) }).sum::<f64>() * size
}

/// A text in a sans serif font, none of the common ones being wider than Verdana.
pub(super) fn sans(text: &str, size: f64) -> f64 {
    text.chars().map(sans_character).sum::<f64>() * size
}

fn sans_character(character: char) -> f64 {
    match character {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | ' ' => 0.38,
        'f' | 'r' | 't' | '-' | '/' | '\\' | '(' | ')' | '[' | ']' | '"' => 0.46,
        'm' | 'w' | 'M' | 'W' | '@' | '%' | '#' | '+' | '=' | '<' | '>' | '~' | '^' => 1.0,
        'A'..='Z' | '&' | '$' => 0.8,
        _ if character.is_ascii() => 0.66,
        _ => wide(character),
    }
}

/// Scripts beyond Latin may be as wide as they are high, pictures wider.
fn wide(character: char) -> f64 {
    match u32::from(character) {
        0x00a0..=0x02ff | 0x2010..=0x2027 => 0.75,
        0x0300..=0x1fff => 1.0,
        _ => 1.35,
    }
}

/// The text in lines of at most this width by this measure, broken behind `/ - _ . : ,` or a space where there is one.
pub(super) fn wrap(text: &str, width: f64, measure: impl Fn(&str) -> f64) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for character in text.chars() {
        line.push(character);
        if measure(&line) <= width || line.chars().count() < 2 {
            continue;
        }
        let fits = line.len() - character.len_utf8();
        // The first characters of a line are no place to break it.
        let head = line.char_indices().nth(line.chars().count() / 3).map_or(0, |(at, _)| at);
        let at = line[..fits]
            .rfind([' ', '/', '-', '_', '.', ':', ','])
            .map(|at| at + 1)
            .filter(|at| *at > head)
            .unwrap_or(fits);
        let rest = line.split_off(at);
        lines.push(line.trim_end().to_owned());
        line = rest;
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_and_nothing_is_lost() {
        let text = "quarry-street/a-very-long-name-of-a-project/and-another";
        let lines = wrap(text, 160.0, |line| mono(line, NAME));
        assert!(lines.len() > 2 && lines.iter().all(|line| mono(line, NAME) <= 160.0), "{lines:?}");
        assert_eq!(lines.concat(), text);
        assert!(lines[..lines.len() - 1].iter().all(|line| line.ends_with(['-', '/'])), "{lines:?}");
        assert_eq!(wrap("", 10.0, |line| mono(line, NAME)), [""]);
        assert_eq!(wrap("\u{1f600}\u{1f600}", 1.0, |line| mono(line, NAME)).len(), 2);
    }
}
