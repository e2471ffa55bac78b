//! A TOML file as a layer: values, lines, and every syntax error at once.

use std::path::Path;

use federate_core::Error;
use figment::value::{Dict, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::codes;
use crate::layer::{KeyPath, Layer, LayerKind, is_matrix_key};

/// Reads a file. `Ok(None)` if it does not exist.
pub(crate) fn read(path: &Path, kind: LayerKind, shown: &str) -> Result<Option<Layer>, Vec<Error>> {
    let text = match std::fs::read(path) {
        Ok(bytes) => String::from_utf8(bytes).map_err(|_| {
            vec![
                Error::new(&codes::SYNTAX, format!("{shown} is not UTF-8"))
                    .with_origin(shown)
                    .with_help("TOML files are UTF-8; convert it"),
            ]
        })?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
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

/// Reads the text of a file.
pub(crate) fn parse(text: &str, kind: LayerKind, shown: &str) -> Result<Layer, Vec<Error>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        return Err(errors.iter().map(|error| syntax_error(text, shown, error)).collect());
    }
    let mut layer = Layer::new(kind, shown);
    let mut reader = Reader { text, shown, places: Vec::new(), matrix_keys: Vec::new() };
    layer.values = reader.table(table.get_ref(), &mut Vec::new());
    reader.matrix_keys.sort();
    layer.matrix_keys = reader.matrix_keys.into_iter().map(|(_, path)| path).collect();
    layer.places = reader.places.into_iter().collect();
    Ok(layer)
}

fn syntax_error(text: &str, shown: &str, error: &toml::de::Error) -> Error {
    let (line, column) = position(text, error.span().map_or(0, |span| span.start));
    let message = error.message().lines().next().unwrap_or_default();
    Error::new(&codes::SYNTAX, format!("{shown} is not valid TOML: {message}"))
        .with_origin(format!("{shown}:{line}:{column}"))
}

fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

struct Reader<'a> {
    text: &'a str,
    shown: &'a str,
    places: Vec<(KeyPath, String)>,
    matrix_keys: Vec<(usize, KeyPath)>,
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
                Err(_) => Value::from(number.as_str().to_owned()),
            },
            DeValue::Float(number) => number
                .as_str()
                .replace('_', "")
                .parse::<f64>()
                .map_or_else(|_| Value::from(number.as_str().to_owned()), Value::from),
            DeValue::Datetime(time) => Value::from(time.to_string()),
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

    fn note(&mut self, offset: usize, path: &KeyPath) {
        let (line, _) = position(self.text, offset);
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

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(?s).{0,200}") {
            let _ = parse(&text, LayerKind::Base, "base.toml");
        }
    }
}
