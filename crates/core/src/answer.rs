//! What does a pod that asks for a token get: an identity, the way to IMDS, patience, or a refusal?
//!
//! "Not yet" and "never" differ as design §4 says, and every refusal names the pod, the object to
//! look at and the next step. Nothing here is cached: entitlement is decided for every request.

mod managed;
mod protected;
mod reason;
mod standard;

use std::time::Duration;

use jiff::Timestamp;

use crate::facts::{Assignment, Binding, Identity, Pod};
use crate::ids::{NodeName, ObjectRef};
use crate::refusal::Refusal;
use crate::request::Selector;
use crate::select::{Matching, Selection};
use reason::Why;

pub use protected::{Protected, ProtectedId};

/// How long after a pod's start or last label change its binding may still be on its way.
pub const GRACE: Duration = Duration::from_mins(1);

/// How long after an assignment IMDS may not have heard of it.
pub const PROPAGATION: Duration = Duration::from_mins(5);

/// Longest hold. Java fails for good at 60 s, Go and Rust hang up then.
pub const LONGEST_HOLD: Duration = Duration::from_secs(50);

/// A hold shorter than this leaves the patience to the caller: JS tries four times in all.
const HARDLY: Duration = Duration::from_secs(15);

/// Who decides which identities are usable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// MIC, by its assignments.
    Standard,
    /// The cluster's owner, who put the identities on the nodes; bindings decide here.
    Managed,
}

/// What holds for every request to this agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Who decides.
    pub mode: Mode,
    /// How far matching reaches.
    pub matching: Matching,
    /// The node that the agent speaks for.
    pub node: NodeName,
    /// Identities that no pod may have.
    pub protected: Protected,
    /// How long an assignment of which there is no sign is waited for.
    pub hold_unknown: Duration,
    /// How long an assignment that is under way is waited for.
    pub hold_under_way: Duration,
}

/// A pod and since when its label is what it is.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// The pod.
    pub pod: &'a Pod,
    /// The later of its start and its last label change.
    pub settled: Timestamp,
}

/// An assignment and since when it is in its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The assignment.
    pub assignment: Assignment,
    /// When it was first seen in its state, or created if it was in it at the start.
    pub since: Timestamp,
}

/// What is known on this node at one moment, all of it.
pub trait View {
    /// Whether an exception covers the pod.
    fn excepts(&self, pod: &Pod) -> bool;
    /// The assignments that name the pod; any order.
    fn assignments(&self, pod: &ObjectRef) -> impl Iterator<Item = &Held>;
    /// What the pod may use by bindings and identities.
    fn selection(&self, pod: &Pod, matching: Matching) -> Selection<'_>;
}

/// What the caller gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer<'a> {
    /// A token for this identity.
    Serve(Choice<'a>),
    /// A token for the one of these that has the object id asked for, which only their tokens
    /// tell; if none has it, nothing.
    Find(Vec<Choice<'a>>, Without),
    /// Whatever IMDS says.
    PassThrough,
    /// No token.
    Without(Without),
}

/// What a caller gets who gets no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Without {
    /// Not yet: decide again when something changed.
    Wait(Wait),
    /// Never: this, at once.
    Refuse(Refusal),
}

/// An identity that the caller may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice<'a> {
    /// The identity.
    pub identity: &'a Identity,
    /// The binding that gives it to the caller.
    pub binding: &'a Binding,
    /// When it was assigned to the pod's machine or scale set; none in managed mode.
    pub assigned: Option<Timestamp>,
    /// How many other identities the pod might have meant, having named none.
    pub others: usize,
}

/// A "not yet".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// How long a request is held for this at most, from its arrival.
    pub at_most: Duration,
    /// When the answer changes even if nothing happens.
    pub until: Option<Timestamp>,
    /// What a caller reads who was held in vain.
    pub refusal: Refusal,
}

// === impl Wait ===

impl Wait {
    /// What a caller reads whose hold is over. One who was hardly held has used up little time and one of its few
    /// tries, so it shall come again later.
    pub fn given_up(self) -> Refusal {
        if self.at_most < HARDLY { self.refusal.later() } else { self.refusal }
    }
}

/// Decides.
pub fn answer<'a, V: View>(
    view: &'a V,
    caller: Caller<'_>,
    selector: &Selector,
    terms: &Terms,
    now: Timestamp,
) -> Answer<'a> {
    if view.excepts(caller.pod) {
        return Answer::PassThrough;
    }
    match terms.mode {
        Mode::Standard => standard::answer(view, caller, selector, terms, now),
        Mode::Managed => managed::answer(view, caller, selector, terms, now),
    }
}

/// What it means that IMDS does not know the identity that `choice` names: patience, or the end.
pub fn unknown_to_imds(choice: Choice<'_>, pod: &Pod, terms: &Terms, now: Timestamp) -> Without {
    let why = reason::unknown_to_imds(choice.identity, pod, &terms.node);
    match choice.assigned.map(|assigned| after(assigned, PROPAGATION)) {
        Some(end) if now < end => {
            Without::Wait(Wait { at_most: terms.hold_under_way, until: Some(end), refusal: why.not_yet() })
        }
        _ => Without::Refuse(why.never()),
    }
}

/// An answer from what the pod may use, sorted; `otherwise` if nothing fits the selector.
fn choose<'a>(
    choices: impl Iterator<Item = Choice<'a>>,
    selector: &Selector,
    otherwise: impl FnOnce() -> Without,
) -> Answer<'a> {
    let mut fitting: Vec<Choice<'a>> = Vec::new();
    for choice in choices.filter(|choice| may_mean(selector, choice.identity)) {
        // Two bindings may give one identity.
        if !fitting.iter().any(|known| known.identity.id == choice.identity.id) {
            fitting.push(choice);
        }
    }
    match (fitting.first().copied(), selector) {
        (None, _) => Answer::Without(otherwise()),
        (Some(_), Selector::Principal(_)) => Answer::Find(fitting, otherwise()),
        (Some(first), Selector::Any) => Answer::Serve(Choice { others: fitting.len() - 1, ..first }),
        (Some(first), Selector::Client(_) | Selector::Resource(_)) => Answer::Serve(first),
    }
}

/// "Never", once the pod's binding had its time to appear; until then "not yet".
fn in_time(why: Why, caller: Caller<'_>, terms: &Terms, now: Timestamp) -> Without {
    let end = after(caller.settled, GRACE);
    if now < end {
        Without::Wait(Wait { at_most: terms.hold_unknown, until: Some(end), refusal: why.not_yet() })
    } else {
        Without::Refuse(why.never())
    }
}

/// Whether the selector names `identity`, or may name it.
fn may_mean(selector: &Selector, identity: &Identity) -> bool {
    match (selector, &identity.kind) {
        (Selector::Any | Selector::Principal(_), _) => true,
        (Selector::Client(wanted), Ok(kind)) => kind.client_id() == wanted,
        (Selector::Resource(wanted), Ok(kind)) => kind.resource_id() == Some(wanted),
        (_, Err(_)) => false,
    }
}

fn after(start: Timestamp, time: Duration) -> Timestamp {
    start.checked_add(time).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
