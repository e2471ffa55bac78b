//! An expression as it could have been written.

use std::fmt;

use serde_json::Value as Json;

use super::evaluate::readable;
use super::{Expr, Value, operator};

impl fmt::Display for Expr {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(value) => write!(out, "{value}"),
            Self::Name(name) => out.write_str(name),
            Self::Field { of, name, is_test: true } => write!(out, "has({of}.{name})"),
            Self::Field { of, name, .. } => write!(out, "{of}.{name}"),
            Self::List(entries) => {
                out.write_str("[")?;
                list(out, entries)?;
                out.write_str("]")
            }
            Self::Map(_) => out.write_str("{…}"),
            Self::Fold(fold) => write!(out, "a macro over {}", fold.range),
            Self::Call { name, target: Some(target), arguments } => {
                write!(out, "{target}.{name}(")?;
                list(out, arguments)?;
                out.write_str(")")
            }
            Self::Call { name, target: None, arguments } => match arguments.as_slice() {
                [one] if name == operator::NOT || name == operator::NEGATE => {
                    write!(out, "{}{}", readable(name), Operand(one))
                }
                [of, key] if name == operator::INDEX => write!(out, "{of}[{key}]"),
                [left, right] if name.starts_with('_') || name == operator::IN => {
                    write!(out, "{} {} {}", Operand(left), readable(name), Operand(right))
                }
                [condition, yes, no] if name == operator::IF => {
                    write!(out, "{} ? {} : {}", Operand(condition), Operand(yes), Operand(no))
                }
                _ => {
                    write!(out, "{name}(")?;
                    list(out, arguments)?;
                    out.write_str(")")
                }
            },
        }
    }
}

/// In brackets where it is an operation itself.
struct Operand<'a>(&'a Expr);

impl fmt::Display for Operand<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_operator() {
            Some((name, arguments)) if arguments.len() > 1 && name.starts_with('_') && name != operator::INDEX => {
                let is_logic = [operator::AND, operator::OR, operator::IF].contains(&name);
                if is_logic { write!(out, "({})", self.0) } else { write!(out, "{}", self.0) }
            }
            _ => write!(out, "{}", self.0),
        }
    }
}

fn list(out: &mut fmt::Formatter<'_>, entries: &[Expr]) -> fmt::Result {
    for (index, entry) in entries.iter().enumerate() {
        if index > 0 {
            out.write_str(", ")?;
        }
        write!(out, "{entry}")?;
    }
    Ok(())
}

impl fmt::Display for Value {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => {
                let quoted = Json::from(text.as_str()).to_string();
                if text.contains(['\'', '"', '\\', '\n']) { out.write_str(&quoted) } else { write!(out, "'{text}'") }
            }
            other => write!(out, "{}", other.to_json()),
        }
    }
}
