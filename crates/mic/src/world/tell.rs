//! What of the decisions should somebody be told, and whom does it concern?

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use podid_core::code::Cause;
use podid_core::desired::Desired;
use podid_core::facts::Identity;
use podid_core::ids::{ComputeId, IdentityResourceId, ObjectRef};

use super::World;
use super::lanes::Holder;
use crate::lane::Notice;
use crate::news::{Affected, News};
use crate::problem::Problem;

impl World {
    /// Tells once, as long as it lasts, that `pod` is on a node that cannot carry identities.
    pub(super) fn complain(&mut self, pod: &ObjectRef, complaint: Option<News>) {
        match complaint {
            None => drop(self.told.remove(pod)),
            Some(news) => {
                if self.told.insert(pod.clone()) {
                    self.news.push(news);
                }
            }
        }
    }

    /// Tells the owner of `identity` if it cannot be used.
    pub(super) fn judge(&mut self, identity: &Identity) {
        if let Err(invalid) = &identity.kind {
            self.news.push(News::InvalidIdentity {
                identity: identity.id.clone(),
                uid: identity.uid.clone(),
                problem: Problem::new(Cause::IdentityInvalid, invalid.to_string()),
            });
        }
    }

    /// Tells what happened to a target, after work that took `took`.
    pub(super) fn notice(&mut self, target: &ComputeId, notice: Notice, took: Duration) {
        let target = target.clone();
        match notice {
            Notice::Patched { add, remove } => {
                let users = add.iter().flat_map(|id| self.lanes.needing(&target, id));
                let users = users.collect::<BTreeSet<_>>().len();
                self.news.push(News::Patched { target, add, remove, took, users });
            }
            Notice::Drifted(ids) => self.news.push(News::Drifted { target, ids }),
            Notice::Repaired(ids) => self.news.push(News::Repaired { target, ids }),
            Notice::Refused { ids, problem } => {
                for id in ids {
                    let affected = self.affected(&target, std::slice::from_ref(&id));
                    let (target, problem) = (target.clone(), problem.clone());
                    self.news.push(News::Refused { target, id, problem, affected });
                }
            }
            Notice::Trouble { problem, wait } => {
                let affected = self.affected(&target, &self.lanes.missing(&target));
                self.news.push(News::Trouble { target, problem, wait, affected });
            }
        }
    }

    /// The bindings that wait for `ids` on `target`, each with one of its pods if it has one there.
    fn affected(&self, target: &ComputeId, ids: &[IdentityResourceId]) -> Vec<Affected> {
        let holders: Vec<&Holder> = ids.iter().flat_map(|id| self.lanes.needing(target, id)).collect();
        let pods = holders.iter().filter_map(|holder| self.facts.pod(holder.pod()?));
        let mut found = BTreeMap::new();
        for wanted in pods.flat_map(|pod| self.facts.desired(pod).desired) {
            if wanted.resource_id().is_some_and(|id| ids.contains(id)) {
                found.entry(wanted.grant.binding.id.clone()).or_insert_with(|| affected(&wanted));
            }
        }
        for holder in holders {
            if let Holder::Binding(id) = holder
                && let Some(binding) = self.facts.binding(id)
            {
                let uid = binding.fact.uid.clone();
                let alone = || Affected { binding: id.clone(), uid, user: None };
                found.entry(id.clone()).or_insert_with(alone);
            }
        }
        found.into_values().collect()
    }
}

pub(super) fn affected(wanted: &Desired<'_>) -> Affected {
    Affected {
        binding: wanted.grant.binding.id.clone(),
        uid: wanted.grant.binding.uid.clone(),
        user: Some((wanted.pod.id.clone(), wanted.node.clone())),
    }
}
