//! How does podid remember, across restarts, what it put on which VM or scale set?
//!
//! In the ConfigMap `podid-ownership` in MIC's namespace, one entry per target, written before the
//! PATCH that it describes. One task owns it, because every write names the version that it was made
//! from; what several workers want to write at once goes into one write.

use std::collections::BTreeMap;
use std::time::Duration;

use podid_core::assign::Ledger;
use podid_core::code::Obstacle;
use podid_core::ids::ComputeId;
pub(crate) use podid_core::ownership::NAME;
use podid_core::ownership::{self as text, SIZE_LIMIT};
use podid_kube::call::CallError;
use podid_kube::ledger::{Ledger as Store, Page};
use tokio::sync::{mpsc, oneshot};

use crate::compute::Fault;
use crate::problem::Problem;

/// Writes that may wait; a worker waits for its own.
const QUEUE: usize = 64;

/// Hands ledgers to the task that writes them.
#[derive(Clone, Debug)]
pub(crate) struct Ownership {
    queue: mpsc::Sender<Request>,
}

#[derive(Debug)]
struct Request {
    target: ComputeId,
    ledger: Ledger,
    done: oneshot::Sender<Result<(), Fault>>,
}

/// The task that writes.
#[derive(Debug)]
pub(crate) struct Keeper {
    store: Store,
    page: Page,
    queue: mpsc::Receiver<Request>,
}

/// What was remembered, or that nothing ever was.
#[derive(Debug)]
pub(crate) enum Memory {
    /// The record exists.
    Known(Page, BTreeMap<ComputeId, Ledger>),
    /// No podid has led in this cluster yet.
    Blank(Page),
}

/// Reads the record.
pub(crate) async fn read(store: &Store) -> Result<Memory, CallError> {
    let page = store.read().await?;
    if !page.is_stored() {
        return Ok(Memory::Blank(page));
    }
    let known = page.entries.iter().filter_map(|(key, entry)| {
        let parsed = text::parse(entry);
        if parsed.is_none() {
            tracing::warn!(config_map = NAME, key, "ownership entry cannot be read, ignored");
        }
        parsed
    });
    let known = known.collect();
    Ok(Memory::Known(page, known))
}

/// Makes the record, with all of `ledgers` in one write: from now on it is known who put what where.
pub(crate) async fn begin(
    store: &Store,
    mut page: Page,
    ledgers: &BTreeMap<ComputeId, Ledger>,
) -> Result<Page, CallError> {
    page.entries
        .extend(ledgers.iter().map(|(target, ledger)| (text::key(target), text::render(target, ledger))));
    check_size(&page)?;
    store.write(page).await
}

/// Goes on from `page`: the way to change the record, and the task that writes it.
pub(crate) fn keep(store: Store, page: Page) -> (Ownership, Keeper) {
    let (sender, queue) = mpsc::channel(QUEUE);
    (Ownership { queue: sender }, Keeper { store, page, queue })
}

fn check_size(page: &Page) -> Result<(), CallError> {
    let size: usize = page.entries.iter().map(|(key, entry)| key.len() + entry.len()).sum();
    if size <= SIZE_LIMIT {
        return Ok(());
    }
    let problem = format!("it would be {size} bytes long and a ConfigMap holds {SIZE_LIMIT}");
    Err(CallError::Refused { what: format!("write ConfigMap {NAME}"), problem })
}

// === impl Ownership ===

impl Ownership {
    /// Writes the ledger of `target`; returns when it is stored.
    pub(crate) async fn store(&self, target: &ComputeId, ledger: &Ledger) -> Result<(), Fault> {
        let closed = || Fault::Later {
            after: None,
            problem: Problem::new(Obstacle::LedgerUnwritten, "the ownership record is closed"),
        };
        let (done, stored) = oneshot::channel();
        let request = Request { target: target.clone(), ledger: ledger.clone(), done };
        self.queue.send(request).await.map_err(|_| closed())?;
        stored.await.map_err(|_| closed())?
    }
}

// === impl Keeper ===

impl Keeper {
    /// Writes until nobody is left who could ask for it.
    pub(crate) async fn run(mut self) {
        let mut batch = Vec::new();
        while self.queue.recv_many(&mut batch, QUEUE).await > 0 {
            let result = self.write(&batch).await.map_err(|error| fault(&error));
            for request in batch.drain(..) {
                // A worker that went away meanwhile needs no answer.
                let _ = request.done.send(result.clone());
            }
        }
    }

    async fn write(&mut self, batch: &[Request]) -> Result<(), CallError> {
        match self.try_write(batch).await {
            Err(CallError::Conflict { .. }) => {
                self.page = self.store.read().await?;
                self.try_write(batch).await
            }
            result => result,
        }
    }

    async fn try_write(&mut self, batch: &[Request]) -> Result<(), CallError> {
        let mut page = self.page.clone();
        for Request { target, ledger, .. } in batch {
            let key = text::key(target);
            if ledger.is_empty() {
                page.entries.remove(&key);
            } else {
                page.entries.insert(key, text::render(target, ledger));
            }
        }
        if page.entries == self.page.entries {
            return Ok(());
        }
        check_size(&page)?;
        self.page = self.store.write(page).await?;
        Ok(())
    }
}

fn fault(error: &CallError) -> Fault {
    let after = match error {
        CallError::Unavailable { retry_after, .. } => *retry_after,
        CallError::Conflict { .. } => Some(Duration::ZERO),
        CallError::Absent { .. }
        | CallError::Unknown { .. }
        | CallError::Forbidden { .. }
        | CallError::Refused { .. } => None,
    };
    let problem = Problem::unwritten(error, Obstacle::LedgerUnwritten);
    Fault::Later {
        after,
        problem: problem.worded(|text| format!("cannot record what podid puts on it: {text}")),
    }
}
