//! What does a pod get where MIC assigns?

use super::{Answer, Caller, Choice, Held, Terms, View, Wait, Without, choose, in_time, may_mean, reason};
use crate::facts::{Assignment, AssignmentState, Pod};
use crate::refusal::Refusal;
use crate::request::Selector;
use crate::select::Matching;

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
        return Answer::Without(Without::Refuse(Refusal::never(reason::no_label(pod))));
    }
    let mut held: Vec<&Held> =
        view.assignments(&pod.id).filter(|held| grants(&held.assignment, pod, terms)).collect();
    held.sort_by(|a, b| sort_key(&a.assignment).cmp(&sort_key(&b.assignment)));
    let in_state = |state| {
        held.iter()
            .copied()
            .filter(move |held| held.assignment.state == state && !held.assignment.terminating)
    };
    let choices = in_state(AssignmentState::Assigned)
        .map(|held| Choice { identity: &held.assignment.identity, assigned: Some(held.since), others: 0 })
        .collect();
    choose(choices, selector, || {
        let coming = in_state(AssignmentState::Created);
        not_assigned(view, caller, coming, selector, terms, now)
    })
}

/// Nothing that is assigned fits: is it coming?
fn not_assigned<'a, V: View>(
    view: &V,
    caller: Caller<'_>,
    mut coming: impl Iterator<Item = &'a Held>,
    selector: &Selector,
    terms: &Terms,
    now: Timestamp,
) -> Without {
    let pod = caller.pod;
    if let Some(held) = coming.find(|held| may_mean(selector, &held.assignment.identity)) {
        let refusal = Refusal::not_yet(reason::under_way(&held.assignment, pod));
        return Without::Wait(Wait { at_most: terms.hold_under_way, until: None, refusal });
    }
    let Some(selection) = view.selection(pod, terms.matching) else {
        return in_time(&reason::nothing_assigned(pod), caller, terms, now);
    };
    // An object id tells nothing about what is only bound, so it is not worth more than the grace.
    let expected = selection.grants.iter().find(|grant| match selector {
        Selector::Principal(_) => false,
        _ => may_mean(selector, grant.identity),
    });
    if let Some(grant) = expected {
        let refusal = Refusal::not_yet(reason::mic_to_assign(grant, pod));
        return Without::Wait(Wait { at_most: terms.hold_unknown, until: None, refusal });
    }
    in_time(&reason::not_selected(&selection, pod, selector, terms.matching), caller, terms, now)
}

/// Whether an assignment entitles `pod`. It carries copies that its writer chose, so it counts
/// only where MIC writes (W-53) and while it agrees with the pod's label.
fn grants(assignment: &Assignment, pod: &Pod, terms: &Terms) -> bool {
    let Assignment { identity, binding, .. } = assignment;
    let written_by_mic =
        *assignment.id.namespace == *COMMON_NAMESPACE || assignment.id.namespace == identity.id.namespace;
    let agrees = assignment.pod == pod.id
        && assignment.node == terms.node
        && binding.id.namespace == identity.id.namespace
        && binding.identity == identity.id.name
        && pod.selector() == Some(&*binding.selector);
    let reaches = terms.matching == Matching::ClusterWide && !identity.namespaced
        || identity.id.namespace == pod.id.namespace;
    written_by_mic && agrees && reaches && identity.kind.is_ok()
}

fn sort_key(assignment: &Assignment) -> impl Ord + '_ {
    (&assignment.binding.id, &assignment.identity.id, &assignment.id)
}
