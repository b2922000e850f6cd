//! When does a suppression group hold? The part of PSRule's expressions that people use there.

use serde_json::Value;

use crate::expect::{Expected, at_least, equals, within};
use crate::target::Target;
use crate::verdict::Verdict;

/// How deep conditions may nest.
const DEEPEST: usize = 32;

/// A condition on a target.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    One { what: What, test: Test },
}

/// What is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    Name,
    Type,
    Field(String),
}

/// What is asked of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Test {
    Equals(Value),
    NotEquals(Value),
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists(bool),
    HasValue(bool),
    StartsWith(Vec<String>),
    EndsWith(Vec<String>),
    Contains(Vec<String>),
    AtLeast(i64),
}

// === impl Condition ===

impl Condition {
    /// From the object that is written after `if:`.
    pub(super) fn read(value: &Value) -> Result<Self, String> {
        Self::read_at(value, 0)
    }

    fn read_at(value: &Value, depth: usize) -> Result<Self, String> {
        if depth > DEEPEST {
            return Err("its conditions nest deeper than 32 levels".to_owned());
        }
        let members = value.as_object().ok_or("a condition is an object")?;
        if members.is_empty() {
            return Ok(Self::All(Vec::new()));
        }
        let list = |value: &Value| -> Result<Vec<Self>, String> {
            let values = value.as_array().ok_or("allOf and anyOf hold lists")?;
            values.iter().map(|value| Self::read_at(value, depth + 1)).collect()
        };
        if let Some(value) = members.get("allOf") {
            return list(value).map(Self::All);
        }
        if let Some(value) = members.get("anyOf") {
            return list(value).map(Self::Any);
        }
        if let Some(value) = members.get("not") {
            return Self::read_at(value, depth + 1).map(|inner| Self::Not(Box::new(inner)));
        }
        let what =
            match (members.get("name"), members.get("type"), members.get("field").and_then(Value::as_str)) {
                (Some(_), ..) => What::Name,
                (_, Some(_), _) => What::Type,
                (.., Some(path)) => What::Field(path.to_owned()),
                _ => return Err("a condition names a field, name: '.' or type: '.'".to_owned()),
            };
        let tests = members.iter().filter(|(key, _)| !["name", "type", "field"].contains(&key.as_str()));
        let mut tests = tests.map(|(key, value)| Test::read(key, value)).collect::<Result<Vec<_>, _>>()?;
        match (tests.pop(), tests.is_empty()) {
            (Some(test), true) => Ok(Self::One { what, test }),
            _ => Err("a condition asks one thing".to_owned()),
        }
    }

    /// Whether it holds for this target.
    pub(super) fn holds(&self, target: &Target) -> bool {
        match self {
            Self::All(all) => all.iter().all(|inner| inner.holds(target)),
            Self::Any(any) => any.iter().any(|inner| inner.holds(target)),
            Self::Not(inner) => !inner.holds(target),
            Self::One { what: What::Field(path), test } => test.holds(target, path),
            Self::One { what, test } => {
                let text = if *what == What::Name { target.name() } else { target.kind() };
                test.holds(&Target::new("", "", Value::from_iter([("text", text)])), "text")
            }
        }
    }
}

// === impl Test ===

impl Test {
    fn read(name: &str, value: &Value) -> Result<Self, String> {
        let texts = || match value {
            Value::String(text) => Ok(vec![text.clone()]),
            Value::Array(values) => Ok(values
                .iter()
                .map(|value| value.as_str().map_or(value.to_string(), str::to_owned))
                .collect()),
            _ => Err(format!("{name} wants text")),
        };
        let flag = || value.as_bool().ok_or_else(|| format!("{name} is true or false"));
        Ok(match name {
            "equals" => Self::Equals(value.clone()),
            "notEquals" => Self::NotEquals(value.clone()),
            "in" => Self::In(texts()?),
            "notIn" => Self::NotIn(texts()?),
            "exists" => Self::Exists(flag()?),
            "hasValue" => Self::HasValue(flag()?),
            "startsWith" => Self::StartsWith(texts()?),
            "endsWith" => Self::EndsWith(texts()?),
            "contains" => Self::Contains(texts()?),
            "greaterOrEquals" => Self::AtLeast(value.as_i64().ok_or("greaterOrEquals wants a number")?),
            other => return Err(format!("podid does not know the condition {other:?}")),
        })
    }

    fn holds(&self, target: &Target, path: &str) -> bool {
        let text = || target.at(path).and_then(Value::as_str).map(str::to_lowercase);
        let any = |parts: &[String], fits: fn(&str, &str) -> bool| {
            text().is_some_and(|text| parts.iter().any(|part| fits(&text, &part.to_lowercase())))
        };
        let is = |wanted: &Value| {
            expected(wanted).is_some_and(|wanted| equals(target, path, wanted) == Verdict::Pass)
        };
        let among = |set: &[String]| {
            within(target, path, &set.iter().map(String::as_str).collect::<Vec<_>>()) == Verdict::Pass
        };
        match self {
            Self::Equals(wanted) => is(wanted),
            Self::NotEquals(unwanted) => !is(unwanted),
            Self::In(set) => among(set),
            Self::NotIn(set) => !among(set),
            Self::Exists(wanted) => target.at(path).is_some() == *wanted,
            Self::HasValue(wanted) => (crate::expect::has_value(target, path) == Verdict::Pass) == *wanted,
            Self::StartsWith(parts) => any(parts, |text, part| text.starts_with(part)),
            Self::EndsWith(parts) => any(parts, |text, part| text.ends_with(part)),
            Self::Contains(parts) => any(parts, |text, part| text.contains(part)),
            Self::AtLeast(least) => at_least(target, path, *least) == Verdict::Pass,
        }
    }
}

fn expected(value: &Value) -> Option<Expected<'_>> {
    match value {
        Value::String(text) => Some(text.as_str().into()),
        Value::Bool(flag) => Some((*flag).into()),
        Value::Number(number) => number.as_i64().map(Expected::from),
        _ => None,
    }
}
