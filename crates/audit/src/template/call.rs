//! What is the value of a call: of a function that looks at the template, or of one that only computes?

use std::rc::Rc;

use serde_json::Value;

use crate::template::eval::{Lazy, Scope};
use crate::template::functions::{self, Args};
use crate::template::parse::Expr;
use crate::template::{TemplateError, standin};

/// The value of `name(arguments)`.
pub(super) fn call(scope: &Scope<'_>, name: &str, arguments: &[Expr]) -> Result<Value, TemplateError> {
    let lower = name.to_ascii_lowercase();
    let wrong = |why: &str| TemplateError::call(name, why);
    match (lower.as_str(), arguments) {
        ("if", [condition, yes, no]) => {
            let condition = scope.expr(condition)?;
            // What only Azure knows is taken as true.
            let holds = standin::what(&condition).is_some() || functions::truth("if", &condition)?;
            return scope.expr(if holds { yes } else { no });
        }
        ("parameters", [name]) => {
            return scope.parameter(&functions::text("parameters", &scope.expr(name)?)?);
        }
        ("variables", [name]) => {
            return scope.variable(&functions::text("variables", &scope.expr(name)?)?);
        }
        ("if", _) => return Err(wrong("takes a condition and two values")),
        ("parameters" | "variables", _) => return Err(wrong("takes a name")),
        ("lambda" | "lambdavariables" | "map" | "filter" | "reduce" | "sort" | "toobject", _) => {
            return lambda(scope, &lower, arguments);
        }
        // They try, so a failure of what they try is an answer.
        ("coalesce", _) => {
            for argument in arguments {
                let value = scope.expr(argument)?;
                if !value.is_null() {
                    return Ok(value);
                }
            }
            return Ok(Value::Null);
        }
        _ => {}
    }
    let values = arguments.iter().map(|argument| scope.expr(argument)).collect::<Result<Vec<_>, _>>()?;
    if lower == "copyindex" {
        return copy_index(scope, &values);
    }
    if let Some(own) = scope.functions.get(&lower) {
        return own_function(scope, name, own, values);
    }
    if is_run_time(&lower) {
        return Ok(run_time(name, &values));
    }
    functions::call(scope, &lower, &Args::new(name, values))
}

/// Whether only Azure knows what it gives.
fn is_run_time(name: &str) -> bool {
    name.starts_with("list") || ["reference", "references", "providers", "getsecret"].contains(&name)
}

fn run_time(name: &str, values: &[Value]) -> Value {
    let shown: Vec<String> = values
        .iter()
        .take(1)
        .map(|value| value.as_str().map_or_else(|| value.to_string(), |text| format!("'{text}'")))
        .collect();
    standin::of(&format!("{name}({})", shown.join(", ")))
}

/// `copyIndex()`, `copyIndex(offset)`, `copyIndex('loop')`, `copyIndex('loop', offset)`.
fn copy_index(scope: &Scope<'_>, values: &[Value]) -> Result<Value, TemplateError> {
    let wrong = |why: &str| TemplateError::call("copyIndex", why);
    let (name, offset) = match values {
        [] => (None, 0),
        [Value::String(name)] => (Some(name), 0),
        [Value::Number(offset)] => (None, offset.as_i64().unwrap_or_default()),
        [Value::String(name), Value::Number(offset)] => (Some(name), offset.as_i64().unwrap_or_default()),
        _ => return Err(wrong("takes the name of a loop and a number, both if wanted")),
    };
    let loops = scope.loops.borrow();
    let mut inner = loops.iter().rev();
    let found = match name {
        Some(name) => inner.find(|(known, _)| known.eq_ignore_ascii_case(name)),
        None => inner.next(),
    };
    match found {
        Some((_, index)) => Ok(index.saturating_add(offset).into()),
        None => Err(wrong("is outside of any loop of that name")),
    }
}

/// A function that the template defines: it sees its own parameters and nothing else.
fn own_function(
    scope: &Scope<'_>,
    name: &str,
    own: &Value,
    values: Vec<Value>,
) -> Result<Value, TemplateError> {
    let empty = Vec::new();
    let parameters = own["parameters"].as_array().unwrap_or(&empty);
    if parameters.len() != values.len() {
        return Err(TemplateError::call(name, format!("takes {} values", parameters.len())));
    }
    let mut inner = Scope::new(scope.place, scope.budget, &scope.deployment);
    inner.functions = Rc::clone(&scope.functions);
    let named =
        parameters.iter().map(|parameter| parameter["name"].as_str().unwrap_or_default().to_lowercase());
    inner.parameters.get_mut().extend(named.zip(values.into_iter().map(Lazy::Made)));
    let output = &own["output"]["value"];
    scope.budget.deeper(|| inner.value(output))
}

/// The functions that take a function.
fn lambda(scope: &Scope<'_>, name: &str, arguments: &[Expr]) -> Result<Value, TemplateError> {
    let wrong = |why: &str| TemplateError::call(name, why);
    if name == "lambdavariables" {
        let [name] = arguments else { return Err(wrong("takes a name")) };
        let name = functions::text("lambdaVariables", &scope.expr(name)?)?;
        let variables = scope.lambdas.borrow();
        let found = variables.iter().rev().find(|(known, _)| known.eq_ignore_ascii_case(&name));
        return found
            .map(|(_, value)| value.clone())
            .ok_or(TemplateError::Unknown { what: "variable of a lambda", name });
    }
    let Some(first) = arguments.first().filter(|_| name != "lambda") else {
        return Err(wrong("stands where no function is wanted"));
    };
    let values = match scope.expr(first)? {
        Value::Array(values) => values,
        value if standin::what(&value).is_some() => return Ok(value),
        _ => return Err(wrong("takes an array")),
    };
    let with = |function: &Expr, given: &[Value]| apply(scope, function, given);
    match (name, &arguments[1..]) {
        ("map", [function]) => values.into_iter().map(|value| with(function, &[value])).collect(),
        ("filter", [function]) => {
            let mut kept = Vec::new();
            for value in values {
                if functions::truth("filter", &with(function, std::slice::from_ref(&value))?)? {
                    kept.push(value);
                }
            }
            Ok(Value::Array(kept))
        }
        ("reduce", [start, function]) => {
            values.into_iter().try_fold(scope.expr(start)?, |sum, value| with(function, &[sum, value]))
        }
        // An order does not change what rules ask.
        ("sort", [_]) => Ok(Value::Array(values)),
        ("toobject", [key, rest @ ..]) if rest.len() < 2 => {
            let mut members = serde_json::Map::new();
            for value in values {
                let key = functions::text("toObject", &with(key, std::slice::from_ref(&value))?)?;
                let value = match rest.first() {
                    Some(made) => with(made, &[value])?,
                    None => value,
                };
                members.insert(key, value);
            }
            Ok(Value::Object(members))
        }
        _ => Err(wrong("has too many or too few values")),
    }
}

/// What `lambda('a', …, body)` gives for these values.
fn apply(scope: &Scope<'_>, function: &Expr, given: &[Value]) -> Result<Value, TemplateError> {
    let wrong = || TemplateError::call("lambda", "takes names and what to compute");
    let Expr::Call(name, parts) = function else { return Err(wrong()) };
    let (Some((body, names)), true) = (parts.split_last(), name.eq_ignore_ascii_case("lambda")) else {
        return Err(wrong());
    };
    let names = names.iter().map(|name| match name {
        Expr::Text(name) => Ok(name.clone()),
        _ => Err(wrong()),
    });
    let names = names.collect::<Result<Vec<_>, _>>()?;
    let before = scope.lambdas.borrow().len();
    scope.lambdas.borrow_mut().extend(names.into_iter().zip(given.iter().cloned()));
    let value = scope.expr(body);
    scope.lambdas.borrow_mut().truncate(before);
    value
}
