//! Which records of the original would not be taken over as they are?

use std::collections::HashMap;

use jiff::SignedDuration;

use super::{Code, Finding, Level, Object, Record, RecordState, View};
use crate::facts::Pod;
use crate::ids::ObjectRef;

/// How long an assignment may be under way; ARM's own limit is 15 minutes.
const PATIENCE: SignedDuration = SignedDuration::from_mins(20);

pub(super) fn find(view: &View<'_>) -> Vec<Finding> {
    let pods: HashMap<&ObjectRef, &Pod> =
        view.cluster.pods().iter().map(|pod| (&pod.fact.id, &pod.fact)).collect();
    view.cluster.records().iter().filter_map(|record| of_one(view, &pods, record)).collect()
}

/// The gravest thing to say of a record; the others follow from it.
fn of_one(view: &View<'_>, pods: &HashMap<&ObjectRef, &Pod>, record: &Record) -> Option<Finding> {
    unreadable(record)
        .or_else(|| held(view, record))
        .or_else(|| elsewhere(record))
        .or_else(|| of_pod(view, pods, record))
        .or_else(|| stuck(view, record))
        .or_else(|| without_status(record))
}

fn unreadable(record: &Record) -> Option<Finding> {
    let why = record.unusable.as_ref()?;
    let remove = format!(
        "kubectl patch azureassignedidentity -n {ns} {name} --type=merge -p '{{\"metadata\":{{\"finalizers\":null}}}}' && \
         kubectl delete azureassignedidentity -n {ns} {name}; the controller writes it anew where a pod needs it.",
        ns = record.id.namespace,
        name = record.id.name
    );
    Some(finding(
        Code::RecordUnreadable,
        Level::Changes,
        record,
        format!("podid leaves it alone, and its pod without the identity: {why}."),
        remove,
    ))
}

fn held(view: &View<'_>, record: &Record) -> Option<Finding> {
    let old = record.created.is_some_and(|created| view.plan.now.duration_since(created) > PATIENCE);
    (record.terminating && old).then(|| {
        finding(
            Code::RecordHeld,
            Level::Changes,
            record,
            "It is being deleted and waits for its finalizer, which a controller that is gone does not remove. podid's \
             controller finishes it, or writes it anew if its pod needs it."
                .to_owned(),
            "Nothing; or have a running controller of the original finish it first.".to_owned(),
        )
    })
}

fn elsewhere(record: &Record) -> Option<Finding> {
    let identity = record.identity.as_ref()?;
    let trusted = *record.id.namespace == *"default" || record.id.namespace == identity.namespace;
    (!trusted).then(|| {
        finding(
            Code::RecordElsewhere,
            Level::Changes,
            record,
            format!(
                "podid trusts records in default and in the identity's namespace, {}; from here its agent serves none.",
                identity.namespace
            ),
            "Nothing if the controller wrote it: podid's writes it anew where it belongs. Else find out who did."
                .to_owned(),
        )
    })
}

fn of_pod(view: &View<'_>, pods: &HashMap<&ObjectRef, &Pod>, record: &Record) -> Option<Finding> {
    let id = record.pod.as_ref()?;
    let seen = view.cluster.pods.is_some() && view.cluster.scope.contains(&id.namespace);
    match pods.get(id) {
        None if seen => Some(finding(
            Code::RecordWithoutPod,
            Level::Changes,
            record,
            format!(
                "Its pod {id} does not exist. podid's controller removes the record, and takes the identity off the VM or \
                 scale set unless somebody else needs it."
            ),
            "Nothing.".to_owned(),
        )),
        Some(pod) if !pod.is_live() => Some(finding(
            Code::FinishedPod,
            Level::Changes,
            record,
            format!(
                "Its pod {id} has finished. The original lets it keep the identity; podid's controller removes the record, \
                 and takes the identity off unless somebody else needs it."
            ),
            "Nothing.".to_owned(),
        )),
        _ => None,
    }
}

fn stuck(view: &View<'_>, record: &Record) -> Option<Finding> {
    let (state, today) = match record.state {
        RecordState::Created => ("Created", "the assignment has not succeeded, so its pod gets no token"),
        RecordState::Unassigned => ("Unassigned", "the original neither removes nor renews it"),
        _ => return None,
    };
    let age = view.plan.now.duration_since(record.created?);
    (age > PATIENCE).then(|| {
        finding(
            Code::RecordStuck,
            Level::Changes,
            record,
            format!(
                "It is {state} since {} minutes: {today}. podid's controller tries again, and says in an event of the \
                 binding why it fails.",
                age.as_mins()
            ),
            format!(
                "Look for the reason: kubectl get events -n {} --field-selector reason='binding apply error'",
                record.identity.as_ref().map_or("NAMESPACE", |identity| &identity.namespace)
            ),
        )
    })
}

fn without_status(record: &Record) -> Option<Finding> {
    (record.state == RecordState::Empty).then(|| {
        finding(
            Code::RecordWithoutStatus,
            Level::Note,
            record,
            "It has no status, as releases before 1.5 wrote it; podid takes it for assigned, as the original does."
                .to_owned(),
            "Nothing.".to_owned(),
        )
    })
}

fn finding(code: Code, level: Level, record: &Record, change: String, action: String) -> Finding {
    Finding { code, level, object: Object::new("AzureAssignedIdentity", &record.id), change, action }
}
