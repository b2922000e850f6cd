//! How are records written?
//!
//! One task writes them all, several at a time: they go to one API server, so there is no slow target
//! that could delay another. The world plans no second write for an assignment before the first ended.

use std::time::Duration;

use futures::StreamExt;
use podid_core::desired::Key;
use podid_core::facts::AssignmentState;
use podid_core::ids::{ObjectRef, Uid};
use podid_kube::Client;
use podid_kube::call::CallError;
use podid_kube::records::{self, Record};
use tokio::sync::{mpsc, watch};

use crate::metrics::{Metrics, RecordWrite};
use crate::news::About;

/// A write to do.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// The assignment.
    pub(crate) key: Key,
    /// The same, for people.
    pub(crate) about: About,
    /// What to write.
    pub(crate) action: Action,
}

/// What to write.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// A new record.
    Create(Box<Record>),
    /// An existing record anew, under its name.
    Renew(Box<Record>),
    /// An existing record anew, under another name or because it is being deleted.
    Recreate {
        /// The record that goes.
        old: ObjectRef,
        /// Its uid.
        uid: Uid,
        /// The one that comes.
        new: Box<Record>,
    },
    /// The state `Assigned`.
    Mark(ObjectRef),
    /// The end of a record.
    Delete(ObjectRef, Uid),
}

/// How a write ended.
#[derive(Debug)]
pub(crate) struct Written {
    /// The write.
    pub(crate) job: Job,
    /// How it ended.
    pub(crate) result: Result<(), CallError>,
}

/// What writing takes.
pub(crate) struct Desk {
    /// The way to the API server.
    pub(crate) client: Client,
    /// Whether this process leads; checked just before every write.
    pub(crate) leads: watch::Receiver<bool>,
    /// Where writes are counted.
    pub(crate) metrics: Metrics,
}

/// Writes the jobs that come in, at most `limit` at a time, until their sender is dropped.
pub(crate) async fn run(desk: Desk, jobs: mpsc::Receiver<Job>, results: mpsc::Sender<Written>, limit: usize) {
    let jobs = futures::stream::unfold(jobs, |mut jobs| async { jobs.recv().await.map(|job| (job, jobs)) });
    jobs.for_each_concurrent(limit, |job| async {
        if *desk.leads.borrow() {
            let result = job.action.write(&desk.client, &desk.metrics).await;
            // The reader is gone only when the process ends.
            let _ = results.send(Written { job, result }).await;
        }
    })
    .await;
}

// === impl Action ===

impl Action {
    /// Whether its pod gets tokens once it is written.
    pub(crate) fn puts_in_effect(&self) -> bool {
        match self {
            Self::Create(new) | Self::Renew(new) | Self::Recreate { new, .. } => {
                new.state == AssignmentState::Assigned
            }
            Self::Mark(_) => true,
            Self::Delete(..) => false,
        }
    }

    async fn write(&self, client: &Client, metrics: &Metrics) -> Result<(), CallError> {
        match self {
            Self::Create(record) => create(client, metrics, record).await,
            Self::Renew(record) => {
                let call = records::renew_assignment(client, record);
                metrics.kube(RecordWrite::assigned_identity_update, call).await
            }
            Self::Recreate { old, uid, new } => {
                delete(client, metrics, old, uid).await?;
                create(client, metrics, new).await
            }
            Self::Mark(id) => {
                let call = records::mark(client, id, AssignmentState::Assigned);
                metrics.kube(RecordWrite::update_azure_assigned_identity_status, call).await
            }
            Self::Delete(id, uid) => delete(client, metrics, id, uid).await,
        }
    }
}

async fn create(client: &Client, metrics: &Metrics, record: &Record) -> Result<(), CallError> {
    let call = records::create_assignment(client, record);
    metrics.kube(RecordWrite::assigned_identity_addition, call).await.map(drop)
}

async fn delete(client: &Client, metrics: &Metrics, id: &ObjectRef, uid: &Uid) -> Result<(), CallError> {
    let call = records::delete(client, id, Some(uid));
    metrics.kube(RecordWrite::assigned_identity_deletion, call).await
}

/// How long the API server asks to be left alone after `error`.
pub(crate) fn asked(error: &CallError) -> Option<Duration> {
    match error {
        CallError::Unavailable { retry_after, .. } => *retry_after,
        // Somebody has to change something first.
        CallError::Unknown { .. } | CallError::Forbidden { .. } | CallError::Refused { .. } => {
            Some(Duration::from_secs(30))
        }
        CallError::Conflict { .. } | CallError::Absent { .. } => None,
    }
}
