//! An ARM in memory, as slow, refusing or dead as a test wants it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use podid_azure::arm::{BudgetLeft, Reading};
use podid_core::assign::{Identities, Kind, Patch, Present};
use podid_core::code::Obstacle;
use podid_core::ids::{ComputeId, IdentityResourceId};

use crate::compute::{Compute, Fault};
use crate::problem::Problem;

/// The service. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct FakeArm {
    state: Arc<Mutex<State>>,
    /// Calls through this clone get no answer and have no effect once it is set.
    cut: Arc<AtomicBool>,
}

#[derive(Default)]
struct State {
    machines: BTreeMap<ComputeId, Present>,
    gone: BTreeSet<ComputeId>,
    patches: Vec<(ComputeId, Patch)>,
    reads: usize,
    latency: Duration,
    bad: Identities,
    hanging: BTreeSet<ComputeId>,
    /// With an operation that has not ended.
    busy: BTreeSet<ComputeId>,
    faults: VecDeque<(Fault, Effect)>,
}

/// What a PATCH that fails did all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Nothing,
    /// The first of its changes.
    Part,
    /// All of it: only the answer was lost.
    Whole,
}

// === impl FakeArm ===

impl FakeArm {
    /// A way to the service that ends when `cut` is set.
    pub(crate) fn link(&self, cut: &Arc<AtomicBool>) -> Self {
        Self { state: self.state.clone(), cut: cut.clone() }
    }

    /// Names of the identities on `target`.
    pub(crate) fn names(&self, target: &ComputeId) -> Vec<String> {
        let state = self.lock();
        let present = state.machines.get(target).into_iter().flat_map(|present| present.identities.keys());
        present.map(|id| id.name().to_owned()).collect()
    }

    /// Puts an identity there behind podid's back.
    pub(crate) fn put(&self, target: &ComputeId, id: IdentityResourceId) {
        let mut state = self.lock();
        let machine = state.machines.entry(target.clone()).or_default();
        machine.kind = Kind::User;
        machine.identities.insert(id, None);
    }

    /// Takes everything off behind podid's back.
    pub(crate) fn clear(&self, target: &ComputeId) {
        self.lock().machines.remove(target);
    }

    /// The machine is deleted.
    pub(crate) fn vanish(&self, target: &ComputeId) {
        self.clear(target);
        self.lock().gone.insert(target.clone());
    }

    /// From now on a PATCH takes this long.
    pub(crate) fn latency(&self, latency: Duration) {
        self.lock().latency = latency;
    }

    /// No PATCH may add `id`.
    pub(crate) fn refuse(&self, id: IdentityResourceId) {
        self.lock().bad.insert(id);
    }

    /// Every identity may be added again.
    pub(crate) fn forgive(&self) {
        self.lock().bad.clear();
    }

    /// Calls about `target` never end.
    pub(crate) fn hang(&self, target: &ComputeId) {
        self.lock().hanging.insert(target.clone());
    }

    /// The next PATCH fails like this.
    pub(crate) fn fail_next(&self, fault: Fault) {
        self.fail_next_after(Effect::Nothing, fault);
    }

    /// The next PATCH fails like this, after it has had some effect.
    pub(crate) fn fail_next_after(&self, effect: Effect, fault: Fault) {
        self.lock().faults.push_back((fault, effect));
    }

    /// No fault waits any more.
    pub(crate) fn recover(&self) {
        let mut state = self.lock();
        state.faults.clear();
        state.bad.clear();
    }

    /// The PATCHes so far that succeeded.
    pub(crate) fn patches(&self) -> Vec<(ComputeId, Patch)> {
        self.lock().patches.clone()
    }

    /// The number of reads so far.
    pub(crate) fn reads(&self) -> usize {
        self.lock().reads
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    async fn answer(&self, target: &ComputeId) -> Result<(), Fault> {
        let (hangs, gone) = {
            let state = self.lock();
            (state.hanging.contains(target), state.gone.contains(target))
        };
        if hangs || self.cut.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        if gone { Err(Fault::Missing) } else { Ok(()) }
    }
}

impl Compute for FakeArm {
    fn budgets(&self) -> [BudgetLeft; 5] {
        BudgetLeft::all_whole()
    }

    async fn read(&self, target: &ComputeId) -> Result<Reading, Fault> {
        self.answer(target).await?;
        let mut state = self.lock();
        state.reads += 1;
        Ok(Reading { present: state.machines.get(target).cloned().unwrap_or_default(), etag: None })
    }

    async fn patch(&self, target: &ComputeId, patch: &Patch, _etag: Option<&str>) -> Result<(), Fault> {
        self.answer(target).await?;
        // What ARM has accepted it does, also when the caller dies meanwhile.
        let (arm, target, patch) = (self.clone(), target.clone(), patch.clone());
        tokio::spawn(async move { arm.carry_out(&target, &patch).await }).await.unwrap()
    }
}

impl FakeArm {
    async fn carry_out(&self, target: &ComputeId, patch: &Patch) -> Result<(), Fault> {
        let latency = {
            let mut state = self.lock();
            if !state.busy.insert(target.clone()) {
                let problem = Problem::new(Obstacle::ArmTrouble, "409: another operation is running");
                return Err(Fault::Later { after: None, problem });
            }
            state.latency
        };
        tokio::time::sleep(latency).await;
        let mut state = self.lock();
        state.busy.remove(target);
        if state.gone.contains(target) {
            return Err(Fault::Missing);
        }
        let fault = state.faults.pop_front();
        let patch = match fault {
            Some((fault, Effect::Nothing)) => return Err(fault),
            Some((_, Effect::Part)) => &first_change(patch),
            Some((_, Effect::Whole)) | None => patch,
        };
        let named: Identities = patch.add.iter().filter(|id| state.bad.contains(*id)).cloned().collect();
        if !named.is_empty() {
            return Err(Fault::Identities {
                named,
                problem: Problem::new(Obstacle::NoOperatorRole, "LinkedAuthorizationFailed"),
            });
        }
        let machine = state.machines.entry(target.clone()).or_default();
        machine.kind = patch.kind.clone();
        machine.identities.extend(patch.add.iter().map(|id| (id.clone(), None)));
        machine.identities.retain(|id, _| !patch.remove.contains(id));
        state.patches.push((target.clone(), patch.clone()));
        fault.map_or(Ok(()), |(fault, _)| Err(fault))
    }
}

/// A PATCH that got no further than one identity.
fn first_change(patch: &Patch) -> Patch {
    let mut part = patch.clone();
    part.add = patch.add.iter().take(1).cloned().collect();
    part.remove = patch.remove.iter().take(usize::from(part.add.is_empty())).cloned().collect();
    part
}
