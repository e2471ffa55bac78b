//! `[targets.T] matrix = …`: one table, many targets.
//!
//! Every key with a list, and every file of rows, is a factor; their product is the targets.

use std::collections::BTreeMap;
use std::path::PathBuf;

use federate_core::Error;
use figment::value::{Dict, Value};

use crate::codes;
use crate::placeholders::{fill_matrix_text, known_key};
use crate::rows::{self, Row};

/// More would be a mistake in a product.
const MOST: usize = 10_000;

/// Where the values of a section come from, as far as only the profile knows it.
pub(crate) struct Surroundings<'a> {
    /// Came the value as a text, from a variable or a flag?
    pub(crate) is_text: &'a dyn Fn(&Value) -> bool,
    /// A path that the value names, from the folder of the file that declares it.
    pub(crate) path_beside: &'a dyn Fn(&Value, &str) -> PathBuf,
    /// A path for people.
    pub(crate) shown: &'a dyn Fn(&PathBuf) -> String,
}

/// What a matrix makes.
#[derive(Debug)]
pub(crate) struct Matrix {
    /// What `{matrix:KEY}` may name.
    pub(crate) keys: Vec<String>,
    /// The targets, in the order of lists and rows.
    pub(crate) members: Vec<Member>,
}

/// One target of a matrix.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    /// Its whole name: `member-111122223333-eu-west-1`.
    pub(crate) name: String,
    /// What `{matrix:KEY}` stands for.
    values: BTreeMap<String, String>,
    /// The rows of files that it is made from.
    pub(crate) places: Vec<String>,
}

impl Member {
    /// A value.
    ///
    /// # Errors
    /// `matrix-file` where the row has none.
    pub(crate) fn value(&self, key: &str) -> Result<String, Error> {
        self.values.get(key).filter(|value| !value.is_empty()).cloned().ok_or_else(|| {
            let error = Error::new(&codes::MATRIX_FILE, format!("the row has no `{key}`"));
            match self.places.first() {
                Some(place) => error.with_origin(place),
                None => error,
            }
        })
    }
}

/// One of the things that are multiplied.
struct Factor {
    columns: Vec<String>,
    rows: Vec<Row>,
    /// The columns that stand in the targets' names.
    named: Vec<String>,
}

/// Reads a matrix and makes its product. `order` has its keys as they are written.
///
/// # Errors
/// Every problem; `setting` is the path inside the target's section.
pub(crate) fn read(
    target: &str,
    matrix: &Value,
    order: &[String],
    surroundings: &Surroundings<'_>,
) -> Result<Matrix, Vec<Error>> {
    let Some(table) = matrix.as_dict() else {
        return Err(vec![
            wrong("matrix", "`matrix` must be a table")
                .with_help("write it like matrix = { account = [\"111122223333\"], region = [\"eu-west-1\"] }"),
        ]);
    };
    let mut errors = Vec::new();
    let mut factors = Vec::new();
    for key in order.iter().filter(|key| *key != "name") {
        let Some(value) = table.get(key) else { continue };
        match factor(key, value, surroundings) {
            Ok(factor) => factors.push(factor),
            Err(found) => errors.extend(found),
        }
    }
    let keys: Vec<String> = factors.iter().flat_map(|factor| factor.columns.clone()).collect();
    for (at, key) in keys.iter().enumerate() {
        if keys[..at].contains(key) {
            errors.push(
                Error::new(&codes::MATRIX, format!("two parts of the matrix give `{key}`"))
                    .with_setting(format!("matrix.{key}"))
                    .with_help("leave it out of one, or rename the file's column"),
            );
        }
    }
    if errors.is_empty() && factors.is_empty() {
        errors.push(
            Error::new(&codes::MATRIX, "the matrix has no values")
                .with_setting("matrix")
                .with_help("give it lists or a file: matrix = { file = \"accounts.csv\" }"),
        );
    }
    let name = name(table, &keys).unwrap_or_else(|error| {
        errors.push(error);
        None
    });
    let count = factors.iter().try_fold(1_usize, |count, factor| count.checked_mul(factor.rows.len()));
    if count.is_none_or(|count| count > MOST) {
        errors.push(
            Error::new(&codes::MATRIX, format!("the matrix makes more than {MOST} targets")).with_setting("matrix"),
        );
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let members = product(target, &factors, name.as_deref())?;
    Ok(Matrix { keys, members })
}

/// A list of values, or the rows of a file.
fn factor(key: &str, value: &Value, surroundings: &Surroundings<'_>) -> Result<Factor, Vec<Error>> {
    let setting = format!("matrix.{key}");
    let located =
        |errors: Vec<Error>| errors.into_iter().map(|error| error.with_setting(setting.clone())).collect::<Vec<_>>();
    match value {
        Value::String(_, path) if key == "file" => {
            let read = from_file(value, path, None, surroundings).map_err(located)?;
            let named = match read.columns.iter().find(|column| *column == "name") {
                Some(name) => vec![name.clone()],
                None => read.columns.clone(),
            };
            Ok(Factor { columns: read.columns, rows: read.rows, named })
        }
        _ if key == "file" => Err(vec![wrong(&setting, "`file` must be a path").with_help("write it in quotes")]),
        Value::Dict(_, table) => {
            let text = |name: &str| table.get(name).and_then(Value::as_str);
            let unknown = table.keys().find(|name| !["file", "column"].contains(&name.as_str()));
            let (Some(path), None, true) = (text("file"), unknown, table.len() == 1 || text("column").is_some()) else {
                return Err(vec![wrong(&setting, format!("`{key}` must be a list of values, or name a file"))
                    .with_help(format!("write it like {key} = {{ file = \"{key}s.csv\" }}, with `column = \"…\"` where the column is not called `{key}`"))]);
            };
            let origin = table.get("file").unwrap_or(value);
            let column = text("column").unwrap_or(key);
            let read = from_file(origin, path, Some(column), surroundings).map_err(located)?;
            let mut errors = Vec::new();
            if !read.columns.iter().any(|known| known == column) {
                errors.push(
                    Error::new(&codes::MATRIX_FILE, format!("the file has no column `{column}`"))
                        .with_setting(setting.clone())
                        .with_help(format!("it has {}; choose one with `column = \"…\"`", read.columns.join(", "))),
                );
            }
            let rows = read
                .rows
                .into_iter()
                .map(|row| Row {
                    values: row
                        .values
                        .into_iter()
                        .filter(|(name, _)| name == column)
                        .map(|(_, value)| (key.to_owned(), value))
                        .collect(),
                    place: row.place,
                })
                .collect();
            let one = vec![key.to_owned()];
            if errors.is_empty() { Ok(Factor { columns: one.clone(), rows, named: one }) } else { Err(errors) }
        }
        _ => {
            let values = values(value, (surroundings.is_text)(value)).ok_or_else(|| {
                vec![
                    wrong(&setting, format!("`{key}` must be a list of texts or whole numbers"))
                        .with_help(format!("write it like {key} = [\"a\", \"b\"]")),
                ]
            })?;
            if values.is_empty() {
                return Err(vec![
                    Error::new(&codes::MATRIX, format!("`{key}` has no values")).with_setting(setting.clone()),
                ]);
            }
            let rows = values
                .into_iter()
                .map(|value| Row { values: vec![(key.to_owned(), value)], place: String::new() })
                .collect();
            Ok(Factor { columns: vec![key.to_owned()], rows, named: vec![key.to_owned()] })
        }
    }
}

fn from_file(
    origin: &Value,
    path: &str,
    key: Option<&str>,
    surroundings: &Surroundings<'_>,
) -> Result<rows::Rows, Vec<Error>> {
    let path = (surroundings.path_beside)(origin, path);
    rows::read(&path, &(surroundings.shown)(&path), key)
}

fn values(value: &Value, is_text: bool) -> Option<Vec<String>> {
    let one = |value: &Value| match value {
        Value::String(_, text) => Some(text.clone()),
        Value::Num(..) => value.to_i128().map(|number| number.to_string()),
        _ => None,
    };
    match value {
        Value::Array(_, items) => items.iter().map(one).collect(),
        Value::String(_, text) if is_text => {
            Some(text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect())
        }
        other => one(other).map(|value| vec![value]),
    }
}

/// How the targets are called, where the matrix says it: what stands behind `T-`.
fn name(table: &Dict, keys: &[String]) -> Result<Option<String>, Error> {
    let Some(value) = table.get("name") else { return Ok(None) };
    let setting = "matrix.name";
    let Some(text) = value.as_str().filter(|text| !text.is_empty()) else {
        return Err(wrong(setting, "`name` must be a text that says how the targets are called")
            .with_help("write it like name = \"{matrix:account}\"; for values of your own, take another key"));
    };
    let missing = |key: &str| known_key(key, Some(keys)).map(|()| String::new());
    fill_matrix_text(text, &missing).map_err(|error| error.with_setting(setting))?;
    Ok(Some(text.to_owned()))
}

/// Every combination; the last factor changes fastest.
fn product(target: &str, factors: &[Factor], name: Option<&str>) -> Result<Vec<Member>, Vec<Error>> {
    let mut chosen = vec![0; factors.len()];
    let mut members = Vec::new();
    let mut errors = Vec::new();
    let mut known: BTreeMap<String, Vec<String>> = BTreeMap::new();
    loop {
        match member(target, factors, &chosen, name) {
            Ok(member) => {
                match known.get(&member.name) {
                    Some(places) => errors.push(same_name(&member, places)),
                    None => drop(known.insert(member.name.clone(), member.places.clone())),
                }
                members.push(member);
            }
            // The other combinations of a bad row are as bad.
            Err(error)
                if errors
                    .iter()
                    .any(|known: &Error| known.what() == error.what() && known.origin() == error.origin()) => {}
            Err(error) => errors.push(error),
        }
        let Some(at) = (0..factors.len()).rev().find(|at| chosen[*at] + 1 < factors[*at].rows.len()) else { break };
        chosen[at] += 1;
        chosen[at + 1..].fill(0);
    }
    if errors.is_empty() { Ok(members) } else { Err(errors) }
}

fn member(target: &str, factors: &[Factor], chosen: &[usize], name: Option<&str>) -> Result<Member, Error> {
    let rows: Vec<&Row> = factors.iter().zip(chosen).filter_map(|(factor, at)| factor.rows.get(*at)).collect();
    let places: Vec<String> = rows.iter().filter(|row| !row.place.is_empty()).map(|row| row.place.clone()).collect();
    let mut member = Member {
        name: String::new(),
        values: rows.iter().flat_map(|row| row.values.iter().cloned()).collect(),
        places,
    };
    let parts = match name {
        Some(template) => fill_matrix_text(template, &|key| member.value(key))?.replace("{{", "{"),
        None => factors
            .iter()
            .flat_map(|factor| &factor.named)
            .map(|key| member.value(key))
            .collect::<Result<Vec<_>, _>>()?
            .join("-"),
    };
    if !parts.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) {
        let error = Error::new(&codes::MATRIX, format!("`{target}-{parts}` cannot be the name of a target"))
            .with_setting("matrix")
            .with_help("names have letters, digits, `.`, `_` and `-`; give the file a column `name`, or say what the name is made of: name = \"{matrix:account}\"");
        return Err(match member.places.first() {
            Some(place) => error.with_origin(place),
            None => error,
        });
    }
    member.name = format!("{target}-{parts}");
    Ok(member)
}

fn same_name(member: &Member, places: &[String]) -> Error {
    let error = Error::new(&codes::TARGET_TWICE, format!("the matrix makes two targets `{}`", member.name))
        .with_setting("matrix");
    match (member.places.last(), places.last()) {
        (Some(second), Some(first)) => error.with_origin(second).with_help(format!("the first is made by {first}")),
        _ => error.with_help("remove the value that is there twice"),
    }
}

fn wrong(setting: &str, what: impl Into<String>) -> Error {
    Error::new(&codes::WRONG_TYPE, what).with_setting(setting)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::LayerKind;

    fn matrix(text: &str, files: &[(&str, &str)]) -> Result<Vec<String>, String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        let layer = crate::file::parse(&format!("[targets.t]\nmatrix = {text}\n"), LayerKind::Base, "f").unwrap();
        let order: Vec<String> = layer.matrix_keys.iter().map(|path| path[3].clone()).collect();
        let section = layer.values["targets"].as_dict().unwrap()["t"].as_dict().unwrap();
        let surroundings = Surroundings {
            is_text: &|_| false,
            path_beside: &|_, path| folder.path().join(path),
            shown: &|path| path.file_name().unwrap().to_string_lossy().into_owned(),
        };
        read("t", &section["matrix"], &order, &surroundings)
            .map(|matrix| matrix.members.iter().map(|member| member.name.clone()).collect())
            .map_err(|errors| errors.iter().map(|error| format!("{error:?}\n")).collect())
    }

    #[test]
    fn the_product_of_lists_is_named_in_their_order() {
        let names = matrix("{ region = [\"eu\", \"us\"], account = [1, \"02\"] }", &[]).unwrap();
        assert_eq!(names, ["t-eu-1", "t-eu-02", "t-us-1", "t-us-02"]);
        assert_eq!(matrix("{ account = \"1\" }", &[]).unwrap(), ["t-1"]);
    }

    #[test]
    fn a_row_is_a_target_and_lists_multiply_it() {
        let file = ("a.csv", "account,region\n01,eu\n02,us\n");
        assert_eq!(matrix("{ file = \"a.csv\" }", &[file]).unwrap(), ["t-01-eu", "t-02-us"]);
        let file = ("a.csv", "account,name,mail\n01,billing,b@x.test\n02,audit,\n");
        assert_eq!(
            matrix("{ file = \"a.csv\", region = [\"eu\", \"us\"] }", &[file]).unwrap(),
            ["t-billing-eu", "t-billing-us", "t-audit-eu", "t-audit-us"]
        );
        let named = "{ file = \"a.csv\", name = \"{matrix:account}_x\" }";
        assert_eq!(matrix(named, &[("a.csv", "account,mail\n01,b@x.test\n")]).unwrap(), ["t-01_x"]);
    }

    #[test]
    fn one_key_may_come_from_a_file() {
        let file = ("a.json", "[\"01\", 2]");
        let text = "{ region = [\"eu\"], account = { file = \"a.json\" } }";
        assert_eq!(matrix(text, &[file]).unwrap(), ["t-eu-01", "t-eu-2"]);
        let text = "{ account = { file = \"a.json\", column = \"id\" } }";
        assert_eq!(matrix(text, &[("a.json", "[{\"id\": 7, \"x\": \"y\"}]")]).unwrap(), ["t-7"]);
    }

    #[test]
    fn what_is_wrong_is_told() {
        let twice = ("a.csv", "account\n1\n2\n1\n");
        for (text, words) in [
            ("{ account = [] }", &["has no values"][..]),
            ("{}", &["no values"]),
            ("7", &["must be a table"]),
            ("{ account = [1.5] }", &["whole numbers"]),
            ("{ account = [\"a b\"] }", &["`t-a b` cannot be the name"]),
            ("{ account = [\"1\", \"1\"] }", &["two targets `t-1`"]),
            ("{ file = \"a.csv\" }", &["two targets `t-1`", "a.csv:4", "a.csv:2"]),
            ("{ file = \"a.csv\", account = [1] }", &["two parts of the matrix give `account`"]),
            ("{ file = 7 }", &["`file` must be a path"]),
            ("{ account = { file = \"a.csv\", colum = \"x\" } }", &["or name a file"]),
            ("{ id = { file = \"a.csv\" } }", &["no column `id`", "account"]),
            ("{ account = [1], name = \"{matrix:acount}\" }", &["did you mean `{matrix:account}`?"]),
            ("{ account = [1], name = [\"x\"] }", &["matrix.name"]),
            ("{ file = \"b.csv\" }", &["cannot be read"]),
        ] {
            let found = matrix(text, &[twice]).unwrap_err();
            for word in words {
                assert!(found.contains(word), "{text}: {word}: {found}");
            }
        }
        let many = format!(
            "{{ a = [{0}], b = [{0}], c = [{0}] }}",
            (0..30).map(|n| n.to_string()).collect::<Vec<_>>().join(",")
        );
        assert!(matrix(&many, &[]).unwrap_err().contains("more than 10000"));
        let gap = ("a.json", "[{\"account\": 1, \"region\": \"eu\"},\n{\"account\": 2}]");
        let found = matrix("{ file = \"a.json\" }", &[gap]).unwrap_err();
        assert!(found.contains("no `region`") && found.contains("a.json:2"), "{found}");
    }
}
