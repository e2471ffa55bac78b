//! From text to an expression; the only place that knows the parser's own types.

use cel::IdedExpr;
use cel::common::ast::{EntryExpr, Expr as Parsed, LiteralValue};
use cel::parser::PrattParser;

use super::{Expr, Fold, Value};

/// No condition of use is nested deeper, and all that walk the tree may then do so by recursion.
const DEEPEST: usize = 100;

/// Parses an expression.
///
/// # Errors
/// In words, where it is not one, or one that is nested beyond all use.
pub(in crate::trust) fn parse(text: &str) -> Result<Expr, String> {
    let parsed = PrattParser::new().parse(text).map_err(|errors| {
        let first = errors.errors.first();
        first.map_or_else(
            || errors.to_string(),
            |error| format!("{} (line {}, column {})", error.msg, error.pos.0, error.pos.1),
        )
    })?;
    convert(&parsed, 0)
}

fn convert(parsed: &IdedExpr, depth: usize) -> Result<Expr, String> {
    if depth > DEEPEST {
        return Err(format!("it is nested more than {DEEPEST} levels deep"));
    }
    let one = |part: &IdedExpr| convert(part, depth + 1);
    let all = |parts: &[IdedExpr]| parts.iter().map(one).collect::<Result<Vec<_>, _>>();
    Ok(match &parsed.expr {
        Parsed::Literal(literal) => Expr::Literal(value(literal)),
        Parsed::Ident(name) => Expr::Name(name.clone()),
        Parsed::Select(select) => {
            Expr::Field { of: Box::new(one(&select.operand)?), name: select.field.clone(), is_test: select.test }
        }
        Parsed::Call(call) => Expr::Call {
            name: call.func_name.clone(),
            target: call.target.as_deref().map(one).transpose()?.map(Box::new),
            arguments: all(&call.args)?,
        },
        Parsed::List(list) => Expr::List(all(&list.elements)?),
        Parsed::Map(map) => {
            let entry = |entry: &EntryExpr| match entry {
                EntryExpr::MapEntry(entry) => Ok((one(&entry.key)?, one(&entry.value)?)),
                EntryExpr::StructField(_) => Err("a map has keys and values".to_owned()),
            };
            Expr::Map(map.entries.iter().map(|known| entry(&known.expr)).collect::<Result<_, _>>()?)
        }
        Parsed::Comprehension(fold) => Expr::Fold(Box::new(Fold {
            range: one(&fold.iter_range)?,
            item: fold.iter_var.clone(),
            result_name: fold.accu_var.clone(),
            start: one(&fold.accu_init)?,
            proceed: one(&fold.loop_cond)?,
            step: one(&fold.loop_step)?,
            result: one(&fold.result)?,
        })),
        Parsed::Struct(_) | Parsed::Unspecified => return Err("messages cannot be made here".to_owned()),
    })
}

fn value(literal: &LiteralValue) -> Value {
    match literal {
        LiteralValue::Boolean(flag) => Value::Bool(*flag.inner()),
        LiteralValue::Bytes(bytes) => Value::Bytes(bytes.inner().to_vec()),
        LiteralValue::Double(double) => Value::Double(*double.inner()),
        LiteralValue::Int(int) => Value::Int(*int.inner()),
        LiteralValue::Null => Value::Null,
        LiteralValue::String(text) => Value::Text(text.inner().to_owned()),
        LiteralValue::UInt(uint) => Value::Uint(*uint.inner()),
    }
}
