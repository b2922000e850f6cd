//! Which objects does a label or field selector choose?

use serde_json::Value;

use super::catalogue::Kind;
use super::resource::{EVENTS, EVENTS_K8S_IO, NAMESPACES, NODES, PODS, SECRETS};
use super::status::Status;

/// A label selector and a field selector together; the default chooses everything.
#[derive(Clone, Debug, Default)]
pub struct Selector {
    labels: Vec<LabelRule>,
    fields: Vec<FieldRule>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct LabelRule {
    key: String,
    test: LabelTest,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum LabelTest {
    Exists,
    Absent,
    In(Vec<String>),
    NotIn(Vec<String>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct FieldRule {
    path: String,
    value: String,
    equal: bool,
}

// === impl Selector ===

impl Selector {
    /// Reads a label selector in its full syntax: `a=b`, `a==b`, `a!=b`, `a in (b,c)`, `a notin (b)`, `a`, `!a`.
    pub fn labels(text: &str) -> Result<Self, Status> {
        let labels = split(text).into_iter().map(LabelRule::parse).collect::<Result<_, _>>()?;
        Ok(Self { labels, fields: Vec::new() })
    }

    /// Adds a field selector: `path=value`, `path==value` or `path!=value`, of the paths that the kind supports.
    pub(crate) fn and_fields(mut self, kind: &Kind, text: &str) -> Result<Self, Status> {
        for part in split(text) {
            let rule = FieldRule::parse(part, kind)?;
            self.fields.push(rule);
        }
        Ok(self)
    }

    /// Whether the object is chosen.
    pub fn matches(&self, object: &Value) -> bool {
        self.labels.iter().all(|rule| rule.matches(&object["metadata"]["labels"]))
            && self.fields.iter().all(|rule| rule.matches(object))
    }
}

// === impl LabelRule ===

impl LabelRule {
    fn parse(text: &str) -> Result<Self, Status> {
        let rule = |key: &str, test| Self { key: key.trim().to_owned(), test };
        let one = |value: &str| vec![value.trim().to_owned()];
        let rule = if let Some(key) = text.strip_prefix('!') {
            rule(key, LabelTest::Absent)
        } else if let Some((key, value)) = text.split_once("!=") {
            rule(key, LabelTest::NotIn(one(value)))
        } else if let Some((key, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
            rule(key, LabelTest::In(one(value)))
        } else if let Some((head, values)) = text.strip_suffix(')').and_then(|t| t.split_once('(')) {
            let values = values.split(',').map(|v| v.trim().to_owned()).collect();
            match head.trim().rsplit_once(char::is_whitespace) {
                Some((key, "in")) => rule(key, LabelTest::In(values)),
                Some((key, "notin")) => rule(key, LabelTest::NotIn(values)),
                _ => return Err(unreadable(text)),
            }
        } else {
            rule(text, LabelTest::Exists)
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
        if rule.key.is_empty() || !rule.key.chars().all(plain) {
            return Err(unreadable(text));
        }
        Ok(rule)
    }

    fn matches(&self, labels: &Value) -> bool {
        let value = labels[self.key.as_str()].as_str();
        match &self.test {
            LabelTest::Exists => value.is_some(),
            LabelTest::Absent => value.is_none(),
            LabelTest::In(values) => value.is_some_and(|v| values.iter().any(|w| w == v)),
            LabelTest::NotIn(values) => !value.is_some_and(|v| values.iter().any(|w| w == v)),
        }
    }
}

// === impl FieldRule ===

impl FieldRule {
    fn parse(text: &str, kind: &Kind) -> Result<Self, Status> {
        let (path, value, equal) = if let Some((path, value)) = text.split_once("!=") {
            (path, value, false)
        } else if let Some((path, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
            (path, value, true)
        } else {
            return Err(Status::bad_request(format!(
                "invalid selector: '{text}'; can't understand '{text}'"
            )));
        };
        // The newer events API names the same field differently.
        let path = match path.strip_prefix("regarding.") {
            Some(rest) if kind.resource == EVENTS_K8S_IO => format!("involvedObject.{rest}"),
            _ => path.to_owned(),
        };
        if !selectable(kind, &path) {
            return Err(Status::bad_request(format!("field label not supported: {path}")));
        }
        Ok(Self { path, value: value.to_owned(), equal })
    }

    fn matches(&self, object: &Value) -> bool {
        let found = match self.path.as_str() {
            "source" => &object["source"]["component"],
            path => path.split('.').fold(object, |value, key| &value[key]),
        };
        let text = match found {
            Value::String(text) => text.clone(),
            Value::Null if ["spec.hostNetwork", "spec.unschedulable"].contains(&self.path.as_str()) => {
                "false".into()
            }
            Value::Null => String::new(),
            other => other.to_string(),
        };
        (text == self.value) == self.equal
    }
}

fn selectable(kind: &Kind, path: &str) -> bool {
    let own: &[&str] = match kind.stored() {
        r if *r == PODS => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ],
        r if *r == NODES => &["spec.unschedulable"],
        r if *r == NAMESPACES => &["status.phase"],
        r if *r == SECRETS => &["type"],
        r if *r == EVENTS => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        _ => &[],
    };
    path == "metadata.name" || (path == "metadata.namespace" && kind.namespaced) || own.contains(&path)
}

/// Splits at the commas outside of parentheses.
fn split(text: &str) -> Vec<&str> {
    let mut depth = 0_i32;
    text.split(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        c == ',' && depth == 0
    })
    .map(str::trim)
    .filter(|part| !part.is_empty())
    .collect()
}

fn unreadable(text: &str) -> Status {
    Status::bad_request(format!("unable to parse requirement: cannot understand label selector '{text}'"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::catalogue::Catalogue;
    use super::*;

    #[test]
    fn label_selector_chooses_by_every_operator() {
        let object = json!({"metadata": {"labels": {"app": "demo", "tier": "front"}}});
        for (text, expected) in [
            ("", true),
            ("app=demo", true),
            ("app==demo,tier=front", true),
            ("app=other", false),
            ("app!=other", true),
            ("missing!=x", true),
            ("app in (a, demo)", true),
            ("app in (a,b),tier", false),
            ("app notin (a,b)", true),
            ("tier notin (front)", false),
            ("app", true),
            ("missing", false),
            ("!missing", true),
            ("!app", false),
        ] {
            assert_eq!(Selector::labels(text).unwrap().matches(&object), expected, "{text}");
        }
    }

    #[test]
    fn unreadable_label_selector_is_refused() {
        for text in ["a b", "app near (x)", "=x", "a in (b"] {
            assert_eq!(Selector::labels(text).unwrap_err().code, 400, "{text}");
        }
    }

    #[test]
    fn field_selector_chooses_among_supported_paths() {
        let catalogue = Catalogue::new(&[]).unwrap();
        let pods = catalogue.kind(&PODS).unwrap();
        let pod = json!({"metadata": {"name": "p", "namespace": "n"}, "spec": {"nodeName": "one"}});
        for (text, expected) in [
            ("metadata.name=p,metadata.namespace==n", true),
            ("spec.nodeName!=one", false),
            ("status.phase=", true),
            ("status.phase!=Failed,status.phase!=Succeeded", true),
            ("spec.hostNetwork=false", true),
        ] {
            let selector = Selector::default().and_fields(pods, text).unwrap();
            assert_eq!(selector.matches(&pod), expected, "{text}");
        }
        let refused = Selector::default().and_fields(pods, "spec.image=x").unwrap_err();
        assert_eq!(refused.message, "field label not supported: spec.image");
    }

    #[test]
    fn events_are_chosen_by_their_object_under_both_names() {
        let catalogue = Catalogue::new(&[]).unwrap();
        let event =
            json!({"involvedObject": {"name": "p"}, "source": {"component": "lab"}, "type": "Normal"});
        let newer = catalogue.kind(&EVENTS_K8S_IO).unwrap();
        let selector = Selector::default().and_fields(newer, "regarding.name=p,type=Normal").unwrap();
        assert!(selector.matches(&event));
        let older = catalogue.kind(&EVENTS).unwrap();
        assert!(Selector::default().and_fields(older, "source=lab").unwrap().matches(&event));
    }
}
