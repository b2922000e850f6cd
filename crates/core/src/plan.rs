//! Current against desired: which steps, in which order?
//!
//! A plan is for one pod and level-triggered: it looks at the assignments that the pod should have,
//! at the records that name the pod, and at what is known of its VM or scale set, and gives the
//! steps that are possible *now*. The life of an assignment is several plans long, and a plan made
//! after a crash, a lost event or a failed write goes on from what it finds:
//!
//! ```text
//! wanted      no record ──Create──▶ Created ──(it is there)──Mark──▶ Assigned
//! changed     record ──Replace──▶ Created or Assigned
//! unwanted    record ──(it is off the VM or scale set, or stays there anyway)──Delete──▶ no record
//! ```
//!
//! Putting identities on a VM or scale set and taking them off is no step of one pod, because all
//! its users count: [`crate::assign`] decides that. A plan waits for the result, told by [`Standing`].

use std::collections::BTreeSet;

use crate::desired::{Desired, Key, is_home, name};
use crate::facts::{Assignment, AssignmentState, Identity};
use crate::ids::{NodeName, ObjectRef};
use crate::select::Matching;

/// How an identity stands with the VM or scale set of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// There is nothing to do there: it is a service principal, or the node is no (longer an) Azure machine.
    Apart,
    /// The VM or scale set was not read yet, or its ledger not written.
    Unknown,
    /// It is not there.
    Absent,
    /// It is there and stays there.
    Ready,
    /// It is there and is being taken off, or will be, because nobody needs it.
    Leaving,
}

/// One step for one assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// Write a new record.
    Create {
        /// What it records.
        wanted: Desired<'a>,
        /// Its namespace and name.
        id: ObjectRef,
        /// `Assigned` at once where nothing has to happen in ARM, else `Created`.
        state: AssignmentState,
    },
    /// Write a record anew, because its node, identity or binding changed or somebody deletes it.
    Replace {
        /// The record that goes.
        record: &'a Assignment,
        /// What the new one records.
        wanted: Desired<'a>,
        /// The new one's namespace and name.
        id: ObjectRef,
        /// As for [`Step::Create`].
        state: AssignmentState,
    },
    /// Call the record `Assigned`.
    Mark {
        /// The record.
        record: &'a Assignment,
    },
    /// Remove the record.
    Delete {
        /// The record.
        record: &'a Assignment,
    },
}

/// Plans the next steps for one pod.
///
/// `current` are all records that name the pod. `standing` is asked about desired assignments and
/// about records. `taken` tells whether a record of another assignment has that name.
pub fn plan<'a>(
    desired: &[Desired<'a>],
    current: &[&'a Assignment],
    matching: Matching,
    standing: impl Fn(&NodeName, &Identity) -> Standing,
    taken: impl Fn(&ObjectRef, &Key) -> bool,
) -> Vec<Step<'a>> {
    let mut steps = Vec::new();
    let mut kept = BTreeSet::new();
    let mut names = BTreeSet::new();
    for wanted in desired {
        let key = wanted.key();
        let state = match standing(wanted.node, wanted.grant.identity) {
            Standing::Apart | Standing::Ready => AssignmentState::Assigned,
            Standing::Unknown | Standing::Absent | Standing::Leaving => AssignmentState::Created,
        };
        let record = best(wanted, current);
        let mut create = |beside: Option<&Assignment>| {
            let beside = beside.map(|record| &record.id);
            let id = name(wanted, matching, |id| beside == Some(id) || names.contains(id) || taken(id, &key));
            names.insert(id.clone());
            id
        };
        match record {
            None => steps.push(Step::Create { wanted: *wanted, id: create(None), state }),
            Some(record) if fits(wanted, record) => {
                kept.insert(&record.id);
                if record.state != AssignmentState::Assigned && state == AssignmentState::Assigned {
                    steps.push(Step::Mark { record });
                }
            }
            Some(record) if standing(&record.node, &record.identity) != Standing::Unknown => {
                kept.insert(&record.id);
                steps.push(Step::Replace { record, wanted: *wanted, id: create(None), state });
            }
            // The record is the only evidence of what the original assigned there, until the ledger of
            // that VM or scale set is written. Elsewhere the pod need not wait for it.
            Some(record) if record.node != *wanted.node => {
                steps.push(Step::Create { wanted: *wanted, id: create(Some(record)), state });
            }
            Some(_) => {}
        }
    }
    let surplus = current.iter().filter(|record| !kept.contains(&record.id));
    let deletable = surplus.filter(|record| is_settled(standing(&record.node, &record.identity)));
    steps.extend(deletable.map(|record| Step::Delete { record }));
    steps
}

/// The record to go on with: one that fits, else one that was assigned, else any.
fn best<'a>(wanted: &Desired<'_>, current: &[&'a Assignment]) -> Option<&'a Assignment> {
    let key = wanted.key();
    let same = current.iter().copied().filter(|record| Key::of(record) == key);
    same.min_by_key(|record| {
        (!fits(wanted, record), record.state != AssignmentState::Assigned, record.id.clone())
    })
}

/// Whether the record says what a new one would say. Compared are specs, not resource versions, so
/// that an edited label or annotation costs nobody a token (W-32), and nothing stays in a deletion
/// that somebody else began (W-11). It need not lie where a new one would: a cluster that is adopted
/// with another reach of matching keeps the records of the original, and nobody waits for a new one.
fn fits(wanted: &Desired<'_>, record: &Assignment) -> bool {
    let (identity, binding) = (wanted.grant.identity, wanted.grant.binding);
    !record.terminating
        && record.node == *wanted.node
        && record.identity.spec_hash == identity.spec_hash
        && record.binding.id == binding.id
        && record.binding.spec_hash == binding.spec_hash
        && is_home(&record.id.namespace, identity)
}

/// Whether a record may go: ARM comes first (peer contract §2.5), and only if podid will act there.
fn is_settled(standing: Standing) -> bool {
    matches!(standing, Standing::Apart | Standing::Absent | Standing::Ready)
}

#[cfg(test)]
mod tests;
