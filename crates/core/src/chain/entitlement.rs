//! Which identity may the pod have, by its label, bindings and identities?
//!
//! NMI's own decision says whether it may, and which cause it would give; the links say how it came about.

use super::index::{Index, distinct};
use super::scene::Seen;
use super::walk::{View, refusal};
use super::{Cross, Outcome, Step, mend};
use crate::adopt::{Identity, Object};
use crate::answer::{Answer, Mode, View as _};
use crate::facts::{Binding, InvalidIdentity, POD_LABEL};
use crate::ids::ObjectRef;
use crate::refusal::Cause;
use crate::request::Selector;
use crate::select::{Grant, Matching, Reason, Selection};

/// The links up to the namespace, and what they lead to.
pub(super) struct Entitlement<'a> {
    pub(super) links: Vec<(Step, Outcome)>,
    pub(super) grant: Option<Grant<'a>>,
}

/// The links that a refusal for this cause breaks.
fn step(cause: Cause) -> Step {
    match cause {
        Cause::NoLabel => Step::Label,
        Cause::NoBinding => Step::Binding,
        Cause::OtherNamespace => Step::Namespace,
        _ => Step::Identity,
    }
}

pub(super) fn look<'a>(view: &View<'a>) -> Entitlement<'a> {
    let index = view.index;
    let unseen = [index.scene.bindings.unseen(), index.scene.identities.unseen()];
    let label = view.pod.fact.selector();
    if let (Some(label), Some(why)) = (label, unseen.into_iter().flatten().next()) {
        let known = (Step::Label, Outcome::Holds(format!("{POD_LABEL}={label}")));
        let rest = [Step::Binding, Step::Identity, Step::Namespace];
        let links = rest.map(|step| (step, Outcome::Unseen(why.to_owned())));
        return Entitlement { links: [known].into_iter().chain(links).collect(), grant: None };
    }
    let mut selection = index.selection(&view.pod.fact, view.terms.matching);
    let (broken, grant) = match view.answer(Mode::Managed) {
        Answer::Without(without) => {
            let refusal = refusal(without);
            let cross = cross(view, &selection, refusal.cause, &refusal.text);
            (Some((step(refusal.cause), cross)), None)
        }
        Answer::Serve(choice) => (None, Some(Grant { binding: choice.binding, identity: choice.identity })),
        Answer::Find(choices, _) => {
            let first = choices.first();
            (None, first.map(|choice| Grant { binding: choice.binding, identity: choice.identity }))
        }
        // Nothing of this is asked of an excepted pod; its own link says so.
        Answer::PassThrough => (None, selection.grants.drain(..).next()),
    };
    let mut links = Vec::new();
    for step in [Step::Label, Step::Binding, Step::Identity, Step::Namespace] {
        match &broken {
            Some((at, cross)) if *at == step => links.push((step, cross.clone().into())),
            _ => links.push((step, holds(view, step, grant.as_ref(), &selection))),
        }
    }
    Entitlement { links, grant }
}

/// What a link says that holds. Behind a broken one it is never read.
fn holds(view: &View<'_>, step: Step, grant: Option<&Grant<'_>>, selection: &Selection<'_>) -> Outcome {
    let label = view.pod.fact.selector().unwrap_or_default();
    let reach = match view.terms.matching {
        Matching::Namespaced => "bindings reach their own namespace (as NMI is told)",
        Matching::ClusterWide => "bindings reach every namespace (as NMI is told)",
    };
    let granted = selection.grants.first().map(|grant| grant.binding);
    let binding =
        grant.map(|grant| grant.binding).or(granted).or(selection.refused.first().map(|(one, _)| *one));
    let identity = grant.map(|grant| grant.identity);
    Outcome::Holds(match step {
        Step::Label => format!("{POD_LABEL}={label}"),
        Step::Binding => match binding {
            Some(binding) => format!("AzureIdentityBinding {} selects it", binding.id),
            None => "a binding selects it".to_owned(),
        },
        Step::Identity => match identity.map(|identity| (&identity.id, identity.resource_id())) {
            Some((id, Some(resource))) => format!("AzureIdentity {id} is {}", resource.name()),
            Some((id, None)) => format!("AzureIdentity {id} is a service principal"),
            None => "it can be used".to_owned(),
        },
        _ if identity.is_some_and(|identity| identity.namespaced) => {
            "the identity is for its own namespace (as its annotation says)".to_owned()
        }
        _ => reach.to_owned(),
    })
}

fn cross(view: &View<'_>, selection: &Selection<'_>, cause: Cause, text: &str) -> Cross {
    let text = text.strip_prefix("Identity not found: ").or(text.strip_prefix("Not yet: ")).unwrap_or(text);
    let cross = Cross::new(cause, text);
    match cause {
        Cause::NoLabel => no_label(view, cross),
        Cause::NoBinding => no_binding(view, cross),
        Cause::OtherNamespace => other_namespace(view, selection, cross),
        Cause::IdentityMissing => missing(view, selection, cross),
        Cause::IdentityInvalid => invalid(view, selection, cross),
        Cause::IdentityProtected => protected(view, cross),
        Cause::NotGranted => not_granted(view, selection, cross),
        _ => cross,
    }
}

/// Identities that bindings of the pod's namespace may name, usable and free.
fn near<'a>(view: &View<'a>) -> Vec<&'a Identity> {
    let here = &view.pod.fact.id.namespace;
    let all = view.index.scene.identities.list().iter();
    let usable = all.filter(|one| one.fact.id.namespace == *here && one.fact.kind.is_ok());
    usable.filter(|one| !view.agent.protected.covers(&one.fact)).collect()
}

/// The only one, if there is exactly one.
fn only<T>(mut items: Vec<T>) -> Option<T> {
    items.pop().filter(|_| items.is_empty())
}

fn pod_object(view: &View<'_>) -> Object {
    Object::new("Pod", &view.pod.fact.id)
}

fn no_label(view: &View<'_>, cross: Cross) -> Cross {
    let here = &view.pod.fact.id.namespace;
    let bindings = view.index.scene.bindings.list().iter();
    let reach = bindings.filter(|binding| {
        (binding.id.namespace == *here || view.terms.matching == Matching::ClusterWide)
            && !binding.selector.is_empty()
    });
    let selectors = distinct(reach.filter(|one| leads_somewhere(view.index, one)).map(|one| &*one.selector));
    let cross = cross.in_object(pod_object(view));
    match only(selectors.clone()) {
        Some(selector) => cross.mended_by([mend::label(view.pod, selector)]),
        None if selectors.is_empty() => {
            cross.mended_by([mend::add(here, "NAME", None, "NAME"), mend::label(view.pod, "NAME")])
        }
        None => cross
            .with_caution(format!("bindings that it could take: {}", selectors.join(", ")))
            .mended_by([mend::label(view.pod, "SELECTOR")]),
    }
}

fn leads_somewhere(index: &Index<'_>, binding: &Binding) -> bool {
    index.identity(&binding.identity_id()).is_some_and(|identity| identity.fact.kind.is_ok())
}

fn no_binding(view: &View<'_>, cross: Cross) -> Cross {
    let pod = &view.pod.fact.id;
    let label = view.pod.fact.selector().unwrap_or_default();
    let cross = cross.in_object(pod_object(view));
    let same = |binding: &&Binding| {
        binding.selector.trim().eq_ignore_ascii_case(label) && binding.id.namespace == pod.namespace
    };
    if let Some(binding) = view.index.scene.bindings.list().iter().find(same) {
        let caution = format!(
            "AzureIdentityBinding {} has the selector {:?}; selectors are compared exactly",
            binding.id, binding.selector
        );
        return cross.with_caution(caution).mended_by([mend::label(view.pod, &binding.selector)]);
    }
    match only(near(view)) {
        Some(identity) => cross
            .with_caution(format!(
                "this lets every pod with the label have AzureIdentity {}",
                identity.fact.id
            ))
            .mended_by([mend::bind(&pod.namespace, &free_name(view, label), &identity.fact.id.name, label)]),
        None => cross.mended_by([mend::add(&pod.namespace, &mend::name_after(label), None, label)]),
    }
}

/// A name for a new identity and its binding in the pod's namespace that neither has.
fn free_name(view: &View<'_>, label: &str) -> String {
    let base = mend::name_after(label);
    let taken = |name: &str| {
        let all = view.index.scene.bindings.list().iter();
        let namespace = &view.pod.fact.id.namespace;
        all.into_iter().any(|one| one.id.namespace == *namespace && *one.id.name == *name)
            || view.index.identity(&ObjectRef::new(namespace.clone(), name)).is_some()
    };
    let numbered = (2..).map(|number| format!("{base}-{number}"));
    std::iter::once(base.clone()).chain(numbered).find(|name| !taken(name)).unwrap_or(base)
}

fn other_namespace(view: &View<'_>, selection: &Selection<'_>, cross: Cross) -> Cross {
    let pod = &view.pod.fact.id;
    let label = view.pod.fact.selector().unwrap_or_default();
    let elsewhere = selection.refused.iter().find(|(_, reason)| *reason == Reason::OtherNamespace);
    let Some((binding, _)) = elsewhere else { return cross };
    let cross = cross.in_object(Object::new("AzureIdentityBinding", &binding.id)).with_caution(format!(
        "this lets pods of {} have the identity that {} has",
        pod.namespace, binding.id.namespace
    ));
    let known = view.index.identity(&binding.identity_id());
    let copy = known
        .and_then(|one| one.fact.kind.as_ref().ok())
        .and_then(|kind| mend::copy(&pod.namespace, &free_name(view, label), kind, label));
    cross
        .mended_by([copy.unwrap_or_else(|| mend::add(&pod.namespace, &mend::name_after(label), None, label))])
}

fn missing(view: &View<'_>, selection: &Selection<'_>, cross: Cross) -> Cross {
    let found = selection.refused.iter().find(|(_, reason)| matches!(reason, Reason::IdentityMissing(_)));
    let Some((binding, _)) = found else { return cross };
    let cross = cross.in_object(Object::new("AzureIdentityBinding", &binding.id));
    let all = view.index.scene.identities.list().iter();
    let beside = all.filter(|one| one.fact.id.namespace == binding.id.namespace && one.fact.kind.is_ok());
    match only(beside.collect()) {
        Some(identity) => cross.mended_by([rename(binding, &identity.fact.id.name)]),
        None => {
            cross.mended_by([mend::add(&binding.id.namespace, &binding.identity, None, &binding.selector)])
        }
    }
}

/// Makes a binding name another identity.
fn rename(binding: &Binding, identity: &str) -> String {
    let patch = format!(r#"{{"spec":{{"azureIdentity":{}}}}}"#, mend::json(identity));
    mend::patch("azureidentitybinding", &binding.id, &patch)
}

fn invalid(view: &View<'_>, selection: &Selection<'_>, cross: Cross) -> Cross {
    let found = selection.refused.iter().find_map(|(binding, reason)| match reason {
        Reason::IdentityInvalid(invalid) => Some((binding, invalid)),
        _ => None,
    });
    let Some((binding, invalid)) = found else { return cross };
    let id = binding.identity_id();
    let patch = match invalid {
        InvalidIdentity::Type(_) => r#"{"spec":{"type":0}}"#,
        InvalidIdentity::Id(crate::ids::InvalidId::Identity(_)) => r#"{"spec":{"resourceID":"RESOURCE_ID"}}"#,
        InvalidIdentity::Id(crate::ids::InvalidId::Empty(_)) => r#"{"spec":{"clientID":"CLIENT_ID"}}"#,
        InvalidIdentity::SecretElsewhere(_) => r#"{"spec":{"clientPassword":{"namespace":null}}}"#,
        InvalidIdentity::Tenant(_) | InvalidIdentity::Missing("tenantID") => {
            r#"{"spec":{"tenantID":"TENANT_ID"}}"#
        }
        InvalidIdentity::Missing(_) => r#"{"spec":{"clientPassword":{"name":"SECRET"}}}"#,
    };
    let cross = cross.in_object(Object::new("AzureIdentity", &id)).mended_by([mend::patch(
        "azureidentity",
        &id,
        patch,
    )]);
    match invalid {
        InvalidIdentity::SecretElsewhere(from) => {
            let here = &view
                .index
                .identity(&id)
                .map_or_else(|| id.namespace.clone(), |one| one.fact.id.namespace.clone());
            cross.with_caution(format!("the Secret has to be in {here}, not in {from}; make it there first"))
        }
        _ => cross,
    }
}

fn protected(view: &View<'_>, cross: Cross) -> Cross {
    let all = view.index.selection(&view.pod.fact, view.terms.matching).grants;
    let Some(grant) = all.iter().find(|grant| view.agent.protected.covers(grant.identity)) else {
        return cross;
    };
    let cross = cross.in_object(Object::new("AzureIdentityBinding", &grant.binding.id));
    let other = near(view).into_iter().filter(|one| one.fact.id.namespace == grant.binding.id.namespace);
    if let Some(identity) = only(other.collect()) {
        return cross.mended_by([rename(grant.binding, &identity.fact.id.name)]);
    }
    let label = view.pod.fact.selector().unwrap_or_default();
    cross.mended_by([mend::add(&view.pod.fact.id.namespace, &mend::name_after(label), None, label)])
}

fn not_granted(view: &View<'_>, selection: &Selection<'_>, cross: Cross) -> Cross {
    let pod = &view.pod.fact.id;
    let label = view.pod.fact.selector().unwrap_or_default();
    let cross = cross.in_object(pod_object(view));
    let wanted = |one: &&Identity| match (view.selector, &one.fact.kind) {
        (Selector::Client(id), Ok(kind)) => kind.client_id() == id,
        (Selector::Resource(id), Ok(kind)) => kind.resource_id() == Some(id),
        _ => false,
    };
    if let Some(identity) = near(view).into_iter().find(wanted) {
        return cross.mended_by([mend::bind(
            &pod.namespace,
            &free_name(view, label),
            &identity.fact.id.name,
            label,
        )]);
    }
    let resource = match view.selector {
        Selector::Resource(id) => Some(id.as_str()),
        _ => None,
    };
    let having = selection.grants.first().and_then(|grant| grant.identity.kind.as_ref().ok());
    let cross = match having {
        Some(kind) => cross.with_caution(format!(
            "if the program should use what the pod has, give it this client id instead, in AZURE_CLIENT_ID for \
             example: {}",
            kind.client_id()
        )),
        None => cross,
    };
    cross.mended_by([mend::add(&pod.namespace, &format!("{}-2", mend::name_after(label)), resource, label)])
}

/// Why nothing is known of a kind, where that is so.
pub(super) fn unseen<T>(seen: &Seen<T>) -> Option<Outcome> {
    seen.unseen().map(|why| Outcome::Unseen(why.to_owned()))
}
