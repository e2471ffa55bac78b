//! The sections of targets: those that are written, and those that a matrix makes.

use std::collections::BTreeMap;

use federate_core::Error;
use federate_core::template::{self, Part};
use figment::value::{Dict, Value};

use crate::check::section_kind;
use crate::effective::Effective;
use crate::layer::{dotted, undotted};
use crate::load::LoadOptions;
use crate::matrix::{self, Matrix, Member, Surroundings};
use crate::profile::{Profile, TargetSection, extend_new, is_table, within, without};
use crate::trust::TrustSection;
use crate::{codes, placeholders};

/// Keys that every target's section has besides its adapter's.
const SHARED: &[&str] = &["type", "identity", "trust"];

/// How many rows with a mistake of their own are worth telling.
const ENOUGH: usize = 20;

/// A target that a matrix makes.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    /// The name of the table that has the matrix.
    pub(crate) table: String,
    /// The rows of files that it is made from.
    places: Vec<String>,
}

impl Profile {
    /// Reads all targets; returns every problem.
    pub(crate) fn read_targets(&mut self, options: &LoadOptions) -> Vec<Error> {
        let mut sections = self.merged.table(&["targets"]);
        sections.retain(|_, section| is_table(section));
        let dict = |section: &Value| section.as_dict().cloned().unwrap_or_default();
        let mut errors = Vec::new();
        let mut overlaid: Vec<String> = Vec::new();
        for (name, section) in sections.iter().filter(|(_, section)| has_matrix(section)) {
            match self.read_matrix(name, &dict(section), options) {
                Ok(matrix) => errors.extend(self.read_members(name, &dict(section), matrix, &sections, &mut overlaid)),
                Err(problems) => errors.extend(within("targets", name, problems)),
            }
        }
        for (name, section) in &sections {
            if has_matrix(section) || overlaid.contains(name) {
                continue;
            }
            match self.read_target(name, name, &dict(section)) {
                Ok(read) => drop(self.targets.insert(name.clone(), read)),
                Err(problems) => errors.extend(within("targets", name, problems)),
            }
        }
        // As they are written: the targets of a matrix have one list.
        let context = self.offline(options);
        for (name, section) in &sections {
            if let Some(trust) = section.as_dict().and_then(|section| section.get("trust")) {
                errors.extend(within("targets", name, self.problems_of_allow(trust, &context)));
            }
        }
        errors
    }

    fn read_matrix(&self, name: &str, section: &Dict, options: &LoadOptions) -> Result<Matrix, Vec<Error>> {
        let surroundings = Surroundings {
            is_text: &|value| self.is_text(value),
            path_beside: &|value, path| self.path_beside(value, path),
            shown: &|path| options.shown(path),
        };
        let Some(value) = section.get("matrix") else { return Err(Vec::new()) };
        let matrix = matrix::read(name, value, &self.merged.matrix_keys(name), &surroundings)?;
        let known: Vec<&str> = self.registry.targets().iter().map(|kind| kind.kind).collect();
        let Ok(kind) = section_kind(name, section, &known) else { return Ok(matrix) };
        let Some(kind) = self.registry.target(kind) else { return Ok(matrix) };
        let settings = without(section.clone(), &[SHARED, &["matrix"]].concat());
        let errors: Vec<Error> = placeholders::check(&self.registry, kind.rule, &settings, Some(&matrix.keys));
        if errors.is_empty() { Ok(matrix) } else { Err(errors) }
    }

    /// Makes the targets. What is wrong with all of them alike is told once, of the table.
    fn read_members(
        &mut self,
        table: &str,
        section: &Dict,
        matrix: Matrix,
        sections: &Dict,
        overlaid: &mut Vec<String>,
    ) -> Vec<Error> {
        let mut common: Vec<Error> = Vec::new();
        let mut own: Vec<Error> = Vec::new();
        for member in matrix.members {
            let overlay = sections.get(&member.name).and_then(Value::as_dict);
            if overlay.is_some_and(|overlay| overlay.contains_key("type") || overlay.contains_key("matrix"))
                || self.targets.contains_key(&member.name)
            {
                let what =
                    format!("the matrix of `{table}` makes a target `{}`, and there is one of this name", member.name);
                own.push(
                    Error::new(&codes::TARGET_TWICE, what)
                        .with_setting(dotted(&["targets".to_owned(), member.name.clone()]))
                        .with_help(
                            "rename one; a table of this name without `type` changes this one target of the matrix",
                        ),
                );
                overlaid.push(member.name);
                continue;
            }
            let name = member.name.clone();
            self.made.insert(name.clone(), Made { table: table.to_owned(), places: member.places.clone() });
            let made = self.fill_member(table, section, &member).and_then(|filled| match overlay {
                None => self.read_target(&name, table, &filled),
                Some(overlay) => {
                    overlaid.push(name.clone());
                    self.read_target(&name, table, &laid_over(filled, overlay))
                }
            });
            match made {
                Ok(read) => drop(self.targets.insert(name, read)),
                Err(problems) => {
                    for problem in problems {
                        let path = undotted(problem.setting().unwrap_or_default());
                        if is_of_matrix(section, &path) || overlay.is_some_and(|overlay| at(overlay, &path).is_some()) {
                            let help =
                                member.places.first().map(|place| format!("the target `{name}` is made by {place}"));
                            own.extend(within("targets", &name, vec![problem]).into_iter().map(|error| match &help {
                                Some(help) => error.with_help(help.clone()),
                                None => error,
                            }));
                        } else {
                            let problem = within("targets", table, vec![problem]);
                            common.extend(
                                problem
                                    .into_iter()
                                    .filter(|problem| {
                                        !common.iter().any(|known| {
                                            known.what() == problem.what() && known.setting() == problem.setting()
                                        })
                                    })
                                    .collect::<Vec<_>>(),
                            );
                        }
                    }
                }
            }
        }
        if own.len() > ENOUGH {
            let more = own.len() - ENOUGH;
            own.truncate(ENOUGH);
            own = own
                .into_iter()
                .enumerate()
                .map(|(index, error)| match index + 1 {
                    ENOUGH => error.with_help(format!("{more} more problems of this matrix are left out")),
                    _ => error,
                })
                .collect();
        }
        common.extend(own);
        common
    }

    fn fill_member(&self, table: &str, section: &Dict, member: &Member) -> Result<Dict, Vec<Error>> {
        let mut shared = section.clone();
        shared.retain(|key, _| SHARED.contains(&key.as_str()));
        let settings = without(section.clone(), &[SHARED, &["matrix"]].concat());
        let known: Vec<&str> = self.registry.targets().iter().map(|kind| kind.kind).collect();
        let kind = section_kind(table, section, &known).map_err(|error| vec![error])?;
        let Some(kind) = self.registry.target(kind) else { return Err(Vec::new()) };
        let filled = placeholders::fill_matrix(kind.rule, &settings, &|key| member.value(key))?;
        shared.extend(filled.into_dict().unwrap_or_default());
        Ok(shared)
    }

    /// Where a setting comes from; one of a target that a matrix makes, from the table with the matrix.
    pub(crate) fn origin_of(&self, path: &[String]) -> Option<String> {
        let made = path.get(1).filter(|_| path[0] == "targets").and_then(|name| self.made.get(name));
        let keys: Vec<&str> = path.iter().map(String::as_str).collect();
        let Some(made) = made.filter(|_| self.merged.get(&keys).is_none()) else {
            return self.merged.origin(path);
        };
        let mut of_table = path.to_vec();
        of_table[1] = made.table.clone();
        let origin = self.merged.origin(&of_table)?;
        let keys: Vec<&str> = of_table.iter().map(String::as_str).collect();
        let is_of_matrix = self.merged.get(&keys).is_some_and(names_matrix);
        match made.places.as_slice() {
            places @ [_, ..] if is_of_matrix => Some(format!("{origin}, {}", places.join(", "))),
            _ => Some(origin),
        }
    }

    /// The settings of a target that a matrix makes.
    pub(crate) fn effective_of(&self, name: &str, made: &Made) -> Vec<Effective> {
        let Some(section) = self.targets.get(name) else { return Vec::new() };
        let mut shown = section.shown.as_object().cloned().unwrap_or_default();
        shown.insert("type".to_owned(), section.kind.into());
        if let Some(identity) = &section.identity {
            shown.insert("identity".to_owned(), identity.clone().into());
        }
        let path = |table: &str, key: &str| ["targets", table, key].map(str::to_owned);
        shown
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| {
                let is_set =
                    [name, &made.table].iter().any(|table| self.merged.get(&["targets", table, &key]).is_some());
                let place = path(name, &key);
                let origin = self.origin_of(&place).filter(|_| is_set).unwrap_or_else(|| "default".to_owned());
                Effective { path: dotted(&place), value, origin }
            })
            .collect()
    }

    /// The table that a target's section stands in: its own, or that of the matrix that makes it.
    pub(crate) fn table_of<'a>(&'a self, target: &'a str) -> &'a str {
        self.made.get(target).map_or(target, |made| &made.table)
    }

    /// The names of the targets that each matrix makes, by its table.
    pub fn matrices(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut all: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, made) in &self.made {
            all.entry(&made.table).or_default().push(name);
        }
        all
    }

    /// Reads a target's section; `named` is the name of the table, which may stand in for its `type`.
    fn read_target(&self, name: &str, named: &str, dict: &Dict) -> Result<TargetSection, Vec<Error>> {
        let known: Vec<&str> = self.registry.targets().iter().map(|kind| kind.kind).collect();
        let mut errors = Vec::new();
        let identity = match dict.get("identity") {
            None => None,
            Some(Value::String(_, text)) if text == "auto" || self.knows_identity(text) => {
                Some(text.clone()).filter(|text| text != "auto")
            }
            Some(Value::String(_, text)) => {
                errors.push(self.unknown_identity(text).with_setting("identity"));
                None
            }
            Some(_) => {
                errors.push(
                    Error::new(&codes::WRONG_TYPE, "`identity` must be a string")
                        .with_setting("identity")
                        .with_help("write it in quotes"),
                );
                None
            }
        };
        let trust = match dict.get("trust") {
            None => TrustSection::default(),
            Some(trust) => {
                crate::trust::read(trust, &|value, path| self.path_beside(value, path)).unwrap_or_else(|problems| {
                    errors.extend(problems);
                    TrustSection::default()
                })
            }
        };
        let kind = match section_kind(named, dict, &known) {
            Ok(kind) => self.registry.target(kind),
            Err(error) => {
                errors.push(error);
                None
            }
        };
        let Some(kind) = kind else { return Err(errors) };
        let settings = without(dict.clone(), SHARED);
        errors.extend(placeholders::check(&self.registry, kind.rule, &settings, None));
        match (kind.build)(name, &settings, &|value| self.is_text(value)) {
            Ok((target, shown)) if errors.is_empty() => {
                Ok(TargetSection { kind: kind.kind, identity, settings, shown, target, trust })
            }
            Ok(_) => Err(errors),
            Err(problems) => {
                extend_new(&mut errors, problems);
                Err(errors)
            }
        }
    }
}

fn has_matrix(section: &Value) -> bool {
    section.as_dict().is_some_and(|section| section.contains_key("matrix"))
}

fn at<'v>(section: &'v Dict, path: &[String]) -> Option<&'v Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(section.get(first)?, |value, key| match value {
        Value::Dict(_, dict) => dict.get(key),
        Value::Array(_, items) => items.get(key.parse::<usize>().ok()?),
        _ => None,
    })
}

/// Does the setting depend on the matrix?
fn is_of_matrix(section: &Dict, path: &[String]) -> bool {
    at(section, path).is_some_and(names_matrix)
}

fn names_matrix(value: &Value) -> bool {
    match value {
        Value::String(_, text) => {
            template::parse(text).is_ok_and(|parts| parts.iter().any(|part| matches!(part, Part::Matrix(_))))
        }
        Value::Dict(_, dict) => dict.values().any(names_matrix),
        Value::Array(_, items) => items.iter().any(names_matrix),
        _ => false,
    }
}

/// Tables merge, everything else replaces.
fn laid_over(mut below: Dict, above: &Dict) -> Dict {
    for (key, value) in above {
        let merged = match (below.remove(key), value) {
            (Some(Value::Dict(_, low)), Value::Dict(tag, high)) => Value::Dict(*tag, laid_over(low, high)),
            _ => value.clone(),
        };
        below.insert(key.clone(), merged);
    }
    below
}

#[cfg(test)]
mod tests;
