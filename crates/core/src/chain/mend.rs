//! How is a command written that a person can paste?
//!
//! Names and values come from objects that anybody may have written: each is quoted, so that pasting a command never
//! runs more than it says.

use std::fmt::Write as _;

use super::scene::Pod;
use crate::facts::{IdentityKind, POD_LABEL};
use crate::ids::ObjectRef;

/// API group and version of the custom resources.
const API_VERSION: &str = "aadpodidentity.k8s.io/v1";

/// `text` as one word of a shell.
pub(super) fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// `text` as a string of JSON, which is one of YAML as well.
pub(super) fn json(text: &str) -> String {
    let mut written = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => written.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(written, "\\u{:04x}", u32::from(c));
            }
            c => written.push(c),
        }
    }
    written + "\""
}

/// A merge patch of a namespaced object.
pub(super) fn patch(resource: &str, id: &ObjectRef, patch: &str) -> String {
    let (namespace, name) = (word(&id.namespace), word(&id.name));
    format!("kubectl patch {resource} {name} -n {namespace} --type merge -p {}", word(patch))
}

/// A JSON patch of a namespaced object.
pub(super) fn json_patch(resource: &str, id: &ObjectRef, patch: &str) -> String {
    let (namespace, name) = (word(&id.namespace), word(&id.name));
    format!("kubectl patch {resource} {name} -n {namespace} --type json -p {}", word(patch))
}

/// Gives a pod, or what makes it, this value of the label.
pub(super) fn label(pod: &Pod, value: &str) -> String {
    match &pod.owner {
        None => {
            let (namespace, name) = (word(&pod.fact.id.namespace), word(&pod.fact.id.name));
            format!("kubectl label pod {name} -n {namespace} {POD_LABEL}={} --overwrite", word(value))
        }
        Some(_) => {
            template(pod, &format!(r#"{{"metadata":{{"labels":{{"{POD_LABEL}":{}}}}}}}"#, json(value)))
        }
    }
}

/// Changes the template that a pod is made from; of a pod that nothing keeps, nothing.
pub(super) fn template(pod: &Pod, template: &str) -> String {
    let Some(owner) = &pod.owner else { return again(pod, "") };
    let id = ObjectRef::new(pod.fact.id.namespace.clone(), owner.name.clone());
    patch(&word(&owner.kind), &id, &format!(r#"{{"spec":{{"template":{template}}}}}"#))
}

/// Makes the pod anew: what keeps it does, or it is made from itself through `filter`.
pub(super) fn again(pod: &Pod, filter: &str) -> String {
    let (namespace, name) = (word(&pod.fact.id.namespace), word(&pod.fact.id.name));
    if pod.owner.is_some() {
        return format!("kubectl delete pod {name} -n {namespace}");
    }
    let filter = if filter.is_empty() { String::new() } else { format!(" | {filter}") };
    format!(
        "kubectl get pod {name} -n {namespace} -o yaml{filter} | kubectl replace --force --grace-period=0 -f -"
    )
}

/// A binding.
pub(super) fn bind(namespace: &str, name: &str, identity: &str, selector: &str) -> String {
    apply(&[binding_document(namespace, name, identity, selector)])
}

/// An identity like another, and its binding.
pub(super) fn copy(namespace: &str, name: &str, kind: &IdentityKind, selector: &str) -> Option<String> {
    let IdentityKind::Managed { resource_id, client_id } = kind else { return None };
    let spec = format!(
        "{{type: 0, resourceID: {}, clientID: {}}}",
        json(resource_id.as_str()),
        json(client_id.as_str())
    );
    let identity = document("AzureIdentity", namespace, name, &spec);
    Some(apply(&[identity, binding_document(namespace, name, name, selector)]))
}

fn binding_document(namespace: &str, name: &str, identity: &str, selector: &str) -> String {
    let spec = format!("{{azureIdentity: {}, selector: {}}}", json(identity), json(selector));
    document("AzureIdentityBinding", namespace, name, &spec)
}

fn document(kind: &str, namespace: &str, name: &str, spec: &str) -> String {
    format!(
        "apiVersion: {API_VERSION}\nkind: {kind}\nmetadata: {{name: {}, namespace: {}}}\nspec: {spec}\n",
        json(name),
        json(namespace)
    )
}

fn apply(documents: &[String]) -> String {
    format!("kubectl apply -f - <<'END'\n{}END", documents.join("---\n"))
}

/// What is left to `podid add`, where nobody can know which identity is meant.
pub(super) fn add(namespace: &str, name: &str, resource_id: Option<&str>, selector: &str) -> String {
    let resource_id = resource_id.map_or_else(|| "RESOURCE_ID".to_owned(), word);
    let (namespace, name) = (word(namespace), word(name));
    let selector =
        if selector == name { String::new() } else { format!(" --binding-selector {}", word(selector)) };
    format!("podid add --namespace {namespace} --name {name} --identity-resource-id {resource_id}{selector}")
}

/// A name for objects, after a label's value.
pub(super) fn name_after(label: &str) -> String {
    let lower = label.to_ascii_lowercase();
    let plain: String = lower.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let name = plain.trim_matches('-');
    if name.is_empty() { "app".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_an_object_says_stays_one_word() {
        let cases = [
            ("web-1", "web-1"),
            ("", "''"),
            ("a b", "'a b'"),
            ("x'; rm -rf ~; '", r"'x'\''; rm -rf ~; '\'''"),
            ("$(reboot)", "'$(reboot)'"),
        ];
        for (text, expected) in cases {
            assert_eq!(word(text), expected);
        }
    }

    #[test]
    fn a_value_cannot_end_the_document_that_it_is_in() {
        let command = bind("shop", "web", "app\nEND\nreboot", "a\"b\\");
        assert_eq!(command.lines().filter(|line| *line == "END").count(), 1, "{command}");
        assert!(command.contains(r#"azureIdentity: "app\u000aEND\u000areboot""#), "{command}");
        assert!(command.contains(r#"selector: "a\"b\\""#), "{command}");
    }

    #[test]
    fn a_label_s_value_becomes_a_name() {
        assert_eq!(name_after("Web_App.1"), "web-app-1");
        assert_eq!(name_after("_"), "app");
    }
}
