//! When is what done?
//!
//! One task owns the [`World`]: it learns from the watches, waits for a short quiet so that what
//! belongs together is planned together, asks for orders and hands them out. It acts only while it
//! leads and after every watch has shown its whole list once.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use podid_core::assign::Ledger;
use podid_core::ids::{ClientId, ComputeId};
use podid_kube::Client;
use podid_kube::ledger::{Ledger as Store, Page};
use podid_runtime::readiness::Guard;
use podid_runtime::shutdown::Shutdown;
use podid_runtime::tasks::Tasks;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};

use crate::compute::Compute;
use crate::lane::Work;
use crate::metrics::Metrics;
use crate::ownership::{self, Memory, Ownership};
use crate::records::{self, Desk, Job, Written};
use crate::report::Reporter;
use crate::worker::{self, Report, Tools};
use crate::world::{Happening, Order, World};

/// Changes that come within this time of one another are planned together…
const QUIET: Duration = Duration::from_millis(20);

/// …unless they go on and on.
const LONGEST_QUIET: Duration = Duration::from_millis(100);

/// Writes of records that may be handed out and not yet done.
const JOBS: usize = 256;

/// Pause before the ownership record is read again.
const RETRY: Duration = Duration::from_secs(1);

/// What the controller needs.
pub(crate) struct Parts<C> {
    pub(crate) client: Client,
    /// What changes in the cluster.
    pub(crate) watches: BoxStream<'static, Vec<Happening>>,
    pub(crate) compute: Arc<C>,
    /// The ownership record.
    pub(crate) store: Store,
    pub(crate) world: World,
    /// Whether this process leads.
    pub(crate) leads: watch::Receiver<bool>,
    pub(crate) reporter: Reporter,
    pub(crate) metrics: Metrics,
    pub(crate) tasks: Tasks,
    pub(crate) shutdown: Shutdown,
    /// Held by every task that writes; the lock is given up when all are gone.
    pub(crate) writing: mpsc::Sender<()>,
    /// Dropped when every watch has shown its whole list.
    pub(crate) synced: Option<Guard>,
    /// Record writes at the same time.
    pub(crate) batch: usize,
    /// How often everything is planned again.
    pub(crate) check: Duration,
}

/// Another process leads now, or may lead: this one must not write any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("lost the leader lock; exiting, so that nothing is written any more")]
pub struct Deposed;

/// When the changes that came in are planned.
#[derive(Debug, Default)]
struct Quiet {
    first: Option<Instant>,
    due: Option<Instant>,
}

/// The ends of the channels that orders and their outcomes go through.
struct Channels<C> {
    jobs: mpsc::Sender<Job>,
    written: mpsc::Receiver<Written>,
    reports: mpsc::Receiver<Report>,
    workers: HashMap<ComputeId, mpsc::Sender<Work>>,
    tools: Tools<C>,
}

/// Runs until the shutdown begins or the lock is lost. `own` tells what becomes the controller's own identity.
pub(crate) async fn run<C: Compute>(
    mut parts: Parts<C>,
    own: mpsc::Receiver<ClientId>,
) -> Result<(), Deposed> {
    let own = stream::unfold(own, async |mut own| {
        let client = own.recv().await?;
        Some((vec![Happening::Own(client)], own))
    });
    let changes = std::mem::replace(&mut parts.watches, stream::pending().boxed());
    let mut watches = stream::select(changes, own).boxed();
    let shutdown = parts.shutdown.clone();
    tokio::select! {
        () = shutdown.begun() => Ok(()),
        result = parts.work(&mut watches) => result,
    }
}

// === impl Parts ===

impl<C: Compute> Parts<C> {
    async fn work(&mut self, watches: &mut BoxStream<'static, Vec<Happening>>) -> Result<(), Deposed> {
        self.stand_by(watches).await;
        self.metrics.elected();
        let (known, page) = self.remember(watches).await?;
        let ownership = self.keep(page);
        tracing::info!(targets = known.len(), "leading");
        self.world.lead(known);
        let mut channels = self.channels(ownership);
        let mut quiet = Quiet::default();
        quiet.now();
        let mut check = interval(self.check);
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        check.reset();
        while *self.leads.borrow_and_update() {
            let wake = [quiet.due, self.world.next()].into_iter().flatten().min();
            tokio::select! {
                Some(happenings) = watches.next() => {
                    if self.learn(happenings) {
                        quiet.begin();
                    }
                    continue;
                }
                Some(written) = channels.written.recv() => {
                    self.world.written(written, Instant::now());
                    while let Ok(written) = channels.written.try_recv() {
                        self.world.written(written, Instant::now());
                    }
                }
                Some(report) = channels.reports.recv() => self.world.worked(report, Instant::now()),
                _ = check.tick() => self.world.check(),
                () = sleep_until_some(wake) => {}
                Ok(()) = self.leads.changed() => continue,
            }
            quiet = Quiet::default();
            self.act(&mut channels);
        }
        Err(Deposed)
    }

    /// Learns without acting until this process leads.
    async fn stand_by(&mut self, watches: &mut BoxStream<'static, Vec<Happening>>) {
        let mut leads = self.leads.clone();
        let mut won = std::pin::pin!(leads.wait_for(|leads| *leads));
        loop {
            tokio::select! {
                Some(happenings) = watches.next() => drop(self.learn(happenings)),
                Ok(_) = &mut won => return,
            }
        }
    }

    /// Takes in changes; true if there may be something to do now.
    fn learn(&mut self, happenings: Vec<Happening>) -> bool {
        for happening in happenings {
            self.world.learn(happening);
        }
        let first = self.world.is_synced() && self.synced.take().is_some();
        first || self.world.is_dirty()
    }

    /// What podid put where. Where no podid has ever led, what the original put there is written down
    /// first, in one write: a crash in the middle must not make the next start ask the records again.
    async fn remember(
        &mut self,
        watches: &mut BoxStream<'static, Vec<Happening>>,
    ) -> Result<(BTreeMap<ComputeId, Ledger>, Page), Deposed> {
        loop {
            match ownership::read(&self.store).await {
                Ok(Memory::Known(page, known)) => return Ok((known, page)),
                Ok(Memory::Blank(page)) => {
                    self.see_everything(watches).await?;
                    let known = self.world.taken_over();
                    match ownership::begin(&self.store, page, &known).await {
                        Ok(page) => return Ok((known, page)),
                        Err(error) => {
                            tracing::warn!(%error, "cannot write down what the original put where, trying again");
                        }
                    }
                }
                Err(error) => tracing::warn!(%error, "cannot read what podid put where, trying again"),
            }
            if !*self.leads.borrow() {
                return Err(Deposed);
            }
            sleep(RETRY).await;
        }
    }

    /// Learns until every watch has shown its whole list.
    async fn see_everything(
        &mut self,
        watches: &mut BoxStream<'static, Vec<Happening>>,
    ) -> Result<(), Deposed> {
        let mut leads = self.leads.clone();
        let mut lost = std::pin::pin!(leads.wait_for(|leads| !*leads));
        while !self.world.is_synced() {
            tokio::select! {
                Some(happenings) = watches.next() => drop(self.learn(happenings)),
                _ = &mut lost => return Err(Deposed),
            }
        }
        Ok(())
    }

    fn keep(&self, page: Page) -> Ownership {
        let (ownership, keeper) = ownership::keep(self.store.clone(), page);
        let writing = self.writing.clone();
        self.tasks.spawn_brief("ownership", async move {
            keeper.run().await;
            drop(writing);
        });
        ownership
    }

    fn channels(&self, ownership: Ownership) -> Channels<C> {
        let (jobs, queue) = mpsc::channel(JOBS);
        let (results, written) = mpsc::channel(JOBS);
        let (reports, reported) = mpsc::channel(JOBS);
        let desk =
            Desk { client: self.client.clone(), leads: self.leads.clone(), metrics: self.metrics.clone() };
        let write = records::run(desk, queue, results, self.batch);
        let writing = self.writing.clone();
        self.tasks.spawn_brief("records", async move {
            write.await;
            drop(writing);
        });
        let tools = Tools {
            compute: self.compute.clone(),
            ownership,
            leads: self.leads.clone(),
            reports,
            metrics: self.metrics.clone(),
        };
        Channels { jobs, written, reports: reported, workers: HashMap::new(), tools }
    }

    /// Asks for orders and hands them out.
    fn act(&mut self, channels: &mut Channels<C>) {
        let began = Instant::now();
        let orders = self.world.orders(began, channels.jobs.capacity());
        self.metrics.refused(self.world.refused(began));
        let (waiting, oldest) = self.world.waiting();
        self.metrics.waiting(waiting, oldest);
        for waited in self.world.waited() {
            self.metrics.assigned(waited);
        }
        let mut active = false;
        for order in orders {
            active |= !matches!(order, Order::Tell(_));
            match order {
                Order::Tell(news) => {
                    self.metrics.news(&news);
                    self.reporter.tell(news);
                }
                // There is room: no more than that was ordered, and nobody else sends.
                Order::Write(job) => drop(channels.jobs.try_send(job)),
                Order::Dismiss(target) => drop(channels.workers.remove(&target)),
                Order::Work(target, work) => self.give(channels, target, work),
            }
        }
        if active {
            self.metrics.cycle(began);
        }
    }

    /// A lane gives one piece of work at a time, so its worker is waiting for it.
    fn give(&self, channels: &mut Channels<C>, target: ComputeId, work: Work) {
        let worker = channels.workers.entry(target.clone()).or_insert_with(|| {
            let (sender, queue) = mpsc::channel(1);
            let (tools, writing, shutdown) =
                (channels.tools.clone(), self.writing.clone(), self.shutdown.clone());
            self.tasks.spawn_brief("target", async move {
                tokio::select! {
                    () = worker::run(target, queue, tools) => {}
                    // The ledger tells the successor what is under way.
                    () = shutdown.begun() => {}
                }
                drop(writing);
            });
            sender
        });
        drop(worker.try_send(work));
    }
}

// === impl Quiet ===

impl Quiet {
    /// Something changed.
    fn begin(&mut self) {
        let now = Instant::now();
        let first = *self.first.get_or_insert(now);
        self.due = Some((now + QUIET).min(first + LONGEST_QUIET));
    }

    /// There is nothing to wait for.
    fn now(&mut self) {
        self.due = Some(Instant::now());
    }
}

async fn sleep_until_some(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
