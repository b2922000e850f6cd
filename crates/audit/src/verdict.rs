//! What does a rule say about a target?

use std::fmt;

/// One reason why a rule fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The path of the field that it is about; none if it is about the whole.
    pub path: Option<String>,
    /// What is wrong.
    pub text: String,
}

/// What a rule says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is as it should be.
    Pass,
    /// It is not, and why.
    Fail(Vec<Finding>),
    /// It cannot be said either way: counts as failed, with a warning, as PSRule has it.
    Inconclusive,
    /// The rule could not look, and why.
    Error(String),
}

// === impl Finding ===

impl Finding {
    /// A reason about the field at `path`.
    pub fn at(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { path: Some(path.into()), text: text.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            Some(path) => write!(to, "Path {path}: {}", self.text),
            None => to.write_str(&self.text),
        }
    }
}

impl From<String> for Finding {
    fn from(text: String) -> Self {
        Self { path: None, text }
    }
}

// === impl Verdict ===

impl Verdict {
    /// It is not as it should be, because of `text`.
    pub fn fail(text: impl Into<String>) -> Self {
        Self::Fail(vec![Finding::from(text.into())])
    }

    /// It is not, because of the field at `path`.
    pub fn fail_at(path: &str, text: impl Into<String>) -> Self {
        Self::Fail(vec![Finding::at(path, text)])
    }

    /// Passes if nothing was found.
    pub fn of(findings: Vec<Finding>) -> Self {
        if findings.is_empty() { Self::Pass } else { Self::Fail(findings) }
    }

    /// This, and if it passes `next`, too. PSRule's `allOf`.
    #[must_use]
    pub fn and(self, next: impl FnOnce() -> Self) -> Self {
        if self == Self::Pass { next() } else { self }
    }
}
