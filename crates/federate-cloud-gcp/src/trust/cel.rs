//! The Common Expression Language as far as attribute mappings and conditions use it: <https://cel.dev>, with Google's
//! `extract`, `split` and `join`
//! (<https://cloud.google.com/iam/docs/workload-identity-federation#mapping>).
//!
//! The crate `cel` parses. It is evaluated here, because a condition is somebody's text about somebody's token: every
//! step and every byte is counted, so that no macro over a macro takes memory or time without end.

mod evaluate;
mod functions;
mod parse;
mod regex;
mod render;
mod value;

pub(super) use evaluate::{Fault, Scope, evaluate};
pub(super) use parse::parse;
pub(super) use regex::{Shape, folds, shapes};
pub(super) use value::Value;

/// An expression, macros expanded.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expr {
    /// A literal.
    Literal(Value),
    /// A variable.
    Name(String),
    /// `of.name`, or `has(of.name)`.
    Field { of: Box<Expr>, name: String, is_test: bool },
    /// An operator (`_==_`), a function, or a method of a target.
    Call { name: String, target: Option<Box<Expr>>, arguments: Vec<Expr> },
    /// `[a, b]`
    List(Vec<Expr>),
    /// `{a: b}`
    Map(Vec<(Expr, Expr)>),
    /// What `all`, `exists`, `map` and `filter` come to.
    Fold(Box<Fold>),
}

/// A loop over a list or the keys of a map.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fold {
    range: Expr,
    item: String,
    result_name: String,
    start: Expr,
    proceed: Expr,
    step: Expr,
    result: Expr,
}

/// The names under which the parser knows operators.
pub(super) mod operator {
    pub(in crate::trust) const IF: &str = "_?_:_";
    pub(in crate::trust) const AND: &str = "_&&_";
    pub(in crate::trust) const OR: &str = "_||_";
    pub(in crate::trust) const NOT: &str = "!_";
    pub(in crate::trust) const EQ: &str = "_==_";
    pub(in crate::trust) const NE: &str = "_!=_";
    pub(in crate::trust) const LT: &str = "_<_";
    pub(in crate::trust) const LE: &str = "_<=_";
    pub(in crate::trust) const GT: &str = "_>_";
    pub(in crate::trust) const GE: &str = "_>=_";
    pub(in crate::trust) const IN: &str = "@in";
    pub(in crate::trust) const INDEX: &str = "_[_]";
    pub(in crate::trust) const ADD: &str = "_+_";
    pub(in crate::trust) const SUBTRACT: &str = "_-_";
    pub(in crate::trust) const MULTIPLY: &str = "_*_";
    pub(in crate::trust) const DIVIDE: &str = "_/_";
    pub(in crate::trust) const MODULO: &str = "_%_";
    pub(in crate::trust) const NEGATE: &str = "-_";
    pub(in crate::trust) const NOT_STRICTLY_FALSE: &str = "@not_strictly_false";
}

impl Expr {
    /// An operator with its operands.
    pub(super) fn as_operator(&self) -> Option<(&str, &[Expr])> {
        match self {
            Self::Call { name, target: None, arguments } => Some((name, arguments)),
            _ => None,
        }
    }

    /// The operands of a chain of `&&` or `||`, in the order of the text.
    pub(super) fn chain<'a>(&'a self, operator: &str) -> Vec<&'a Expr> {
        match self.as_operator() {
            Some((name, [left, right])) if name == operator => {
                let mut all = left.chain(operator);
                all.extend(right.chain(operator));
                all
            }
            _ => vec![self],
        }
    }

    /// The variables and fields that the expression looks at, outermost first: `assertion.sub`.
    pub(super) fn paths(&self) -> Vec<Vec<&str>> {
        let mut all = Vec::new();
        self.collect_paths(&mut all);
        all
    }

    fn collect_paths<'a>(&'a self, all: &mut Vec<Vec<&'a str>>) {
        if let Some(path) = self.path() {
            if !all.contains(&path) {
                all.push(path);
            }
            return;
        }
        self.parts().into_iter().for_each(|part| part.collect_paths(all));
    }

    /// What it is put together from; of a macro, what was written.
    fn parts(&self) -> Vec<&Self> {
        match self {
            Self::Literal(_) | Self::Name(_) => Vec::new(),
            Self::Field { of, .. } => vec![of],
            Self::Call { target, arguments, .. } => target.as_deref().into_iter().chain(arguments).collect(),
            Self::List(entries) => entries.iter().collect(),
            Self::Map(entries) => entries.iter().flat_map(|(key, value)| [key, value]).collect(),
            Self::Fold(fold) => vec![&fold.range, &fold.step],
        }
    }

    /// Why it has no value for any token: the first function or variable in it that there is not.
    pub(super) fn unknown(&self, variables: &[&str]) -> Option<Fault> {
        match self {
            Self::Name(name) if !variables.contains(&name.trim_start_matches('.')) => {
                Some(Fault::Unknown(name.clone()))
            }
            Self::Call { name, target, .. } if !functions::is_known(name, target.is_some()) => {
                Some(Fault::Unknown(format!("{name}()")))
            }
            Self::Fold(fold) => {
                let inner = [variables, &[&fold.item, &fold.result_name]].concat();
                fold.range.unknown(variables).or_else(|| fold.step.unknown(&inner))
            }
            _ => self.parts().into_iter().find_map(|part| part.unknown(variables)),
        }
    }

    /// `a.b` and `a['b']` as a path; `has(a.b)` is one as well.
    pub(super) fn path(&self) -> Option<Vec<&str>> {
        let (of, name) = match self {
            Self::Name(name) => return Some(vec![name.trim_start_matches('.')]),
            Self::Field { of, name, .. } => (of.as_ref(), name.as_str()),
            _ => match self.as_operator() {
                Some((operator::INDEX, [of, Self::Literal(Value::Text(name))])) => (of, name.as_str()),
                _ => return None,
            },
        };
        let mut path = of.path()?;
        path.push(name);
        Some(path)
    }
}

#[cfg(test)]
mod tests;
