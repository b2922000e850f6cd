//! What does a step of a plan write, and what will the watch show then?

use podid_core::desired::{Desired, Key};
use podid_core::facts::AssignmentState;
use podid_core::ids::ObjectRef;
use podid_core::plan::Step;
use podid_kube::records::Record;

use super::facts::Facts;
use super::pending::Effect;
use crate::news::About;
use crate::records::{Action, Job};

/// The write that carries out `step`, and its effect. None if the identity or the binding went away.
pub(super) fn job(step: &Step<'_>, facts: &Facts) -> Option<(Job, Effect)> {
    Some(match step {
        Step::Create { wanted, id, state } => {
            let record = record(wanted, id, *state, facts)?;
            (new_job(wanted, id, Action::Create(record)), says(wanted, id))
        }
        Step::Replace { record: old, wanted, id, state } => {
            let new = record(wanted, id, *state, facts)?;
            let action = if old.id == *id && !old.terminating {
                Action::Renew(new)
            } else {
                Action::Recreate { old: old.id.clone(), uid: old.uid.clone(), new }
            };
            (new_job(wanted, id, action), says(wanted, id))
        }
        Step::Mark { record } => {
            let id = record.id.clone();
            let action = Action::Mark(id.clone());
            (Job { key: Key::of(record), about: About::of(record), action }, Effect::Assigned { id })
        }
        Step::Delete { record } => {
            let (id, uid) = (record.id.clone(), record.uid.clone());
            let action = Action::Delete(id.clone(), uid.clone());
            (Job { key: Key::of(record), about: About::of(record), action }, Effect::Gone { id, uid })
        }
    })
}

fn record(
    wanted: &Desired<'_>,
    id: &ObjectRef,
    state: AssignmentState,
    facts: &Facts,
) -> Option<Box<Record>> {
    Some(Box::new(Record {
        id: id.clone(),
        pod: wanted.pod.id.clone(),
        node: wanted.node.clone(),
        identity: facts.identity(&wanted.grant.identity.id)?.copy.clone(),
        binding: facts.binding(&wanted.grant.binding.id)?.copy.clone(),
        state,
    }))
}

fn new_job(wanted: &Desired<'_>, id: &ObjectRef, action: Action) -> Job {
    let binding = wanted.grant.binding;
    let about = About {
        record: id.clone(),
        pod: wanted.pod.id.clone(),
        node: wanted.node.clone(),
        identity: wanted.grant.identity.id.clone(),
        binding: binding.id.clone(),
        binding_uid: binding.uid.clone(),
    };
    Job { key: wanted.key(), about, action }
}

fn says(wanted: &Desired<'_>, id: &ObjectRef) -> Effect {
    let specs = (wanted.grant.identity.spec_hash, wanted.grant.binding.spec_hash);
    Effect::Says { id: id.clone(), node: wanted.node.clone(), specs }
}
