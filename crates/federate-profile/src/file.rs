//! A TOML file as a layer: values, lines, and every syntax error at once.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use federate_core::Error;
use figment::value::{Dict, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::codes;
use crate::layer::{KeyPath, Layer, LayerKind, dotted, is_matrix_key};

/// The largest file that is read: some ten thousand rows of a matrix, and more than anybody writes of settings.
const LIMIT: u64 = 4 * 1024 * 1024;

/// Reads a file. `Ok(None)` if it does not exist.
pub(crate) fn read(path: &Path, kind: LayerKind, shown: &str) -> Result<Option<Layer>, Vec<Error>> {
    let text = match contents(path) {
        Ok(bytes) => String::from_utf8(bytes).map_err(|error| {
            let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = valid.iter().filter(|byte| **byte == b'\n').count() + 1;
            vec![
                Error::new(&codes::SYNTAX, format!("{shown} is not UTF-8"))
                    .with_origin(format!("{shown}:{line}"))
                    .with_help("TOML files are UTF-8; convert it"),
            ]
        })?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(vec![
                Error::new(&codes::FILE, format!("{shown} cannot be read"))
                    .with_cause(error.to_string())
                    .with_origin(shown),
            ]);
        }
    };
    let mut layer = parse(&text, kind, shown)?;
    layer.path = Some(path.to_owned());
    Ok(Some(layer))
}

/// The bytes of a file that somebody else may have put there: a link to a device or a pipe would never end.
pub(crate) fn contents(path: &Path) -> io::Result<Vec<u8>> {
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    if metadata.len() > LIMIT {
        return Err(io::Error::other(format!("it is larger than {} MiB", LIMIT / 1024 / 1024)));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(LIMIT).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads the text of a file.
pub(crate) fn parse(text: &str, kind: LayerKind, shown: &str) -> Result<Layer, Vec<Error>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        return Err(errors.iter().map(|error| syntax_error(text, shown, error)).collect());
    }
    let mut layer = Layer::new(kind, shown);
    let line_ends = text.match_indices('\n').map(|(at, _)| at).collect();
    let mut reader = Reader { line_ends, shown, places: Vec::new(), matrix_keys: Vec::new(), problems: Vec::new() };
    layer.values = reader.table(table.get_ref(), &mut Vec::new());
    reader.matrix_keys.sort();
    layer.matrix_keys = reader.matrix_keys.into_iter().map(|(_, path)| path).collect();
    layer.places = reader.places.into_iter().collect();
    layer.problems = reader.problems;
    Ok(layer)
}

fn syntax_error(text: &str, shown: &str, error: &toml::de::Error) -> Error {
    let (line, column) = position(text, error.span().map_or(0, |span| span.start));
    let message = error.message().lines().next().unwrap_or_default();
    let key = error.span().and_then(|span| text.get(span)).filter(|_| message == "duplicate key");
    let key = key.map(|key| format!(" `{key}`")).unwrap_or_default();
    Error::new(&codes::SYNTAX, format!("{shown} is not valid TOML: {message}{key}"))
        .with_origin(format!("{shown}:{line}:{column}"))
}

fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

struct Reader<'a> {
    /// Where each line ends.
    line_ends: Vec<usize>,
    shown: &'a str,
    places: Vec<(KeyPath, String)>,
    matrix_keys: Vec<(usize, KeyPath)>,
    /// Values that TOML knows and no setting takes.
    problems: Vec<Error>,
}

impl Reader<'_> {
    fn table(&mut self, table: &DeTable<'_>, path: &mut KeyPath) -> Dict {
        let mut dict = Dict::new();
        for (key, value) in table.iter() {
            path.push(key.get_ref().to_string());
            self.note(key.span().start, path);
            if is_matrix_key(path) {
                self.matrix_keys.push((key.span().start, path.clone()));
            }
            dict.insert(key.get_ref().to_string(), self.value(value, path));
            path.pop();
        }
        dict
    }

    fn value(&mut self, value: &Spanned<DeValue<'_>>, path: &mut KeyPath) -> Value {
        match value.get_ref() {
            DeValue::String(text) => Value::from(text.to_string()),
            DeValue::Boolean(flag) => Value::from(*flag),
            DeValue::Integer(number) => match i64::from_str_radix(&number.as_str().replace('_', ""), number.radix()) {
                Ok(integer) => Value::from(integer),
                Err(_) => {
                    self.refuse(value, path, "a number that is too large");
                    Value::from(number.as_str().to_owned())
                }
            },
            DeValue::Float(number) => number
                .as_str()
                .replace('_', "")
                .parse::<f64>()
                .map_or_else(|_| Value::from(number.as_str().to_owned()), Value::from),
            DeValue::Datetime(time) => {
                self.refuse(value, path, "a date or a time");
                Value::from(time.to_string())
            }
            DeValue::Table(table) => Value::from(self.table(table, path)),
            DeValue::Array(array) => {
                let mut values = Vec::new();
                for (index, item) in array.iter().enumerate() {
                    path.push(index.to_string());
                    self.note(item.span().start, path);
                    values.push(self.value(item, path));
                    path.pop();
                }
                Value::from(values)
            }
        }
    }

    fn line(&self, offset: usize) -> usize {
        self.line_ends.partition_point(|end| *end < offset) + 1
    }

    fn refuse(&mut self, value: &Spanned<DeValue<'_>>, path: &KeyPath, what: &str) {
        let key = path.iter().rev().find(|part| part.parse::<usize>().is_err()).map_or("", String::as_str);
        self.problems.push(
            Error::new(&codes::WRONG_TYPE, format!("`{key}` is {what}, which no setting takes"))
                .with_setting(dotted(path))
                .with_origin(format!("{}:{}", self.shown, self.line(value.span().start)))
                .with_help("write it in quotes"),
        );
    }

    fn note(&mut self, offset: usize, path: &KeyPath) {
        let line = self.line(offset);
        self.places.push((path.clone(), format!("{}:{line}", self.shown)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::undotted;

    #[test]
    fn every_key_knows_its_line() {
        let layer =
            parse("a = 1\n\n[t.x]\nk = [\n  { r = \"1\" },\n  { r = \"2\" },\n]\n", LayerKind::Base, "base.toml")
                .unwrap();
        for (path, line) in [("a", 1), ("t.x.k", 4), ("t.x.k.0.r", 5), ("t.x.k.1.r", 6)] {
            assert_eq!(layer.place(&undotted(path)), format!("base.toml:{line}"), "{path}");
        }
    }

    #[test]
    fn all_syntax_errors_are_reported() {
        let errors = parse("a = \nb = 1\nc = = 2\n", LayerKind::Base, "base.toml").unwrap_err();
        let origins: Vec<_> = errors.iter().filter_map(|error| error.origin()).collect();
        assert!(origins.iter().any(|origin| origin.starts_with("base.toml:1:")), "{origins:?}");
        assert!(origins.iter().any(|origin| origin.starts_with("base.toml:3:")), "{origins:?}");
    }

    #[test]
    fn values_that_no_setting_takes_are_refused() {
        let layer = parse("\n[t]\nd = 2024-01-01\nn = [\n  99999999999999999999,\n]\n", LayerKind::Base, "b").unwrap();
        let found: Vec<_> = layer.problems.iter().map(|error| (error.what(), error.origin().unwrap())).collect();
        assert_eq!(
            found,
            [
                ("`d` is a date or a time, which no setting takes", "b:3"),
                ("`n` is a number that is too large, which no setting takes", "b:5")
            ]
        );
    }

    #[test]
    fn a_file_without_an_end_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("base.toml");
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        let errors = read(&path, LayerKind::Base, "base.toml").unwrap_err();
        assert_eq!(errors[0].cause(), Some("it is not a regular file"));
    }

    #[test]
    fn what_is_twice_and_what_is_no_text_is_named() {
        let errors = parse("a = 1\na = 2\n", LayerKind::Base, "b").unwrap_err();
        assert!(errors[0].what().ends_with("duplicate key `a`"), "{errors:?}");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("base.toml");
        std::fs::write(&path, b"# a\n# \xff\n").unwrap();
        assert_eq!(read(&path, LayerKind::Base, "b").unwrap_err()[0].origin(), Some("b:2"));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(?s).{0,200}") {
            let _ = parse(&text, LayerKind::Base, "base.toml");
        }
    }
}
