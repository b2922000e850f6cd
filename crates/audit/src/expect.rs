//! What is expected of a field of a target, compared and worded as PSRule does?
//!
//! Text is compared without case, and a number or a flag never equals a text, however it looks
//! (`"true"` in a template is not `true`).

use serde_json::Value;

use crate::target::Target;
use crate::verdict::Verdict;

/// What a field should equal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Expected<'a> {
    /// This text, in any case. `true` and `false` as text also stand for the flags.
    Text(&'a str),
    /// This flag.
    Flag(bool),
    /// This number.
    Number(i64),
}

/// The field is there and equals `expected`.
pub fn equals<'a>(target: &Target, path: &str, expected: impl Into<Expected<'a>>) -> Verdict {
    let expected = expected.into();
    with(target, path, |value| {
        if expected.matches(value) {
            Verdict::Pass
        } else {
            Verdict::fail_at(path, format!("Is set to '{}'.", shown(value)))
        }
    })
}

/// The field is not there, or does not equal `unwanted`.
pub fn not_equals<'a>(target: &Target, path: &str, unwanted: impl Into<Expected<'a>>) -> Verdict {
    match target.at(path) {
        Some(value) if unwanted.into().matches(value) => {
            Verdict::fail_at(path, format!("Is set to '{}'.", shown(value)))
        }
        _ => Verdict::Pass,
    }
}

/// The field is there and is one of `set`, in any case; of an array any element.
pub fn within(target: &Target, path: &str, set: &[&str]) -> Verdict {
    with(target, path, |value| {
        let known = |value: &Value| set.iter().any(|text| Expected::Text(text).matches(value));
        let found = value.as_array().map_or_else(|| known(value), |values| values.iter().any(known));
        if found {
            return Verdict::Pass;
        }
        Verdict::fail_at(path, format!("The value '{}' was not in '{}'.", shown(value), set.join("', '")))
    })
}

/// The field is there, and as a number, or in the number of its elements or characters, at least `least`.
pub fn at_least(target: &Target, path: &str, least: i64) -> Verdict {
    with(target, path, |value| match amount(value) {
        _ if value.is_null() && least > 0 => Verdict::fail_at(path, "Is null or empty."),
        _ if value.is_null() => Verdict::Pass,
        // Neither a number nor anything that can be counted: PSRule gives no reason.
        None => Verdict::Inconclusive,
        Some(amount) if amount >= least => Verdict::Pass,
        Some(_) => Verdict::fail_at(path, format!("The value '{}' is not >= {least}.", shown(value))),
    })
}

/// The field is there and not empty.
pub fn has_value(target: &Target, path: &str) -> Verdict {
    with(target, path, |value| {
        let empty = value.is_null() || amount(value) == Some(0) && !value.is_number();
        if empty { Verdict::fail_at(path, format!("Is set to '{}'.", shown(value))) } else { Verdict::Pass }
    })
}

/// What `ask` says of the field, or that there is none.
fn with(target: &Target, path: &str, ask: impl FnOnce(&Value) -> Verdict) -> Verdict {
    target.at(path).map_or_else(|| Verdict::fail_at(path, format!("The field '{path}' does not exist.")), ask)
}

/// A number itself, else how many elements, members or characters there are.
fn amount(value: &Value) -> Option<i64> {
    let length = match value {
        Value::Number(number) => return number.as_i64(),
        Value::Array(values) => values.len(),
        Value::Object(members) => members.len(),
        Value::String(text) => text.encode_utf16().count(),
        Value::Null | Value::Bool(_) => return None,
    };
    i64::try_from(length).ok()
}

/// As .NET shows it in a sentence.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

// === impl Expected ===

impl Expected<'_> {
    fn matches(self, value: &Value) -> bool {
        match (self, value) {
            (Self::Text(text), Value::String(value)) => lower(text) == lower(value),
            // The expected side is converted, the found one is not.
            (Self::Text(text), Value::Bool(value)) => text.trim().eq_ignore_ascii_case(&value.to_string()),
            (Self::Text(text), Value::Number(value)) => {
                text.trim().parse().ok().is_some_and(|number: i64| value.as_i64() == Some(number))
            }
            (Self::Flag(flag), Value::Bool(value)) => flag == *value,
            (Self::Number(number), Value::Number(value)) => value.as_i64() == Some(number),
            _ => false,
        }
    }
}

fn lower(text: &str) -> String {
    text.to_lowercase()
}

impl<'a> From<&'a str> for Expected<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Expected<'_> {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<i64> for Expected<'_> {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn reason(verdict: Verdict) -> String {
        match verdict {
            Verdict::Pass => "pass".to_owned(),
            Verdict::Fail(findings) => findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("|"),
            other => format!("{other:?}"),
        }
    }

    fn target(value: &Value) -> Target {
        Target::new("t", "n", json!({ "a": value }))
    }

    #[test]
    fn only_the_expected_side_is_converted() {
        let cases = [
            (json!(true), Expected::Flag(true), "pass"),
            (json!("true"), Expected::Flag(true), "Path a: Is set to 'true'."),
            (json!(true), Expected::Text("true"), "pass"),
            (json!("TRUE"), Expected::Text("true"), "pass"),
            (json!(false), Expected::Flag(true), "Path a: Is set to 'False'."),
            (json!(null), Expected::Flag(true), "Path a: Is set to ''."),
            (json!(1), Expected::Flag(true), "Path a: Is set to '1'."),
            (json!("Azure"), Expected::Text("azure"), "pass"),
            (json!(3), Expected::Number(3), "pass"),
            (json!("3"), Expected::Number(3), "Path a: Is set to '3'."),
        ];
        for (value, expected, wanted) in cases {
            assert_eq!(reason(equals(&target(&value), "a", expected)), wanted, "{value}");
        }
        assert_eq!(reason(equals(&target(&json!(1)), "b", true)), "Path b: The field 'b' does not exist.");
    }

    #[test]
    fn a_set_is_searched_without_case_and_named_in_the_reason() {
        assert_eq!(reason(within(&target(&json!("AZURE")), "a", &["azure", "calico"])), "pass");
        assert_eq!(reason(within(&target(&json!(["x", "azure"])), "a", &["azure"])), "pass");
        assert_eq!(
            reason(within(&target(&json!("none")), "a", &["azure", "calico"])),
            "Path a: The value 'none' was not in 'azure', 'calico'."
        );
        assert_eq!(reason(within(&target(&json!(1)), "b", &["x"])), "Path b: The field 'b' does not exist.");
    }

    #[test]
    fn what_can_be_counted_is_compared_by_its_length() {
        assert_eq!(reason(at_least(&target(&json!(["x"])), "a", 1)), "pass");
        assert_eq!(reason(at_least(&target(&json!("x")), "a", 1)), "pass");
        assert_eq!(reason(at_least(&target(&json!([])), "a", 1)), "Path a: The value '[]' is not >= 1.");
        assert_eq!(reason(at_least(&target(&json!(null)), "a", 1)), "Path a: Is null or empty.");
        assert_eq!(reason(at_least(&target(&json!(2)), "a", 3)), "Path a: The value '2' is not >= 3.");
        assert_eq!(reason(at_least(&target(&json!(true)), "a", 1)), "Inconclusive");
        assert_eq!(reason(at_least(&target(&json!(1)), "b", 1)), "Path b: The field 'b' does not exist.");
    }

    #[test]
    fn a_missing_field_is_not_an_unwanted_one() {
        assert_eq!(reason(not_equals(&target(&json!("none")), "b", "none")), "pass");
        assert_eq!(reason(not_equals(&target(&json!("None")), "a", "none")), "Path a: Is set to 'None'.");
        assert_eq!(reason(has_value(&target(&json!("")), "a")), "Path a: Is set to ''.");
        assert_eq!(reason(has_value(&target(&json!(0)), "a")), "pass");
    }
}
