//! What do the functions on arrays and objects give?

use serde_json::{Map, Value, json};

use super::{Answer, Args, shown};
use crate::template::{TemplateError, kind, standin};

/// The most that `range` makes, as ARM has it.
const LONGEST: i64 = 10_000;

pub(super) fn call(name: &str, args: &Args) -> Option<Answer> {
    Some(match name {
        "concat" => joined(args),
        "createarray" => Ok(args.all().to_vec().into()),
        "array" => args.value(0).map(|value| match value {
            Value::Array(_) => value.clone(),
            other => json!([other]),
        }),
        "createobject" => object(args),
        "empty" => args.value(0).map(|value| (value.is_null() || size(value) == Some(0)).into()),
        "length" => args.value(0).and_then(|value| {
            size(value).map(Value::from).ok_or_else(|| args.wrong(format!("{} has no length", kind(value))))
        }),
        "contains" => contains(args),
        "first" => end(args, |values| values.first().cloned(), |text| text.chars().next()),
        "last" => end(args, |values| values.last().cloned(), |text| text.chars().next_back()),
        "take" => part(args, |length, count| (0, count.min(length))),
        "skip" => part(args, |length, count| (count.min(length), length)),
        "join" => join(args),
        "range" => range(args),
        "union" => union(args),
        "shallowmerge" => shallow_merge(args),
        "intersection" => intersection(args),
        "flatten" => flatten(args),
        "items" => items(args),
        "objectkeys" => members(args, 0).map(|members| members.keys().cloned().collect()),
        "indexof" => find(args, |values, wanted| values.iter().position(|value| value == wanted)),
        "lastindexof" => find(args, |values, wanted| values.iter().rposition(|value| value == wanted)),
        "tryget" => try_get(args),
        "indexfromend" => from_end(args),
        _ => return None,
    })
}

fn size(value: &Value) -> Option<usize> {
    match value {
        Value::Array(values) => Some(values.len()),
        Value::Object(members) => Some(members.len()),
        Value::String(text) => Some(text.chars().count()),
        _ => None,
    }
}

fn members(args: &Args, index: usize) -> Result<&Map<String, Value>, TemplateError> {
    let value = args.value(index)?;
    value.as_object().ok_or_else(|| args.wrong(format!("wants an object and got {}", kind(value))))
}

fn joined(args: &Args) -> Answer {
    let mut all = Vec::new();
    for index in 0..args.len() {
        all.extend_from_slice(args.array(index)?);
    }
    Ok(Value::Array(all))
}

fn object(args: &Args) -> Answer {
    let mut made = Map::new();
    for (index, pair) in args.all().chunks(2).enumerate() {
        let [_, value] = pair else { return Err(args.wrong("wants a value for each name")) };
        made.insert(args.text(2 * index)?.to_owned(), value.clone());
    }
    Ok(Value::Object(made))
}

fn contains(args: &Args) -> Answer {
    let wanted = args.value(1)?;
    Ok(match args.value(0)? {
        Value::Array(values) => values.contains(wanted),
        Value::Object(members) => {
            let wanted = shown(wanted);
            members.keys().any(|name| name.eq_ignore_ascii_case(&wanted))
        }
        Value::String(text) => text.to_lowercase().contains(&shown(wanted).to_lowercase()),
        other => return Err(args.wrong(format!("cannot look into {}", kind(other)))),
    }
    .into())
}

fn end(args: &Args, of: fn(&[Value]) -> Option<Value>, letter: fn(&str) -> Option<char>) -> Answer {
    match args.value(0)? {
        Value::Array(values) => Ok(of(values).unwrap_or(Value::Null)),
        Value::String(text) => Ok(letter(text).map(String::from).unwrap_or_default().into()),
        other => Err(args.wrong(format!("wants an array or text and got {}", kind(other)))),
    }
}

fn part(args: &Args, bounds: fn(usize, usize) -> (usize, usize)) -> Answer {
    let count = args.count(1)?;
    match args.value(0)? {
        Value::Array(values) => {
            let (from, to) = bounds(values.len(), count);
            Ok(values[from..to].to_vec().into())
        }
        Value::String(text) => {
            let (from, to) = bounds(text.chars().count(), count);
            Ok(text.chars().skip(from).take(to - from).collect::<String>().into())
        }
        other => Err(args.wrong(format!("wants an array or text and got {}", kind(other)))),
    }
}

fn join(args: &Args) -> Answer {
    let with = args.text(1)?;
    Ok(args.array(0)?.iter().map(shown).collect::<Vec<_>>().join(with).into())
}

fn range(args: &Args) -> Answer {
    let (start, count) = (args.number(0)?, args.number(1)?);
    if !(0..=LONGEST).contains(&count) {
        return Err(args.wrong(format!("cannot count to {count}")));
    }
    Ok((0..count).map(|index| Value::from(start.saturating_add(index))).collect())
}

/// Of arrays each element once; of objects all members, the later ones win, and objects in them are joined.
fn union(args: &Args) -> Answer {
    if args.all().iter().all(Value::is_array) {
        let mut all: Vec<Value> = Vec::new();
        for value in args.all().iter().filter_map(Value::as_array).flatten() {
            if !all.contains(value) {
                all.push(value.clone());
            }
        }
        return Ok(Value::Array(all));
    }
    let mut all = Map::new();
    for index in 0..args.len() {
        // A stand-in adds what is not known.
        if standin::what(args.value(index)?).is_none() {
            merge(&mut all, members(args, index)?);
        }
    }
    Ok(Value::Object(all))
}

fn merge(all: &mut Map<String, Value>, more: &Map<String, Value>) {
    for (name, value) in more {
        match (all.get_mut(name), value) {
            (Some(Value::Object(old)), Value::Object(new)) => merge(old, new),
            _ => {
                all.insert(name.clone(), value.clone());
            }
        }
    }
}

fn shallow_merge(args: &Args) -> Answer {
    let mut all = Map::new();
    for value in args.array(0)? {
        all.extend(value.as_object().cloned().unwrap_or_default());
    }
    Ok(Value::Object(all))
}

fn intersection(args: &Args) -> Answer {
    let rest = args.all().get(1..).unwrap_or_default();
    match args.value(0)? {
        Value::Array(values) => {
            let everywhere = |value: &&Value| {
                rest.iter().all(|other| other.as_array().is_some_and(|other| other.contains(value)))
            };
            Ok(values.iter().filter(everywhere).cloned().collect())
        }
        Value::Object(members) => {
            let everywhere = |(name, value): &(&String, &Value)| {
                rest.iter().all(|other| other.get(name.as_str()) == Some(*value))
            };
            let kept = members.iter().filter(everywhere).map(|(name, value)| (name.clone(), value.clone()));
            Ok(Value::Object(kept.collect()))
        }
        other => Err(args.wrong(format!("wants arrays or objects and got {}", kind(other)))),
    }
}

fn flatten(args: &Args) -> Answer {
    let mut all = Vec::new();
    for value in args.array(0)? {
        all.extend(value.as_array().cloned().unwrap_or_default());
    }
    Ok(Value::Array(all))
}

fn items(args: &Args) -> Answer {
    let pairs = members(args, 0)?.iter().map(|(name, value)| json!({ "key": name, "value": value }));
    Ok(pairs.collect())
}

fn find(args: &Args, place: fn(&[Value], &Value) -> Option<usize>) -> Answer {
    let at = place(args.array(0)?, args.value(1)?).and_then(|at| i64::try_from(at).ok());
    Ok(at.unwrap_or(-1).into())
}

fn try_get(args: &Args) -> Answer {
    let mut value = args.value(0)?.clone();
    for step in args.all().get(1..).unwrap_or_default() {
        value = crate::template::eval::element(&value, step).unwrap_or(Value::Null);
    }
    Ok(value)
}

fn from_end(args: &Args) -> Answer {
    let (values, back) = (args.array(0)?, args.count(1)?);
    let at = values.len().checked_sub(back.max(1));
    at.and_then(|at| values.get(at)).cloned().ok_or_else(|| args.wrong("reaches past the beginning"))
}
