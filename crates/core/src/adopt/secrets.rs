//! Which service principals would lose their Secret?
//!
//! The original reads a Secret of any namespace and takes its first value; podid reads the identity's
//! own namespace, takes keys by name, and has the right where it was given.

use std::collections::BTreeSet;

use super::identities::object;
use super::{Code, Finding, Identity, Level, Object, Secret, View};

/// The key of a client secret (design: else the only key).
const PASSWORD: &str = "clientSecret";
/// The key of a certificate.
const CERTIFICATE: &str = "certificate";

pub(super) fn find(view: &View<'_>) -> Vec<Finding> {
    let principals: Vec<&Identity> = view.cluster.identities().iter().filter(|one| one.type_ != 0).collect();
    let mut findings: Vec<Finding> = principals.iter().filter_map(|identity| elsewhere(identity)).collect();
    findings.extend(principals.iter().filter_map(|identity| content(view, identity)));
    let namespaces: BTreeSet<_> = principals
        .iter()
        .filter(|identity| identity.secret.is_some())
        .map(|identity| &identity.fact.id.namespace)
        .collect();
    if let (Some(first), list) = (namespaces.first(), names(&namespaces)) {
        findings.push(Finding {
            code: Code::SecretRight,
            level: Level::Changes,
            object: Object::namespace(first),
            change: format!(
                "podid's agent may read Secrets in listed namespaces only; service principals are in {list}."
            ),
            action: format!("--set 'rbac.secretNamespaces={{{list}}}'"),
        });
    }
    findings
}

fn names(namespaces: &BTreeSet<&std::sync::Arc<str>>) -> String {
    namespaces.iter().map(|name| &***name).collect::<Vec<_>>().join(",")
}

fn elsewhere(identity: &Identity) -> Option<Finding> {
    let id = &identity.fact.id;
    let secret = identity.secret.as_ref().filter(|secret| secret.namespace != id.namespace)?;
    Some(Finding {
        code: Code::SecretElsewhere,
        level: Level::Changes,
        object: object(identity),
        change: format!("Its Secret is {secret}; podid reads Secrets of the identity's own namespace only."),
        action: format!(
            "Create Secret {} in namespace {ns} with the same content, then: kubectl patch azureidentity -n {ns} {} \
             --type=merge -p '{{\"spec\":{{\"clientPassword\":{{\"namespace\":\"{ns}\"}}}}}}'",
            secret.name,
            id.name,
            ns = id.namespace
        ),
    })
}

fn content(view: &View<'_>, identity: &Identity) -> Option<Finding> {
    let id = identity.secret.as_ref()?;
    let (code, level, change, action) = match view.cluster.secrets.get(id)? {
        None => (
            Code::SecretMissing,
            Level::Note,
            format!("Its Secret {id} does not exist; it gets no token, today and with podid."),
            format!(
                "Create it, or: kubectl delete azureidentity -n {} {}",
                identity.fact.id.namespace, identity.fact.id.name
            ),
        ),
        Some(secret) => {
            let (change, action) = ambiguous(identity, secret)?;
            (Code::SecretAmbiguous, Level::Changes, format!("Secret {id} {change}"), action)
        }
    };
    Some(Finding { code, level, object: object(identity), change, action })
}

/// What is wrong with the keys, if anything, and what to do.
fn ambiguous(identity: &Identity, secret: &Secret) -> Option<(String, String)> {
    let has = |key: &str| secret.keys.contains(key);
    let keys = secret.keys.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", ");
    let found = if keys.is_empty() { "no keys".to_owned() } else { format!("the keys {keys}") };
    match identity.type_ {
        1 if !has(PASSWORD) && secret.keys.len() != 1 => Some((
            format!("has {found}; the original takes any value, podid takes {PASSWORD}, or the only key."),
            format!("Name the key of the client secret {PASSWORD}."),
        )),
        2 if !has(CERTIFICATE) => Some((
            format!("has {found}; the certificate has to be under {CERTIFICATE}."),
            format!("Name the key of the certificate {CERTIFICATE}."),
        )),
        _ => None,
    }
}
