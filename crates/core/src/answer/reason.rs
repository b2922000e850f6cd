//! Why does this pod get no token, and what would change that?

use std::fmt::Write as _;

use crate::facts::{Assignment, Identity, POD_LABEL, Pod};
use crate::ids::NodeName;
use crate::redact::{Foreign, RedactedId};
use crate::refusal::{Cause, Refusal};
use crate::request::Selector;
use crate::select::{Grant, Matching, Reason, Selection};

/// A reason, in a word and in a sentence.
pub(super) struct Why {
    cause: Cause,
    text: String,
}

// === impl Why ===

impl Why {
    pub(super) fn never(self) -> Refusal {
        Refusal::never(self.cause, self.text)
    }

    pub(super) fn not_yet(self) -> Refusal {
        Refusal::not_yet(self.cause, self.text)
    }
}

pub(super) fn no_label(pod: &Pod) -> Why {
    let text = format!(
        "pod {} has no label {POD_LABEL}. Set it to the selector of an AzureIdentityBinding; \
         a pod that must talk to IMDS itself needs an AzurePodIdentityException.",
        pod.id
    );
    Why { cause: Cause::NoLabel, text }
}

pub(super) fn under_way(assignment: &Assignment, pod: &Pod) -> Why {
    let text = format!(
        "AzureIdentity {} is being put on the machine or scale set of pod {} (AzureAssignedIdentity {}). \
         If this lasts, see the events of AzureIdentityBinding {} and the log of MIC.",
        assignment.identity.id, pod.id, assignment.id, assignment.binding.id
    );
    Why { cause: Cause::Assigning, text }
}

pub(super) fn outdated(assignment: &Assignment, pod: &Pod) -> Why {
    let text = format!(
        "AzureAssignedIdentity {} gives pod {} an AzureIdentity {} that differs from the one that exists. \
         MIC writes it anew; if this lasts, check that MIC runs and see its log.",
        assignment.id, pod.id, assignment.identity.id
    );
    Why { cause: Cause::AssignmentOutdated, text }
}

pub(super) fn mic_to_assign(grant: &Grant<'_>, pod: &Pod) -> Why {
    let text = format!(
        "AzureIdentityBinding {} gives AzureIdentity {} to pod {}, but no AzureAssignedIdentity says so yet. \
         If this lasts, check that MIC runs and see its log.",
        grant.binding.id, grant.identity.id, pod.id
    );
    Why { cause: Cause::NotAssigned, text }
}

pub(super) fn unknown_to_imds(identity: &Identity, pod: &Pod, node: &NodeName) -> Why {
    let id = identity.kind.as_ref().ok().and_then(|kind| kind.resource_id()).map_or("", |id| id.as_str());
    let text = format!(
        "pod {} may use AzureIdentity {}, but IMDS does not know {id} on the machine or scale set of node {node}. \
         Check that it is assigned there and that it exists in Azure.",
        pod.id, identity.id
    );
    Why { cause: Cause::UnknownToImds, text }
}

/// The nearest thing to what was asked for, and why it is not it.
pub(super) fn not_selected(
    selection: &Selection<'_>,
    pod: &Pod,
    selector: &Selector,
    matching: Matching,
) -> Why {
    if !selection.grants.is_empty() {
        return Why { cause: Cause::NotGranted, text: other_identity(selection, pod, selector) };
    }
    let of_use = selection.refused.iter().find(|(_, reason)| *reason != Reason::OtherNamespace);
    let found = of_use.or(selection.refused.first());
    let text = match found {
        Some((binding, Reason::IdentityMissing(identity))) => format!(
            "AzureIdentityBinding {} selects pod {}, but names AzureIdentity {identity}, which does not exist. \
             Create it, or correct spec.azureIdentity.",
            binding.id, pod.id
        ),
        Some((binding, Reason::IdentityInvalid(invalid))) => format!(
            "AzureIdentityBinding {} selects pod {}, but its AzureIdentity {} cannot be used: {invalid}.",
            binding.id, pod.id, binding.identity
        ),
        // Whose it is would be news to a pod that merely tries labels.
        Some((_, Reason::OtherNamespace)) => format!(
            "label {POD_LABEL}={} of pod {} is selected in another namespace only, for the pods there. \
             Create AzureIdentity and AzureIdentityBinding in {}.",
            label(pod),
            pod.id,
            pod.id.namespace
        ),
        None => no_binding(pod, matching),
    };
    let cause = match found {
        Some((_, Reason::IdentityMissing(_))) => Cause::IdentityMissing,
        Some((_, Reason::IdentityInvalid(_))) => Cause::IdentityInvalid,
        Some((_, Reason::OtherNamespace)) => Cause::OtherNamespace,
        None => Cause::NoBinding,
    };
    Why { cause, text }
}

fn no_binding(pod: &Pod, matching: Matching) -> String {
    let place = match matching {
        Matching::Namespaced => format!("in namespace {}", pod.id.namespace),
        Matching::ClusterWide => "in the cluster".to_owned(),
    };
    format!(
        "pod {} has label {POD_LABEL}={}, but no AzureIdentityBinding {place} has this selector. \
         Create one, or correct the label.",
        pod.id,
        label(pod)
    )
}

fn other_identity(selection: &Selection<'_>, pod: &Pod, selector: &Selector) -> String {
    let mut text = format!("pod {} may not use the identity with ", pod.id);
    let _ = match selector {
        Selector::Any => write!(text, "no id"),
        Selector::Client(id) => write!(text, "client id {}", RedactedId(id.as_str())),
        Selector::Resource(id) => write!(text, "resource id {}", Foreign(id.as_str())),
        Selector::Principal(id) => write!(text, "object id {}", RedactedId(id.as_str())),
    };
    text.push_str("; label and bindings give it ");
    for (index, grant) in selection.grants.iter().enumerate() {
        let _ = write!(text, "{}AzureIdentity {}", if index == 0 { "" } else { ", " }, grant.identity.id);
    }
    text.push_str(". Ask for one of these, or bind the one you want.");
    text
}

fn label(pod: &Pod) -> &str {
    pod.selector().unwrap_or_default()
}
