//! What do the functions on numbers and flags give?

use serde_json::Value;

use super::{Answer, Args, shown};
use crate::template::standin;

pub(super) fn call(name: &str, args: &Args) -> Option<Answer> {
    Some(match name {
        "true" => Ok(true.into()),
        "false" => Ok(false.into()),
        "null" => Ok(Value::Null),
        "not" => args.flag(0).map(|flag| (!flag).into()),
        "and" => all(args).map(|flags| flags.into_iter().all(|flag| flag).into()),
        "or" => all(args).map(|flags| flags.into_iter().any(|flag| flag).into()),
        "bool" => args.flag(0).map(Value::from),
        "int" => int(args),
        "float" => args.value(0).cloned(),
        "equals" => args.value(0).and_then(|a| args.value(1).map(|b| equal(a, b).into())),
        "less" => compare(args, std::cmp::Ordering::is_lt),
        "lessorequals" => compare(args, std::cmp::Ordering::is_le),
        "greater" => compare(args, std::cmp::Ordering::is_gt),
        "greaterorequals" => compare(args, std::cmp::Ordering::is_ge),
        "add" => arithmetic(args, i64::checked_add),
        "sub" => arithmetic(args, i64::checked_sub),
        "mul" => arithmetic(args, i64::checked_mul),
        "div" => arithmetic(args, i64::checked_div),
        "mod" => arithmetic(args, i64::checked_rem),
        "min" => extreme(args, std::iter::Iterator::min),
        "max" => extreme(args, std::iter::Iterator::max),
        _ => return None,
    })
}

/// Text is compared as it is, unlike in rules; what only Azure knows equals nothing.
fn equal(a: &Value, b: &Value) -> bool {
    a == b
}

fn all(args: &Args) -> Result<Vec<bool>, crate::template::TemplateError> {
    (0..args.len()).map(|index| args.flag(index)).collect()
}

fn int(args: &Args) -> Answer {
    let value = args.value(0)?;
    if value.is_number() || standin::what(value).is_some() {
        return Ok(value.clone());
    }
    let text = shown(value);
    text.trim()
        .parse::<i64>()
        .map(Value::from)
        .map_err(|_| args.wrong(format!("{text:?} is no whole number")))
}

fn compare(args: &Args, holds: fn(std::cmp::Ordering) -> bool) -> Answer {
    let order = match (args.value(0)?, args.value(1)?) {
        (Value::String(a), Value::String(b)) => a.cmp(b),
        _ => args.number(0)?.cmp(&args.number(1)?),
    };
    Ok(holds(order).into())
}

fn arithmetic(args: &Args, give: fn(i64, i64) -> Option<i64>) -> Answer {
    let (a, b) = (args.number(0)?, args.number(1)?);
    give(a, b).map(Value::from).ok_or_else(|| args.wrong(format!("has no answer for {a} and {b}")))
}

fn extreme(args: &Args, pick: fn(std::vec::IntoIter<i64>) -> Option<i64>) -> Answer {
    let numbers = args.spread().iter().map(Value::as_i64).collect::<Option<Vec<_>>>();
    let found = numbers.and_then(|numbers| pick(numbers.into_iter()));
    found.map(Value::from).ok_or_else(|| args.wrong("wants whole numbers"))
}
