//! Which pods would get another identity than today, or none?

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::finding::some;
use super::{Code, Finding, Identity, Level, Object, Scope, View};
use crate::facts::{Binding, POD_LABEL, Pod};
use crate::ids::ObjectRef;
use crate::select::Matching;

pub(super) fn find(view: &View<'_>) -> Vec<Finding> {
    let bindings = view.cluster.bindings();
    let mut findings: Vec<Finding> = bindings.iter().filter_map(|binding| across(view, binding)).collect();
    findings.extend(bindings.iter().filter_map(|binding| missing(view, binding)));
    findings.extend(bindings.iter().filter_map(|binding| empty(view, binding)));
    findings.extend(unbound(view));
    findings.extend(live_pods(view).flat_map(|pod| several(view, pod)));
    findings
}

fn live_pods<'a>(view: &View<'a>) -> impl Iterator<Item = &'a Pod> {
    view.cluster.pods().iter().map(|pod| &pod.fact).filter(|pod| pod.is_live())
}

/// Whether `binding` gives `pod` its identity as the original matches.
fn reaches_today(view: &View<'_>, binding: &Binding, pod: &Pod) -> bool {
    let annotated = view.cluster.identity_of(binding).is_some_and(|identity| identity.fact.namespaced);
    let namespaced = annotated || view.original.matching() == Matching::Namespaced;
    pod.selector() == Some(&*binding.selector) && (!namespaced || binding.id.namespace == pod.id.namespace)
}

fn across(view: &View<'_>, binding: &Binding) -> Option<Finding> {
    if view.plan.matching == Matching::ClusterWide {
        return None;
    }
    let elsewhere = |pod: &&Pod| pod.id.namespace != binding.id.namespace;
    let pods: Vec<_> =
        live_pods(view).filter(elsewhere).filter(|pod| reaches_today(view, binding, pod)).collect();
    let namespaces: BTreeSet<_> = pods.iter().map(|pod| &*pod.id.namespace).collect();
    let identity = &binding.identity;
    (!pods.is_empty()).then(|| Finding {
        code: Code::AcrossNamespaces,
        level: Level::Changes,
        object: object(binding),
        change: format!(
            "podid matches within a namespace, so {} would lose the identity {}/{identity}, and the records of it go.",
            some(pods.iter().map(|pod| &pod.id)),
            binding.id.namespace
        ),
        action: format!(
            "Create the AzureIdentity {identity} and this binding in {}, or keep matching cluster-wide: \
             --set forceNamespaced=false",
            some(namespaces)
        ),
    })
}

fn missing(view: &View<'_>, binding: &Binding) -> Option<Finding> {
    let unknown = view.cluster.identities.is_some() && view.cluster.identity_of(binding).is_none();
    unknown.then(|| Finding {
        code: Code::IdentityMissing,
        level: Level::Note,
        object: object(binding),
        change: format!(
            "It names the AzureIdentity {}/{}, which does not exist; it grants nothing, today and with podid.",
            binding.id.namespace, binding.identity
        ),
        action: format!(
            "kubectl delete azureidentitybinding -n {} {}, or create the identity.",
            binding.id.namespace, binding.id.name
        ),
    })
}

fn empty(view: &View<'_>, binding: &Binding) -> Option<Finding> {
    let (level, today) = if view.original.is_managed() {
        (Level::Changes, "today it matches every pod of its namespace without the label")
    } else {
        (Level::Note, "today it matches no pod")
    };
    binding.selector.is_empty().then(|| Finding {
        code: Code::EmptySelector,
        level,
        object: object(binding),
        change: format!("Its selector is empty: {today}; with podid it matches none."),
        action: format!(
            "Give the pods the label {POD_LABEL} and write its value: kubectl patch azureidentitybinding -n {} {} \
             --type=merge -p '{{\"spec\":{{\"selector\":\"VALUE\"}}}}'",
            binding.id.namespace, binding.id.name
        ),
    })
}

/// Labels that select nothing, per namespace and value.
fn unbound(view: &View<'_>) -> Vec<Finding> {
    // A binding that was not looked at may select them.
    let all_seen = view.cluster.scope == Scope::All || view.original.matching() == Matching::Namespaced;
    if view.cluster.bindings.is_none() || !all_seen {
        return Vec::new();
    }
    let mut found: BTreeMap<(&Arc<str>, &str), Vec<&Pod>> = BTreeMap::new();
    for pod in live_pods(view) {
        let Some(label) = pod.selector() else { continue };
        let mut bindings = view.cluster.bindings().iter();
        if !bindings.any(|binding| reaches_today(view, binding, pod)) {
            found.entry((&pod.id.namespace, label)).or_default().push(pod);
        }
    }
    let finding = |((_, label), pods): (_, Vec<&Pod>)| {
        let first = pods.first()?;
        Some(Finding {
            code: Code::NothingBound,
            level: Level::Note,
            object: Object::new("Pod", &first.id),
            change: format!(
                "No binding selects {POD_LABEL}={label} for {}; they get no identity, today and with podid.",
                some(pods.iter().map(|pod| &pod.id))
            ),
            action: "Remove the label, or create the binding.".to_owned(),
        })
    };
    found.into_iter().filter_map(finding).collect()
}

/// Notes on a pod with several identities.
fn several(view: &View<'_>, pod: &Pod) -> Vec<Finding> {
    let mut bound: Vec<(&ObjectRef, &Identity)> = Vec::new();
    for binding in view.cluster.bindings().iter().filter(|binding| reaches_today(view, binding, pod)) {
        if let Some(identity) = view.cluster.identity_of(binding) {
            bound.push((&binding.id, identity));
        }
    }
    bound.sort_by_key(|(binding, identity)| (*binding, &identity.fact.id));
    bound.dedup_by_key(|(_, identity)| &identity.fact.id);
    let mut findings = Vec::new();
    if bound.len() > 1 {
        let first = bound.first().map(|(_, identity)| identity.fact.id.to_string()).unwrap_or_default();
        findings.push(Finding {
            code: Code::SeveralIdentities,
            level: Level::Note,
            object: Object::new("Pod", &pod.id),
            change: format!(
                "It is bound to {}. Asked for none in particular, the original gives any of them, podid always {first}.",
                some(bound.iter().map(|(_, identity)| &identity.fact.id))
            ),
            action: "Name the identity in the request (AZURE_CLIENT_ID in most SDKs), or bind one only.".to_owned(),
        });
    }
    let mut names: Vec<&Arc<str>> = bound.iter().map(|(_, identity)| &identity.fact.id.name).collect();
    names.sort();
    if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0]) {
        findings.push(Finding {
            code: Code::SameName,
            level: Level::Changes,
            object: Object::new("Pod", &pod.id),
            change: format!(
                "It is bound to identities called {twice} in several namespaces. The original records one of them only; \
                 with podid it gets {}.",
                match view.plan.matching {
                    Matching::ClusterWide => "each",
                    Matching::Namespaced => "that of its own namespace",
                }
            ),
            action: "Bind it to the one that it needs.".to_owned(),
        });
    }
    findings
}

fn object(binding: &Binding) -> Object {
    Object::new("AzureIdentityBinding", &binding.id)
}
