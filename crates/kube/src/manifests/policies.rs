//! What does the API server refuse or warn about, beyond what the definitions say?
//!
//! Two questions need more than one field or the person who asks, which a schema cannot see: is the
//! object complete ([`mod@fields`]), and who writes assignments ([`mod@writers`])? Rules of a definition that
//! span several fields would also refuse edits of objects that were stored before there were rules;
//! a policy can refuse what is new and only warn about what is changed.
//!
//! Two more are off unless somebody asks for them, as they refuse what worked before: pods that could take
//! a neighbour's address ([`mod@net_raw`]), and identities that their author may not use ([`mod@users`]).

mod fields;
mod net_raw;
mod users;
mod writers;

use serde_json::{Value, json};

use super::Install;
use crate::crd::GROUP;

pub use net_raw::{Form, NetRaw};

/// Whether the objects of each kind are complete: refused when they are created, warned about later.
pub(super) fn fields() -> Vec<Value> {
    [fields::identity(), fields::binding(), fields::exception()].concat()
}

/// Who may write assignments. Standard mode only: managed mode has none.
pub(super) fn writers(install: &Install) -> Vec<Value> {
    writers::objects(install)
}

/// Who may give an identity to pods: only those who may use it themselves.
pub(super) fn users(action: Action) -> Vec<Value> {
    users::objects(action)
}

/// What happens to an object that a policy finds fault with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Action {
    /// It is refused.
    #[default]
    Deny,
    /// It is accepted, and whoever wrote it is told.
    Warn,
    /// It is accepted, and the API server's audit log has it.
    Audit,
}

/// What has to hold, and what is said where it does not.
struct Rule {
    /// In CEL; true is good.
    holds: String,
    /// What is said where it is not.
    message: &'static str,
    /// A CEL expression whose text replaces `message`, with names from the request in it.
    detailed: Option<String>,
    /// What the answer is called instead of `Invalid`.
    reason: Option<&'static str>,
}

/// Which requests are looked at.
struct On<'a> {
    group: &'a str,
    resource: &'a str,
    operations: &'a [&'a str],
}

/// A policy before it is bound.
struct Policy<'a> {
    name: &'a str,
    on: Vec<On<'a>>,
    /// Which objects are looked at, by name and CEL expression.
    conditions: &'a [(&'a str, &'a str)],
    /// Names for parts of the object, which rules use as `variables.NAME`.
    variables: Vec<(&'a str, String)>,
    rules: Vec<Rule>,
}

// === impl Rule ===

impl Rule {
    fn new(holds: impl Into<String>, message: &'static str) -> Self {
        Self { holds: holds.into(), message, detailed: None, reason: None }
    }

    fn detailed(mut self, expression: impl Into<String>) -> Self {
        self.detailed = Some(expression.into());
        self
    }

    fn reason(mut self, reason: &'static str) -> Self {
        self.reason = Some(reason);
        self
    }

    fn json(&self) -> Value {
        let mut rule = json!({"expression": self.holds, "message": self.message});
        if let Some(expression) = &self.detailed {
            rule["messageExpression"] = expression.as_str().into();
        }
        if let Some(reason) = self.reason {
            rule["reason"] = reason.into();
        }
        rule
    }
}

// === impl Policy ===

impl Policy<'_> {
    fn object(&self) -> Value {
        let named = |(name, expression): (&str, &str)| json!({"name": name, "expression": expression});
        let mut spec = json!({
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": self.on.iter().map(On::json).collect::<Vec<_>>()},
            "validations": self.rules.iter().map(Rule::json).collect::<Vec<_>>()
        });
        if !self.conditions.is_empty() {
            spec["matchConditions"] = self.conditions.iter().copied().map(named).collect();
        }
        if !self.variables.is_empty() {
            spec["variables"] =
                self.variables.iter().map(|(name, expression)| named((name, expression))).collect();
        }
        object("ValidatingAdmissionPolicy", self.name, &spec)
    }

    /// A binding called `suffix`, which says what follows from a broken rule on `operations`.
    fn bound(&self, suffix: &str, operations: &[&str], actions: &[&str]) -> Value {
        let on = self.on.iter().map(|on| On { operations, ..*on }.json());
        let spec = json!({
            "policyName": self.name,
            "validationActions": actions,
            "matchResources": {"resourceRules": on.collect::<Vec<_>>()}
        });
        object("ValidatingAdmissionPolicyBinding", &format!("{}{suffix}", self.name), &spec)
    }

    /// A binding with the policy's name to everything that it looks at, but in the namespaces `exempt`.
    fn bound_outside(&self, exempt: &[String], action: Action) -> Value {
        let mut spec = json!({"policyName": self.name, "validationActions": action.validation_actions()});
        if !exempt.is_empty() {
            let names = json!({"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": exempt});
            spec["matchResources"] = json!({"namespaceSelector": {"matchExpressions": [names]}});
        }
        object("ValidatingAdmissionPolicyBinding", self.name, &spec)
    }
}

// === impl On ===

impl<'a> On<'a> {
    /// Objects of ours that are written.
    fn ours(resource: &'a str) -> Self {
        Self { group: GROUP, resource, operations: &["CREATE", "UPDATE"] }
    }

    fn json(&self) -> Value {
        json!({
            "apiGroups": [self.group],
            "apiVersions": ["v1"],
            "operations": self.operations,
            "resources": [self.resource]
        })
    }
}

// === impl Action ===

impl Action {
    /// The same for a binding; the audit log has it in any case.
    const fn validation_actions(self) -> &'static [&'static str] {
        match self {
            Self::Deny => &["Deny", "Audit"],
            Self::Warn => &["Warn", "Audit"],
            Self::Audit => &["Audit"],
        }
    }
}

/// A CEL text.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

fn object(kind: &str, name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": spec
    })
}
