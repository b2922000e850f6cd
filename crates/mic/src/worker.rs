//! How is a piece of work for one VM or scale set carried out?
//!
//! One worker per target, so that a slow one delays no other. It decides nothing: it does what its
//! [`Lane`](crate::lane::Lane) asked for and says how that ended.

use std::sync::Arc;

use podid_azure::arm::Reading;
use podid_core::assign::Decision;
use podid_core::code::Obstacle;
use podid_core::ids::ComputeId;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::compute::{Compute, Fault};
use crate::lane::{Done, Work};
use crate::metrics::{Metrics, Operation};
use crate::ownership::Ownership;
use crate::problem::Problem;

/// How a target's work ended.
#[derive(Debug)]
pub(crate) struct Report {
    /// The target.
    pub(crate) target: ComputeId,
    /// How it ended.
    pub(crate) done: Done,
    /// How long it took.
    pub(crate) took: std::time::Duration,
}

/// What all workers share.
pub(crate) struct Tools<C> {
    /// The way to ARM.
    pub(crate) compute: Arc<C>,
    /// The way to the ownership record.
    pub(crate) ownership: Ownership,
    /// Whether this process leads; checked just before every PATCH.
    pub(crate) leads: watch::Receiver<bool>,
    /// Where reports go.
    pub(crate) reports: mpsc::Sender<Report>,
    /// Where calls are counted.
    pub(crate) metrics: Metrics,
}

/// Does the work of `target` that comes in through `work`, until its sender is dropped.
pub(crate) async fn run<C: Compute>(target: ComputeId, mut work: mpsc::Receiver<Work>, tools: Tools<C>) {
    while let Some(work) = work.recv().await {
        let began = Instant::now();
        let done = match work {
            Work::Read => Done::Read(tools.read(&target).await),
            Work::Write { decision, etag } => tools.write(&target, decision, etag).await,
        };
        let report = Report { target: target.clone(), done, took: began.elapsed() };
        if tools.reports.send(report).await.is_err() {
            return;
        }
    }
}

// === impl Tools ===

impl<C> Clone for Tools<C> {
    fn clone(&self) -> Self {
        Self {
            compute: self.compute.clone(),
            ownership: self.ownership.clone(),
            leads: self.leads.clone(),
            reports: self.reports.clone(),
            metrics: self.metrics.clone(),
        }
    }
}

impl<C: Compute> Tools<C> {
    async fn read(&self, target: &ComputeId) -> Result<Reading, Fault> {
        let call = self.compute.read(target);
        self.metrics.cloud(Operation::get(target.kind()), call).await
    }

    /// Ledger, PATCHes, ledger: in an order in which a crash anywhere leaves nothing that podid put
    /// there unrecorded.
    async fn write(&self, target: &ComputeId, decision: Decision, mut etag: Option<String>) -> Done {
        let mut patches = Vec::new();
        if let Err(fault) = self.ownership.store(target, &decision.ledger).await {
            return Done::Write { ledger: None, patches, failed: Some((None, fault)) };
        }
        for patch in decision.patches {
            if !*self.leads.borrow() {
                let problem = Problem::new(Obstacle::MicNoLeader, "no longer the leader");
                let fault = Fault::Later { after: None, problem };
                return Done::Write { ledger: Some(decision.ledger), patches, failed: Some((None, fault)) };
            }
            // It is the tag of what was read; the first PATCH makes another one.
            let etag = etag.take();
            let call = self.compute.patch(target, &patch, etag.as_deref());
            if let Err(fault) = self.metrics.cloud(Operation::update(target.kind()), call).await {
                let failed = Some((Some(patch), fault));
                return Done::Write { ledger: Some(decision.ledger), patches, failed };
            }
            patches.push(patch);
        }
        match self.ownership.store(target, &decision.after).await {
            Ok(()) => Done::Write { ledger: Some(decision.after), patches, failed: None },
            Err(fault) => Done::Write { ledger: Some(decision.ledger), patches, failed: Some((None, fault)) },
        }
    }
}
