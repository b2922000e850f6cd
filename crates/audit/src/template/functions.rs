//! What do the functions give that only compute?

mod data;
mod ids;
mod lists;
mod numbers;
mod texts;

use serde_json::Value;

use crate::template::eval::Scope;
use crate::template::{TemplateError, kind, standin};

/// The values that a function is called with.
#[derive(Debug)]
pub(super) struct Args {
    name: String,
    values: Vec<Value>,
}

type Answer = Result<Value, TemplateError>;

/// The value of a function, whose name is in lower case.
pub(super) fn call(scope: &Scope<'_>, name: &str, args: &Args) -> Answer {
    texts::call(name, args)
        .or_else(|| lists::call(name, args))
        .or_else(|| numbers::call(name, args))
        .or_else(|| data::call(name, args))
        .or_else(|| ids::call(scope, name, args))
        .unwrap_or_else(|| Err(TemplateError::Function(args.name.clone())))
}

/// The text that a value is.
pub(super) fn text(function: &str, value: &Value) -> Result<String, TemplateError> {
    match value {
        Value::String(text) => Ok(text.clone()),
        other => Err(TemplateError::call(function, format!("wants text and got {}", kind(other)))),
    }
}

/// The flag that a value is; text and numbers are converted as `bool()` does.
pub(super) fn truth(function: &str, value: &Value) -> Result<bool, TemplateError> {
    match value {
        Value::Bool(flag) => Ok(*flag),
        Value::Number(number) => Ok(number.as_i64() != Some(0)),
        Value::String(text) if text.eq_ignore_ascii_case("true") || text == "1" => Ok(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") || text == "0" => Ok(false),
        // What only Azure knows is taken as true.
        value if standin::what(value).is_some() => Ok(true),
        other => Err(TemplateError::call(function, format!("wants a flag and got {}", kind(other)))),
    }
}

/// A value as text, as `concat` and `format` show it.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

// === impl Args ===

impl Args {
    pub(super) fn new(name: &str, values: Vec<Value>) -> Self {
        Self { name: name.to_owned(), values }
    }

    fn wrong(&self, why: impl Into<String>) -> TemplateError {
        TemplateError::call(&self.name, why)
    }

    fn all(&self) -> &[Value] {
        &self.values
    }

    fn len(&self) -> usize {
        self.values.len()
    }

    fn value(&self, index: usize) -> Result<&Value, TemplateError> {
        self.values.get(index).ok_or_else(|| self.wrong(format!("wants {} values or more", index + 1)))
    }

    fn text(&self, index: usize) -> Result<&str, TemplateError> {
        let value = self.value(index)?;
        value.as_str().ok_or_else(|| self.wrong(format!("wants text and got {}", kind(value))))
    }

    fn number(&self, index: usize) -> Result<i64, TemplateError> {
        let value = self.value(index)?;
        value.as_i64().ok_or_else(|| self.wrong(format!("wants a whole number and got {}", kind(value))))
    }

    /// A number that counts something.
    fn count(&self, index: usize) -> Result<usize, TemplateError> {
        Ok(usize::try_from(self.number(index)?).unwrap_or(0))
    }

    fn flag(&self, index: usize) -> Result<bool, TemplateError> {
        truth(&self.name, self.value(index)?)
    }

    fn array(&self, index: usize) -> Result<&Vec<Value>, TemplateError> {
        let value = self.value(index)?;
        value.as_array().ok_or_else(|| self.wrong(format!("wants an array and got {}", kind(value))))
    }

    /// The values, or the elements of the only one, if that is an array.
    fn spread(&self) -> &[Value] {
        match self.values.as_slice() {
            [Value::Array(values)] => values,
            values => values,
        }
    }
}
