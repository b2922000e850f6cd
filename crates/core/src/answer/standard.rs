//! What does a pod get where MIC assigns?
//!
//! Bindings and identities as they are now decide, exactly as in managed mode; an assignment adds only
//! that the identity is on the pod's machine or scale set. The copies that it carries are its writer's
//! word and entitle nobody (W-53). Of them, the identity's tells which version MIC acted on: specs are
//! compared and not uids, because MIC does not write anew for one that was re-created as it was.

use super::{
    Answer, Caller, Choice, Held, Terms, View, Wait, Without, choose, in_time, may_mean, protected, reason,
};
use crate::facts::{Assignment, AssignmentState, Identity, Pod};
use crate::request::Selector;
use crate::select::Selection;

use jiff::Timestamp;

/// Namespace of assignments unless MIC or the identity is namespaced (peer contract §1.4).
const COMMON_NAMESPACE: &str = "default";

pub(super) fn answer<'a, V: View>(
    view: &'a V,
    caller: Caller<'_>,
    selector: &Selector,
    terms: &Terms,
    now: Timestamp,
) -> Answer<'a> {
    let pod = caller.pod;
    if pod.selector().is_none() {
        return Answer::Without(Without::Refuse(reason::no_label(pod).never()));
    }
    let mut selection = view.selection(pod, terms.matching);
    let withheld = terms.protected.withhold(&mut selection);
    let records = || view.assignments(&pod.id).filter(|held| is_record(&held.assignment, pod, terms));
    let choices = selection.grants.iter().filter_map(|grant| {
        let assigned = records().filter(|held| {
            held.assignment.state == AssignmentState::Assigned && matches(&held.assignment, grant.identity)
        });
        let since = assigned.map(|held| held.since).max()?;
        Some(Choice { identity: grant.identity, binding: grant.binding, assigned: Some(since), others: 0 })
    });
    choose(choices, selector, || match protected::refusal(&withheld, &selection, selector, pod) {
        Some(refusal) => Without::Refuse(refusal),
        None => not_assigned(&selection, caller, records, selector, terms, now),
    })
}

/// Nothing that is assigned fits: is it coming?
fn not_assigned<'a, R: Iterator<Item = &'a Held>>(
    selection: &Selection<'_>,
    caller: Caller<'_>,
    records: impl Fn() -> R,
    selector: &Selector,
    terms: &Terms,
    now: Timestamp,
) -> Without {
    let pod = caller.pod;
    let wanted = || selection.grants.iter().filter(|grant| may_mean(selector, grant.identity));
    let under_way = wanted().find_map(|grant| {
        let held = records().find(|held| held.assignment.identity.id == grant.identity.id)?;
        match held.assignment.state {
            _ if !matches(&held.assignment, grant.identity) => Some(reason::outdated(&held.assignment, pod)),
            AssignmentState::Created => Some(reason::under_way(&held.assignment, pod)),
            // It was not the one asked for.
            AssignmentState::Assigned | AssignmentState::Unassigned => None,
        }
    });
    if let Some(why) = under_way {
        let refusal = why.not_yet();
        return Without::Wait(Wait { at_most: terms.hold_under_way, until: None, refusal });
    }
    // An object id tells nothing about what is only bound, so it is not worth more than the grace.
    let expected = wanted().find(|_| !matches!(selector, Selector::Principal(_)));
    if let Some(grant) = expected {
        let refusal = reason::mic_to_assign(grant, pod).not_yet();
        return Without::Wait(Wait { at_most: terms.hold_unknown, until: None, refusal });
    }
    in_time(reason::not_selected(selection, pod, selector, terms.matching), caller, terms, now)
}

/// Whether an assignment is where MIC writes, and about `pod` here and now.
fn is_record(assignment: &Assignment, pod: &Pod, terms: &Terms) -> bool {
    let home = &*assignment.id.namespace;
    (*home == *COMMON_NAMESPACE || *home == *assignment.identity.id.namespace)
        && assignment.pod == pod.id
        && assignment.node == terms.node
        && assignment.state != AssignmentState::Unassigned
        && !assignment.terminating
}

/// Whether an assignment was written for this identity as it is.
fn matches(assignment: &Assignment, identity: &Identity) -> bool {
    assignment.identity.id == identity.id && assignment.identity.spec_hash == identity.spec_hash
}
