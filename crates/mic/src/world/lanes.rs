//! Who needs what on which VM or scale set?
//!
//! One [`Lane`] per target, with the wish of its users kept up to date pod by pod.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use podid_core::assign::{Ledger, Protected, Wish};
use podid_core::ids::{ClientId, ComputeId, IdentityResourceId, ObjectRef};
use podid_core::plan::Standing;
use tokio::time::Instant;

use super::index::Index;
use crate::lane::{Done, Lane, Next, Notice, Pacing, Work};

/// All targets that somebody needs something of, or on which something of ours is.
#[derive(Debug)]
pub(super) struct Lanes {
    pacing: Pacing,
    protected: Protected,
    by_target: BTreeMap<ComputeId, Users>,
    stakes: HashMap<Holder, Stake>,
    /// Lanes whose wish or knowledge changed.
    dirty: BTreeSet<ComputeId>,
    timers: BTreeSet<(Instant, ComputeId)>,
}

/// A lane and who has to do with it.
#[derive(Debug)]
struct Users {
    lane: Lane,
    wish: Wish,
    /// Who needs an identity here.
    needed: Index<IdentityResourceId, Holder>,
    /// Pods of which a record here names the identity.
    held: Index<IdentityResourceId, Holder>,
    /// The same, where the record calls it assigned.
    assigned: Index<IdentityResourceId, Holder>,
    timer: Option<Instant>,
}

/// Who has something to do with targets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Holder {
    /// A pod.
    Pod(ObjectRef),
    /// A binding whose identity is wanted everywhere.
    Binding(ObjectRef),
}

/// What one of them has to do with targets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Stake {
    /// What it needs.
    pub(super) needed: Pairs,
    /// What its records name.
    pub(super) held: Pairs,
    /// What its records call assigned.
    pub(super) assigned: Pairs,
}

/// Identities on targets.
pub(super) type Pairs = BTreeSet<(ComputeId, IdentityResourceId)>;

/// Which of a lane's indexes.
#[derive(Clone, Copy)]
enum Role {
    Needed,
    Held,
    Assigned,
}

/// What came of asking the lanes.
#[derive(Debug)]
pub(super) enum Step {
    /// Give this to the target's worker.
    Do(ComputeId, Work),
    /// The target needs no worker any more.
    Forget(ComputeId),
    /// Somebody should be told.
    Notice(ComputeId, Notice),
}

// === impl Lanes ===

impl Lanes {
    /// No lane yet.
    pub(super) fn new(pacing: Pacing, protected: Protected) -> Self {
        Self {
            pacing,
            protected,
            by_target: BTreeMap::new(),
            stakes: HashMap::new(),
            dirty: BTreeSet::new(),
            timers: BTreeSet::new(),
        }
    }

    /// Opens a lane for each target of the ownership record.
    pub(super) fn open(&mut self, ledgers: BTreeMap<ComputeId, Ledger>) {
        for (target, ledger) in ledgers {
            let users = Users::new(Lane::new(&target, ledger, self.pacing));
            self.dirty.insert(target.clone());
            self.by_target.insert(target, users);
        }
    }

    /// Protects `id` as well, whatever client id ARM tells.
    pub(super) fn protect(&mut self, id: &IdentityResourceId) {
        self.protected.resources.insert(id.clone());
    }

    /// Protects whatever ARM says has this client id.
    pub(super) fn protect_client(&mut self, client: ClientId) {
        self.protected.clients.insert(client);
    }

    /// Whether identities with the client id of `id` are protected.
    pub(super) fn protects(&self, client: &ClientId) -> bool {
        self.protected.clients.contains(client)
    }

    /// Sets what `holder` has to do with targets. Returns the other pods whose plan that may change.
    pub(super) fn set(&mut self, holder: &Holder, stake: &Stake) -> Vec<ObjectRef> {
        let old = if *stake == Stake::default() {
            self.stakes.remove(holder).unwrap_or_default()
        } else {
            self.stakes.insert(holder.clone(), stake.clone()).unwrap_or_default()
        };
        let mut woken = Vec::new();
        let roles = [
            (Role::Needed, &old.needed, &stake.needed),
            (Role::Held, &old.held, &stake.held),
            (Role::Assigned, &old.assigned, &stake.assigned),
        ];
        for (role, old, new) in roles {
            for (target, id) in new.difference(old) {
                woken.extend(self.enter(role, target, id, holder));
            }
            for (target, id) in old.difference(new) {
                self.leave(role, target, id, holder);
            }
        }
        woken
    }

    /// How `id` stands with `target`.
    pub(super) fn standing(&self, target: &ComputeId, id: &IdentityResourceId) -> Standing {
        match self.by_target.get(target) {
            Some(users) => users.lane.standing(id, &users.wish, &self.protected),
            None => Standing::Unknown,
        }
    }

    /// Who needs `id` on `target`.
    pub(super) fn needing(
        &self,
        target: &ComputeId,
        id: &IdentityResourceId,
    ) -> impl Iterator<Item = &Holder> + use<'_> {
        let users = self.by_target.get(target);
        users.map(|users| users.needed.get(id)).into_iter().flatten()
    }

    /// Identities that somebody needs on `target` and that are not there.
    pub(super) fn missing(&self, target: &ComputeId) -> Vec<IdentityResourceId> {
        let needed = self.by_target.get(target).into_iter().flat_map(|users| &users.wish.needed);
        needed.filter(|id| !matches!(self.standing(target, id), Standing::Ready)).cloned().collect()
    }

    /// Number of identities that are set aside now.
    pub(super) fn refused(&self, now: Instant) -> usize {
        self.by_target.values().map(|users| users.lane.refused(now)).sum()
    }

    /// Takes in how work ended. Returns what to tell, and all pods that have to do with the target.
    pub(super) fn finish(
        &mut self,
        target: &ComputeId,
        done: Done,
        now: Instant,
    ) -> (Vec<Notice>, Vec<ObjectRef>) {
        let Some(users) = self.by_target.get_mut(target) else { return (Vec::new(), Vec::new()) };
        let notices = users.lane.finish(done, now);
        self.dirty.insert(target.clone());
        let holders = users.needed.values().chain(users.held.values());
        let pods: BTreeSet<&ObjectRef> = holders.filter_map(Holder::pod).collect();
        (notices, pods.into_iter().cloned().collect())
    }

    /// Asks every lane that changed, or whose time has come, what to do next.
    pub(super) fn advance(&mut self, now: Instant) -> Vec<Step> {
        while let Some((at, target)) = self.timers.first().cloned().filter(|(at, _)| *at <= now) {
            self.timers.remove(&(at, target.clone()));
            self.dirty.insert(target);
        }
        let mut steps = Vec::new();
        for target in std::mem::take(&mut self.dirty) {
            let Some(users) = self.by_target.get_mut(&target) else { continue };
            if let Some(at) = users.timer.take() {
                self.timers.remove(&(at, target.clone()));
            }
            let (mut next, notice) = users.lane.next(&users.wish, &self.protected, now);
            if next == Next::Forget && users.held.values().next().is_some() {
                next = users.lane.keep();
            }
            steps.extend(notice.map(|notice| Step::Notice(target.clone(), notice)));
            match next {
                Next::Do(work) => steps.push(Step::Do(target, work)),
                Next::Wait(None) => {}
                Next::Wait(Some(at)) => {
                    users.timer = Some(at);
                    self.timers.insert((at, target));
                }
                Next::Forget => {
                    self.by_target.remove(&target);
                    steps.push(Step::Forget(target));
                }
            }
        }
        steps
    }

    /// When some lane wants to be asked again.
    pub(super) fn next(&self) -> Option<Instant> {
        self.timers.first().map(|(at, _)| *at)
    }

    fn enter(
        &mut self,
        role: Role,
        target: &ComputeId,
        id: &IdentityResourceId,
        holder: &Holder,
    ) -> Vec<ObjectRef> {
        let open = || Users::new(Lane::new(target, Ledger::default(), self.pacing));
        let users = self.by_target.entry(target.clone()).or_insert_with(open);
        let first = users.index(role).insert(id.clone(), holder.clone());
        if !first {
            return Vec::new();
        }
        self.dirty.insert(target.clone());
        match role {
            // A record that waited for the identity to go away waits for nothing any more.
            Role::Needed => {
                users.wish.needed.insert(id.clone());
                users.held.get(id).filter_map(Holder::pod).cloned().collect()
            }
            Role::Assigned => {
                users.wish.recorded.insert(id.clone());
                Vec::new()
            }
            Role::Held => Vec::new(),
        }
    }

    fn leave(&mut self, role: Role, target: &ComputeId, id: &IdentityResourceId, holder: &Holder) {
        let Some(users) = self.by_target.get_mut(target) else { return };
        if !users.index(role).remove(id, holder) {
            return;
        }
        self.dirty.insert(target.clone());
        match role {
            Role::Needed => drop(users.wish.needed.remove(id)),
            Role::Assigned => drop(users.wish.recorded.remove(id)),
            Role::Held => {}
        }
    }
}

// === impl Holder ===

impl Holder {
    /// The pod, if it is one.
    pub(super) fn pod(&self) -> Option<&ObjectRef> {
        match self {
            Self::Pod(id) => Some(id),
            Self::Binding(_) => None,
        }
    }
}

// === impl Users ===

impl Users {
    fn new(lane: Lane) -> Self {
        Self {
            lane,
            wish: Wish::default(),
            needed: Index::default(),
            held: Index::default(),
            assigned: Index::default(),
            timer: None,
        }
    }

    fn index(&mut self, role: Role) -> &mut Index<IdentityResourceId, Holder> {
        match role {
            Role::Needed => &mut self.needed,
            Role::Held => &mut self.held,
            Role::Assigned => &mut self.assigned,
        }
    }
}
