//! What has to be done, given everything that is known?
//!
//! The world is owned by one task, which tells it what happened and asks it for orders. It does no
//! I/O. It is split by decision: [`facts`] what the cluster looks like and whom a change concerns,
//! [`lanes`] who needs what on which target, [`pending`] which writes are under way.

mod everywhere;
mod facts;
mod index;
mod jobs;
mod lanes;
mod pending;
mod tell;
mod waiting;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use podid_core::assign::{self, Ledger, Protected};
use podid_core::code::Obstacle;
use podid_core::desired::{Desired, Key};
use podid_core::facts::{AssignmentState, Identity, Pod};
use podid_core::ids::{ComputeId, IdentityResourceId, NodeName, ObjectRef};
use podid_core::plan::{Standing, plan};
use podid_core::select::Matching;
use podid_core::strategy::Strategy;
use podid_core::target::NoTarget;
use podid_kube::call::CallError;
use podid_kube::watch::Change;
use tokio::time::Instant;

use crate::lane::{Pacing, Work};
use crate::news::News;
use crate::problem::Problem;
use crate::records::{Action, Job, Written, asked};
use crate::worker::Report;
use everywhere::Everywhere;
pub(crate) use facts::Happening;
use facts::{Facts, Place};
use lanes::{Holder, Lanes, Stake, Step};
use pending::Pending;
use tell::affected;
use waiting::{Stage, Waiting};

/// Everything that is known, and what follows from it.
#[derive(Debug)]
pub(crate) struct World {
    matching: Matching,
    facts: Facts,
    lanes: Lanes,
    pending: Pending,
    waiting: Waiting,
    /// Pods that changed, to be weighed and planned.
    changed: BTreeSet<ObjectRef>,
    everywhere: Everywhere,
    /// Pods to be planned.
    dirty: BTreeSet<ObjectRef>,
    /// Pods whose owners were told that their node cannot carry identities.
    told: HashSet<ObjectRef>,
    news: Vec<News>,
    /// What was learned while another process led is planned only once we do.
    leads: bool,
}

/// Something to do.
#[derive(Debug)]
pub(crate) enum Order {
    /// Write a record.
    Write(Job),
    /// Give work to the worker of a target.
    Work(ComputeId, Work),
    /// Dismiss the worker of a target.
    Dismiss(ComputeId),
    /// Tell people.
    Tell(News),
}

// === impl World ===

impl World {
    /// Nothing is known yet.
    pub(crate) fn new(matching: Matching, strategy: Strategy, pacing: Pacing, protected: Protected) -> Self {
        Self {
            matching,
            facts: Facts::new(matching),
            lanes: Lanes::new(pacing, protected),
            pending: Pending::default(),
            waiting: Waiting::default(),
            changed: BTreeSet::new(),
            everywhere: Everywhere::new(strategy),
            dirty: BTreeSet::new(),
            told: HashSet::new(),
            news: Vec::new(),
            leads: false,
        }
    }

    /// Takes in a change.
    pub(crate) fn learn(&mut self, happening: Happening) {
        if let Happening::Identity(Change::Applied(identity)) = &happening {
            let fact = &identity.fact;
            self.protect(fact);
            let known = self.facts.identity(&fact.id).map(|known| known.fact.spec_hash);
            // Who does not lead tells nobody anything.
            if self.leads && known != Some(fact.spec_hash) {
                self.judge(fact);
            }
        }
        if let Happening::Record(Change::Applied(record)) = &happening {
            self.protect(&record.identity);
        }
        if let Happening::Own(client) = &happening {
            self.lanes.protect_client(client.clone());
            for identity in self.facts.all_identities() {
                self.protect(&identity.fact);
            }
        }
        self.everywhere.learn(&happening, &self.facts);
        let pods = self.facts.learn(happening);
        self.changed.extend(pods);
    }

    /// Whether it is known well enough to act.
    pub(crate) fn is_synced(&self) -> bool {
        self.facts.is_synced()
    }

    /// Whether there are pods to plan.
    pub(crate) fn is_dirty(&self) -> bool {
        !self.changed.is_empty() || !self.dirty.is_empty() || self.everywhere.is_dirty()
    }

    /// What the original put where, by the records that it left.
    pub(crate) fn taken_over(&self) -> BTreeMap<ComputeId, Ledger> {
        let records = self.facts.all_records().filter(|record| record.state != AssignmentState::Created);
        assign::taken_over(records.filter_map(|record| self.pair(&record.node, &record.identity)))
    }

    /// This process leads, and the ownership record says `ledgers`. From now on there are orders.
    pub(crate) fn lead(&mut self, ledgers: BTreeMap<ComputeId, Ledger>) {
        self.leads = true;
        self.lanes.open(ledgers);
        for identity in self.facts.all_identities() {
            self.judge(&identity.fact);
        }
        self.check();
    }

    /// Plans everything again, in case a change was missed.
    pub(crate) fn check(&mut self) {
        self.changed.extend(self.facts.all_pods());
    }

    /// A write ended.
    pub(crate) fn written(&mut self, Written { job, result }: Written, now: Instant) {
        let Job { key, about, action } = job;
        self.dirty.insert(key.pod.clone());
        match result {
            Ok(()) => {
                self.pending.succeeded(&key, now);
                if action.puts_in_effect() {
                    self.waiting.done(&key, now);
                }
                self.news.push(match action {
                    Action::Create(new) | Action::Renew(new) | Action::Recreate { new, .. } => {
                        News::Recorded(about, new.state)
                    }
                    Action::Mark(_) => News::Assigned(about),
                    Action::Delete(..) => News::Removed(about),
                });
            }
            Err(error) => {
                if let (CallError::Conflict { .. }, Action::Create(new)) = (&error, &action)
                    && self.facts.record(&new.id).is_none()
                {
                    self.pending.occupied(&new.id);
                }
                let wait = self.pending.failed(&key, asked(&error), now);
                // Somebody else was faster, which the watch is about to show.
                if !matches!(error, CallError::Conflict { .. } | CallError::Absent { .. }) {
                    let problem = Problem::unwritten(&error, Obstacle::RecordUnwritten);
                    self.news.push(News::WriteFailed(about, problem, wait));
                }
            }
        }
    }

    /// A target's work ended.
    pub(crate) fn worked(&mut self, report: Report, now: Instant) {
        let Report { target, done, took } = report;
        let (notices, pods) = self.lanes.finish(&target, done, now);
        self.dirty.extend(pods);
        for notice in notices {
            self.notice(&target, notice, took);
        }
    }

    /// When to ask again for orders at the latest.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.pending.next().into_iter().chain(self.lanes.next()).min()
    }

    /// Number of identities that ARM refuses.
    pub(crate) fn refused(&self, now: Instant) -> usize {
        self.lanes.refused(now)
    }

    /// Number of assignments that are wanted and not in effect, and since when the oldest of them.
    pub(crate) fn waiting(&self) -> (usize, Option<Instant>) {
        self.waiting.now()
    }

    /// How long those assignments took that came into effect since this was asked last.
    pub(crate) fn waited(&mut self) -> Vec<Duration> {
        self.waiting.take_over()
    }

    /// What to do now, with at most `room` writes; what finds no room is planned again next time.
    pub(crate) fn orders(&mut self, now: Instant, room: usize) -> Vec<Order> {
        let mut orders = Vec::new();
        if self.leads && self.is_synced() {
            self.dirty.extend(self.pending.expire(now));
            self.weigh();
            while orders.len() < room
                && let Some(pod) = self.dirty.pop_first()
            {
                orders.extend(self.plan(&pod, now).into_iter().map(Order::Write));
            }
            for step in self.lanes.advance(now) {
                match step {
                    Step::Do(target, work) => orders.push(Order::Work(target, work)),
                    Step::Forget(target) => orders.push(Order::Dismiss(target)),
                    Step::Notice(target, notice) => self.notice(&target, notice, Duration::ZERO),
                }
            }
        }
        orders.extend(self.news.drain(..).map(Order::Tell));
        orders
    }

    /// Tells the lanes what the changed pods need and hold, before any pod is planned: whether a record
    /// may go depends on all users.
    fn weigh(&mut self) {
        for (binding, stake) in self.everywhere.stakes(&self.facts) {
            self.dirty.extend(self.lanes.set(&Holder::Binding(binding), &stake));
        }
        for pod in std::mem::take(&mut self.changed) {
            let stake = self.stake(&pod);
            self.dirty.extend(self.lanes.set(&Holder::Pod(pod.clone()), &stake));
            self.dirty.insert(pod);
        }
    }

    fn stake(&self, id: &ObjectRef) -> Stake {
        let pair = |node: &NodeName, identity: &Identity| self.pair(node, identity);
        let desired = self.facts.pod(id).map(|pod| self.facts.desired(pod).desired).unwrap_or_default();
        let records = self.facts.records_of(id);
        let assigned = records.iter().filter(|record| record.state != AssignmentState::Created);
        Stake {
            needed: desired.iter().filter_map(|wanted| pair(wanted.node, wanted.grant.identity)).collect(),
            held: records.iter().filter_map(|record| pair(&record.node, &record.identity)).collect(),
            assigned: assigned.filter_map(|record| pair(&record.node, &record.identity)).collect(),
        }
    }

    /// The target and the managed identity, where both are known.
    fn pair(&self, node: &NodeName, identity: &Identity) -> Option<(ComputeId, IdentityResourceId)> {
        match self.facts.place(node) {
            Place::On(target) => Some((target.clone(), identity.resource_id()?.clone())),
            Place::Unknown | Place::Nowhere(_) => None,
        }
    }

    /// Plans one pod. What it gives counts as under way.
    fn plan(&mut self, id: &ObjectRef, now: Instant) -> Vec<Job> {
        self.pending.settle(id, |record| self.facts.record(record));
        let (desired, complaint) = match self.facts.pod(id) {
            Some(pod) => match self.placed(pod) {
                Some(placed) => placed,
                // Its node may come any moment; till then nothing of it is touched (W-15).
                None => return Vec::new(),
            },
            None => (Vec::new(), None),
        };
        let keys: Vec<_> = desired.iter().map(|wanted| (wanted.key(), self.stage(&wanted.key()))).collect();
        let open = |key: &Key| !self.pending.blocks(key);
        let desired: Vec<_> = desired.into_iter().filter(|wanted| open(&wanted.key())).collect();
        let current = self.facts.records_of(id).into_iter().filter(|record| open(&Key::of(record)));
        let current: Vec<_> = current.collect();
        let standing = |node: &NodeName, identity: &Identity| self.standing(node, identity);
        let taken = |id: &ObjectRef, key: &Key| {
            self.facts.record(id).is_some_and(|record| Key::of(record) != *key) || self.pending.takes(id, key)
        };
        let steps = plan(&desired, &current, self.matching, standing, taken);
        let possible: Vec<_> = steps.iter().filter_map(|step| jobs::job(step, &self.facts)).collect();
        self.waiting.look(id, &keys, now);
        self.complain(id, complaint);
        let mut jobs = Vec::new();
        for (job, effect) in possible {
            // Of two steps for one assignment the second comes in the next plan.
            if !self.pending.blocks(&job.key) {
                self.pending.begin(job.key.clone(), effect);
                jobs.push(job);
            }
        }
        jobs
    }

    /// How far an assignment that is wanted has come.
    fn stage(&self, key: &Key) -> Stage {
        let mut records = self.facts.records_of(&key.pod).into_iter();
        if records.any(|record| Key::of(record) == *key && record.state != AssignmentState::Created) {
            Stage::InEffect
        } else if self.pending.blocks(key) {
            Stage::UnderWay
        } else {
            Stage::Open
        }
    }

    /// What `pod` should have where its node can carry it, and what to say where it cannot. None while
    /// the node is not known.
    fn placed<'a>(&'a self, pod: &'a Pod) -> Option<(Vec<Desired<'a>>, Option<News>)> {
        let mut desired = self.facts.desired(pod).desired;
        let Some(node) = desired.first().map(|wanted| wanted.node) else { return Some((desired, None)) };
        let problem = match self.facts.place(node) {
            Place::Unknown => return None,
            Place::On(_) => return Some((desired, None)),
            Place::Nowhere(reason) => Problem::from(reason),
        };
        let managed = desired.iter().find(|wanted| wanted.resource_id().is_some());
        let complaint =
            managed.map(|wanted| News::Unplaceable { affected: affected(wanted), problem: problem.clone() });
        desired.retain(|wanted| wanted.resource_id().is_none());
        Some((desired, complaint))
    }

    fn standing(&self, node: &NodeName, identity: &Identity) -> Standing {
        match (identity.resource_id(), self.facts.place(node)) {
            (Some(id), Place::On(target)) => self.lanes.standing(target, id),
            // Where it is may still be told; what was assigned there is not forgotten before.
            (Some(_), Place::Nowhere(NoTarget::Empty)) => Standing::Unknown,
            _ => Standing::Apart,
        }
    }

    fn protect(&mut self, identity: &Identity) {
        if let (Ok(kind), Some(id)) = (&identity.kind, identity.resource_id())
            && self.lanes.protects(kind.client_id())
        {
            self.lanes.protect(id);
        }
    }
}
