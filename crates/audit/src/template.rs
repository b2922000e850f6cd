//! Which resources does an ARM template make, with these parameters?
//!
//! Pure: nothing is asked of Azure. What only Azure knows while it deploys (`reference`, `list…`) is
//! replaced by a text in double braces that says what it stands for, such as
//! `{{reference('id').principalId}}`. A template that would never end, or grows without bounds, is refused.

mod call;
mod copy;
mod eval;
mod expand;
mod functions;
mod parse;
mod standin;

use serde_json::Value;

pub(crate) use expand::expand;

/// Where a template is deployed to, as far as that matters for what it says.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The id of the subscription.
    pub(crate) subscription: String,
    /// The name of the resource group.
    pub(crate) group: String,
    /// The region of the resource group.
    pub(crate) location: String,
}

/// A template that cannot be expanded.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TemplateError {
    /// An expression that is none.
    #[error("the expression {text} cannot be read: {why}")]
    Syntax { text: String, why: String },
    /// A function that podid does not know.
    #[error(
        "needs the template function {0}(), which podid lacks; expand the template with PSRule or `az deployment what-if` and audit what that writes"
    )]
    Function(String),
    /// A function that was used in a way it does not allow.
    #[error("{function}(): {why}")]
    Call { function: String, why: String },
    /// Something that is named but not there.
    #[error("names the {what} {name:?}, which is not there")]
    Unknown { what: &'static str, name: String },
    /// Parameters without a value.
    #[error(
        "the parameters {0} have no value: give them in a parameter file beside the template (NAME.parameters.json)"
    )]
    Parameters(String),
    /// A template that leads back to itself.
    #[error("{0} leads back to itself")]
    Cycle(String),
    /// A template that is deeper or larger than any that is meant.
    #[error("{0}, which is more than any template may")]
    TooMuch(&'static str),
    /// A part that has another form than it must.
    #[error("{0}")]
    Form(String),
}

impl Default for Place {
    /// Stand-ins, as PSRule has them.
    fn default() -> Self {
        Self {
            subscription: "ffffffff-ffff-ffff-ffff-ffffffffffff".to_owned(),
            group: "ps-rule-test-rg".to_owned(),
            location: "eastus".to_owned(),
        }
    }
}

// === impl TemplateError ===

impl TemplateError {
    pub(crate) fn call(function: &str, why: impl Into<String>) -> Self {
        Self::Call { function: function.to_owned(), why: why.into() }
    }
}

/// What a value is, in messages.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a flag",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests;
