//! Rows of a CSV or JSON file beside the profile, each knowing its line.

use std::path::Path;

use federate_core::Error;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::codes;
use crate::file::contents;

/// One row: the values of its columns in their order, and where it stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Row {
    pub(crate) values: Vec<(String, String)>,
    /// `profiles/accounts.csv:7`; empty for values that are written in a layer.
    pub(crate) place: String,
}

/// The rows of a file, and all columns that some row has.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Rows {
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Row>,
}

/// Text, the file for people, and what plain values are called.
type Parser = fn(&str, &str, Option<&str>) -> Result<Rows, Vec<Error>>;

/// Reads a file by its ending. `key` is what a plain list of values in JSON is called.
///
/// # Errors
/// `matrix-file`, all bad rows at once, each with its line.
pub(crate) fn read(path: &Path, shown: &str, key: Option<&str>) -> Result<Rows, Vec<Error>> {
    // The place of what is wrong with the whole file is the line that names it.
    let unusable = |what: &str| Error::new(&codes::MATRIX_FILE, format!("{shown} {what}"));
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
    let parse: Parser = match ending.as_str() {
        "csv" => csv,
        "json" => json,
        _ => {
            return Err(vec![
                unusable("is neither a .csv nor a .json file")
                    .with_help("give the file one of these endings: it says how the file is read"),
            ]);
        }
    };
    let bytes = contents(path).map_err(|error| vec![unusable("cannot be read").with_cause(error.to_string())])?;
    let text = String::from_utf8(bytes)
        .map_err(|_| vec![unusable("cannot be read").with_cause("it is not UTF-8").with_help("convert it")])?;
    // Spreadsheet programs begin a file with a byte order mark.
    let rows = parse(text.strip_prefix('\u{feff}').unwrap_or(&text), shown, key)?;
    if rows.rows.is_empty() {
        return Err(vec![bad(shown, format!("{shown} has no rows")).with_help("each row makes a target")]);
    }
    Ok(rows)
}

fn bad(place: &str, what: impl Into<String>) -> Error {
    Error::new(&codes::MATRIX_FILE, what).with_origin(place)
}

fn column_name(name: &str, place: &str) -> Result<(), Error> {
    let good = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if good {
        return Ok(());
    }
    Err(bad(place, format!("`{name}` cannot be the name of a column"))
        .with_help("names have letters, digits, `.`, `_` and `-`; the first line of a CSV file names the columns, separated by commas"))
}

fn twice(name: &str, place: &str) -> Error {
    bad(place, format!("the column `{name}` is there twice"))
}

/// Counts lines from the beginning of a text on.
struct Lines<'t> {
    text: &'t str,
    at: usize,
    line: usize,
}

impl Lines<'_> {
    /// The line of a place that is not before the last one.
    fn at(&mut self, at: usize) -> usize {
        let passed = self.text.as_bytes().get(self.at..at).unwrap_or_default();
        self.line += passed.iter().filter(|byte| **byte == b'\n').count();
        self.at = self.at.max(at);
        self.line
    }

    /// The line of a row; a reader of CSV says where the one before ended, blank lines and half a line's end included.
    fn of_row(&mut self, position: &csv::Position) -> usize {
        let start = usize::try_from(position.byte()).unwrap_or(usize::MAX).min(self.text.len());
        let blank = self.text.as_bytes()[start..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        self.at(start + blank)
    }
}

/// A header, then a row a line. Every value is a text: leading zeros stay.
fn csv(text: &str, shown: &str, _key: Option<&str>) -> Result<Rows, Vec<Error>> {
    let mut lines = Lines { text, at: 0, line: 1 };
    let broken = |error: &csv::Error, lines: &mut Lines<'_>| {
        let place = error.position().map_or_else(|| shown.to_owned(), |at| format!("{shown}:{}", lines.of_row(at)));
        match error.kind() {
            csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                bad(&place, format!("the row has {len} values, and the header has {expected_len} columns")).with_help(
                    "put a value that has a comma in it into quotes, and end every quote where its value ends",
                )
            }
            other => bad(&place, "the row cannot be read").with_cause(format!("{other:?}")),
        }
    };
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| vec![broken(&error, &mut lines)])?.clone();
    let columns: Vec<String> = header.iter().map(str::to_owned).collect();
    let first = format!("{shown}:1");
    let mut errors: Vec<Error> = columns.iter().filter_map(|name| column_name(name, &first).err()).collect();
    errors.extend(
        columns
            .iter()
            .enumerate()
            .filter(|(at, name)| columns[..*at].contains(name))
            .map(|(_, name)| twice(name, &first)),
    );
    let mut rows = Vec::new();
    for record in reader.records() {
        match record {
            Ok(record) => {
                let line = record.position().map_or(0, |at| lines.of_row(at));
                let values = columns.iter().cloned().zip(record.iter().map(str::to_owned)).collect();
                // A spreadsheet program writes rows of nothing but commas.
                if record.iter().any(|value| !value.is_empty()) {
                    rows.push(Row { values, place: format!("{shown}:{line}") });
                }
            }
            Err(error) => errors.push(broken(&error, &mut lines)),
        }
    }
    if errors.is_empty() { Ok(Rows { columns, rows }) } else { Err(errors) }
}

/// A list of objects, or of plain values where it is for one key.
fn json(text: &str, shown: &str, key: Option<&str>) -> Result<Rows, Vec<Error>> {
    let items: Vec<&RawValue> = serde_json::from_str(text).map_err(|error| {
        vec![
            bad(&format!("{shown}:{}:{}", error.line(), error.column().max(1)), format!("{shown} is not a JSON list"))
                .with_cause(error.to_string())
                .with_help("write it like [{\"account\": \"111122223333\", \"region\": \"eu-west-1\"}, …]; a number with leading zeros is a text, in quotes"),
        ]
    })?;
    let mut found = Rows::default();
    let mut errors = Vec::new();
    let mut lines = Lines { text, at: 0, line: 1 };
    for item in items {
        let place = format!("{shown}:{}", lines.at(offset(text, item.get())));
        let values = match (key, scalar(item.get())) {
            (Some(key), Some(value)) => Ok(vec![(key.to_owned(), value)]),
            (None, Some(_)) => Err(bad(&place, "a plain value stands where an object was expected")
                .with_help("a list of plain values is for one key: matrix = { account = { file = \"…\" } }")),
            (_, None) => object(item.get(), &place),
        };
        match values {
            Ok(values) => {
                for (name, _) in &values {
                    if !found.columns.contains(name) {
                        errors.extend(column_name(name, &place).err());
                        found.columns.push(name.clone());
                    }
                }
                found.rows.push(Row { values, place });
            }
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(found) } else { Err(errors) }
}

/// Where a part of the text begins in it.
fn offset(text: &str, part: &str) -> usize {
    (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize)
}

/// A text, or a whole number as it is written.
fn scalar(raw: &str) -> Option<String> {
    if raw.starts_with('"') {
        return serde_json::from_str(raw).ok();
    }
    (!raw.is_empty() && raw.bytes().all(|byte| byte.is_ascii_digit())).then(|| raw.to_owned())
}

/// The keys of an object in their order; `null` counts as missing.
fn object(raw: &str, place: &str) -> Result<Vec<(String, String)>, Error> {
    let Ok(Pairs(pairs)) = serde_json::from_str::<Pairs<'_>>(raw) else {
        return Err(bad(place, "the list holds something else than objects, texts and whole numbers"));
    };
    let mut values: Vec<(String, String)> = Vec::new();
    for (name, raw) in pairs {
        if values.iter().any(|(known, _)| *known == name) {
            return Err(twice(&name, place));
        }
        match scalar(raw.get()) {
            Some(value) => values.push((name, value)),
            None if raw.get() == "null" => {}
            None => {
                return Err(bad(place, format!("`{name}` must be a text or a whole number"))
                    .with_help("write it in quotes; lists and tables cannot be values of a matrix"));
            }
        }
    }
    Ok(values)
}

/// An object's keys and values as they are written.
struct Pairs<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Vec<(String, &'de RawValue)>;
            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(pairs)
            }
        }
        deserializer.deserialize_map(InOrder).map(Pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str, ending: &str, key: Option<&str>) -> Result<Rows, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(format!("accounts.{ending}"));
        std::fs::write(&path, text).unwrap();
        read(&path, "f", key).map_err(|errors| errors.iter().map(|error| format!("{error:?}\n")).collect())
    }

    fn flat(rows: &Rows) -> Vec<String> {
        rows.rows
            .iter()
            .map(|row| {
                let values: Vec<String> = row.values.iter().map(|(key, value)| format!("{key}={value}")).collect();
                format!("{} {}", row.place, values.join(" "))
            })
            .collect()
    }

    #[test]
    fn csv_keeps_zeros_order_and_lines() {
        let text = "\u{feff}region, account\r\neu-west-1,012345678901\r\n\r\n\"eu,west\" , 1\n,\n";
        let read = rows(text, "csv", None).unwrap();
        assert_eq!(read.columns, ["region", "account"]);
        assert_eq!(flat(&read), ["f:2 region=eu-west-1 account=012345678901", "f:4 region=eu,west account=1"]);
    }

    #[test]
    fn json_keeps_numbers_as_written() {
        let text = "[\n  {\"region\": \"r\", \"account\": 111122223333},\n\n  {\"account\": \"01\", \"x\": null}\n]";
        let read = rows(text, "json", None).unwrap();
        assert_eq!(read.columns, ["region", "account"]);
        assert_eq!(flat(&read), ["f:2 region=r account=111122223333", "f:4 account=01"]);
        assert_eq!(flat(&rows("[\"a\",\n12]", "JSON", Some("k")).unwrap()), ["f:1 k=a", "f:2 k=12"]);
    }

    #[test]
    fn what_is_wrong_has_its_line() {
        for (text, ending, words) in [
            ("a,b\n1,2\n1\n1,2,3\n", "csv", &["f:3", "has 1 values", "f:4", "has 3 values"][..]),
            ("a,a\n1,2\n", "csv", &["f:1", "`a` is there twice"]),
            ("a;b\n1;2\n", "csv", &["`a;b` cannot be the name", "commas"]),
            ("a\n", "csv", &["has no rows"]),
            ("", "csv", &["has no rows"]),
            ("[]", "json", &["has no rows"]),
            ("[{\"a\": 1},\n{\"a\": 1.5},\n{\"a\": [1]}, {\"a\": 1, \"a\": 2}]", "json", &["f:2", "f:3", "twice"]),
            ("[1]", "json", &["f:1", "one key"]),
            ("[true]", "json", &["something else"]),
            ("[{\"a\":\n 012}]", "json", &["f:2:", "leading zeros"]),
            ("{\"Accounts\": []}", "json", &["f:1:1", "not a JSON list"]),
            ("a,b\n\"1,2\n3,4\n", "csv", &["f:2", "has 1 values", "end every quote"]),
            ("a", "txt", &["neither"]),
        ] {
            let found = rows(text, ending, None).unwrap_err();
            for word in words {
                assert!(found.contains(word), "{text}: {word}: {found}");
            }
        }
        let missing = read(Path::new("/nowhere/x.csv"), "x.csv", None).unwrap_err();
        assert!(missing[0].what().contains("cannot be read"));
        assert!(read(Path::new("/dev/zero.csv"), "x", None).is_err());
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/dev/zero", folder.path().join("z.csv")).unwrap();
        assert!(format!("{:?}", read(&folder.path().join("z.csv"), "z", None)).contains("regular file"));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(?s).{0,200}") {
            for parse in [csv, json] {
                let _ = parse(&text, "f", Some("k"));
            }
        }
    }
}
