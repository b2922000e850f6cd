//! What stands for a value that only Azure knows?
//!
//! A text in double braces that says what it stands for. Members and elements of it are such texts, too.

use serde_json::Value;

/// The stand-in for `what`, such as `reference('id')`.
pub(super) fn of(what: &str) -> Value {
    Value::String(format!("{{{{{what}}}}}"))
}

/// What `value` stands for, if it is a stand-in.
pub(super) fn what(value: &Value) -> Option<&str> {
    value.as_str()?.strip_prefix("{{")?.strip_suffix("}}")
}

/// A member or element of a stand-in: `.name`, or `[index]`.
pub(super) fn part(what: &str, part: &str) -> Value {
    of(&format!("{what}{part}"))
}
