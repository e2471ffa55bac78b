//! What an operand of a comparison stands for: a claim, a part of one, or a constant, through the mapping.

use std::collections::BTreeSet;

use federate_trust::Family;

use super::Found;
use crate::trust::cel::{Expr, Scope, Value, evaluate, operator};
use crate::trust::claims::subject_head;
use crate::trust::provider::Provider;

/// With more choices than this inside of one test, they are not told apart.
const MOST_CHOICES: usize = 4;

/// An operand.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Source {
    /// A claim as it is.
    Claim(String),
    /// What stands in a claim between two texts, as `extract` and `split` take it: how a value looks in its place.
    Part { claim: String, before: String, after: String },
    /// The same for every token.
    Constant(Value),
    /// Something of these claims that cannot be told apart any further.
    Mixed(BTreeSet<String>),
    /// An attribute that is not mapped, so there is an error instead of a value.
    Nothing,
}

/// Finds out what operands stand for.
pub(super) struct Sources<'a> {
    pub(super) provider: &'a Provider,
    pub(super) family: Family,
}

impl Sources<'_> {
    /// What the expression stands for; attributes that are not mapped are reported.
    pub(super) fn of(&self, expression: &Expr, found: &mut Found<'_>) -> Source {
        self.source(expression, found, true)
    }

    fn source(&self, expression: &Expr, found: &mut Found<'_>, may_map: bool) -> Source {
        if let Some(path) = expression.path() {
            return self.path(&path, found, may_map);
        }
        let paths = expression.paths();
        if paths.is_empty() {
            return evaluate(expression, &Scope::new(Vec::new())).map_or(Source::Nothing, Source::Constant);
        }
        if let Some(inner) = same(expression) {
            return self.source(inner, found, may_map);
        }
        if let Some(part) = self.part(expression, found, may_map) {
            return part;
        }
        let mut claims = BTreeSet::new();
        for path in paths {
            match self.path(&path, found, may_map) {
                Source::Claim(claim) | Source::Part { claim, .. } => {
                    claims.insert(claim);
                }
                Source::Mixed(more) => claims.extend(more),
                Source::Constant(_) => {}
                Source::Nothing => return Source::Nothing,
            }
        }
        Source::Mixed(claims)
    }

    fn path(&self, path: &[&str], found: &mut Found<'_>, may_map: bool) -> Source {
        match path {
            ["assertion", rest @ ..] if !rest.is_empty() => Source::Claim(rest.join(".")),
            ["attribute" | "google", name] if may_map => {
                let key = path.join(".");
                match self.provider.mapping.get(&key) {
                    // A mapping sees the token and nothing else.
                    Some(expression) => self.source(&expression.tree, found, false),
                    None => {
                        if key != "google.subject" {
                            found.add("gcp-attr-unmapped", &format!("{}, {}.{name}", super::CONDITION, path[0]));
                        }
                        Source::Nothing
                    }
                }
            }
            // A macro's variable, or the whole token.
            _ => Source::Mixed(BTreeSet::new()),
        }
    }

    /// The expression of an attribute, where it sees the token and nothing else.
    fn mapped(&self, expression: &Expr) -> Option<&Expr> {
        let path = expression.path()?;
        let ["attribute" | "google", _] = path.as_slice() else { return None };
        let tree = &self.provider.mapping.get(&path.join("."))?.tree;
        tree.paths().iter().all(|path| path[0] == "assertion").then_some(tree)
    }

    /// Is it compared without regard to upper and lower case?
    pub(super) fn folds(&self, expression: &Expr) -> bool {
        if let Some(mapped) = self.mapped(expression) {
            return self.folds(mapped);
        }
        let is_folded = matches!(expression, Expr::Call { name, target: Some(_), .. } if is_folding(name));
        let Expr::Call { target, arguments, .. } = expression else { return false };
        is_folded || target.iter().any(|target| self.folds(target)) || arguments.iter().any(|one| self.folds(one))
    }

    /// How many choices are in it.
    fn choices(&self, expression: &Expr) -> usize {
        if let Some(mapped) = self.mapped(expression) {
            return self.choices(mapped);
        }
        let Expr::Call { target, arguments, .. } = expression else { return 0 };
        let below = target.iter().map(|target| self.choices(target));
        let below: usize = below.chain(arguments.iter().map(|one| self.choices(one))).sum();
        below + usize::from(is_choice(expression))
    }

    /// A test of `c ? a : b` as `c ? (the test of a) : (the test of b)`, also where the mapping chooses.
    pub(super) fn distributed(&self, expression: &Expr) -> Option<Expr> {
        let Expr::Call { name, target, arguments } = expression else { return None };
        if !(1..=MOST_CHOICES).contains(&self.choices(expression)) {
            return None;
        }
        let choice = |operand: &Expr| {
            let operand = self.mapped(operand).unwrap_or(operand);
            if is_choice(operand) { Some(operand.clone()) } else { self.distributed(operand) }
        };
        let (chosen, place) = match target.as_deref().and_then(choice) {
            Some(chosen) => (chosen, None),
            None => arguments.iter().enumerate().find_map(|(index, one)| Some((choice(one)?, Some(index))))?,
        };
        let (operator::IF, [condition, yes, no]) = chosen.as_operator()? else { return None };
        let with = |operand: &Expr| {
            let (mut target, mut arguments) = (target.clone(), arguments.clone());
            match place {
                None => target = Some(Box::new(operand.clone())),
                Some(index) => arguments[index] = operand.clone(),
            }
            Expr::Call { name: name.clone(), target, arguments }
        };
        let arguments = vec![condition.clone(), with(yes), with(no)];
        Some(Expr::Call { name: operator::IF.to_owned(), target: None, arguments })
    }

    /// `x.extract('repo:{name}:')` and `x.split(':')[1]`
    fn part(&self, expression: &Expr, found: &mut Found<'_>, may_map: bool) -> Option<Source> {
        if let Expr::Call { name, target: Some(target), arguments } = expression
            && name == "extract"
            && let [Expr::Literal(Value::Text(template))] = arguments.as_slice()
        {
            let Source::Claim(claim) = self.source(target, found, may_map) else { return None };
            let (before, rest) = template.split_once('{')?;
            let (_, after) = rest.split_once('}')?;
            let head = subject_head(self.family).filter(|_| claim == "sub");
            let is_start = before.is_empty() || head.is_some_and(|head| before.strip_prefix(head) == Some(":"));
            let before = if is_start { before.to_owned() } else { format!("*{before}") };
            let after = if after.is_empty() { String::new() } else { format!("{after}*") };
            return Some(Source::Part { claim, before, after });
        }
        let (operator::INDEX, [split, Expr::Literal(Value::Int(at))]) = expression.as_operator()? else { return None };
        let Expr::Call { name, target: Some(target), arguments } = split else { return None };
        let [Expr::Literal(Value::Text(separator))] = arguments.as_slice() else { return None };
        let at = usize::try_from(*at).ok().filter(|at| name == "split" && *at < 16)?;
        let Source::Claim(claim) = self.source(target, found, may_map) else { return None };
        let head = subject_head(self.family).filter(|_| claim == "sub" && separator == ":" && at > 0);
        let parts: Vec<&str> = (0..at).map(|index| head.filter(|_| index == 0).unwrap_or("*")).collect();
        let mut before = parts.join(separator);
        if at > 0 {
            before.push_str(separator);
        }
        let is_last = at == 1 && separator == "/" && ["repository", "project_path"].contains(&claim.as_str());
        let after = if is_last { String::new() } else { format!("{separator}*") };
        Some(Source::Part { claim, before, after })
    }
}

/// What only changes how a value is written.
fn same(expression: &Expr) -> Option<&Expr> {
    match expression {
        Expr::Call { name, target: Some(target), arguments } if arguments.is_empty() => {
            is_folding(name).then_some(target)
        }
        Expr::Call { name, target: None, arguments } => match arguments.as_slice() {
            [one] if name == "string" || name == "dyn" => Some(one),
            _ => None,
        },
        _ => None,
    }
}

fn is_folding(method: &str) -> bool {
    ["lowerAscii", "upperAscii"].contains(&method)
}

fn is_choice(expression: &Expr) -> bool {
    matches!(expression.as_operator(), Some((operator::IF, [_, _, _])))
}
