//! How do pods that call the instance metadata service meet NMI instead, always and without a gap?
//!
//! The rules live in a table of their own, written over netlink in single transactions. The listener must accept
//! before [`Redirect::install`] is called. While the [`Redirect`] lives its sockets own the table; the table stays
//! when the process is killed, and the successor takes it over. Nothing here ever opens the way to the metadata
//! service, except [`cleanup`] and [`Redirect::remove`].

mod conntrack;
mod destination;
mod message;
mod original;
mod pace;
mod ruleset;
mod socket;
mod table;
mod watch;
mod zone;

pub use destination::{Destination, Surroundings, decide, detect};
pub(crate) use zone::Zone;

use std::io;
use std::net::SocketAddrV4;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use tracing::{error, info, warn};

use pace::Pace;
use ruleset::{Door, Ruleset, TABLE};
use table::{Protection, Table};
use watch::{Notice, Watch};

/// How long a repair that failed waits before it is tried again.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Whose traffic goes where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The metadata service, usually 169.254.169.254:80.
    pub metadata: SocketAddrV4,
    /// Where NMI accepts connections: the node's address, or 127.0.0.1 where `route_localnet` is on. See
    /// [`decide`]. Never the unspecified address.
    pub listener: SocketAddrV4,
    /// What else the rules do.
    pub options: Options,
}

/// What else the rules do, if it is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Pods are sent to the listener's own address by somebody else: a Cilium local redirect policy, where packets
    /// of pods bypass the rules. The listener is then open to whoever can reach the node.
    pub local_redirect_policy: bool,
    /// Pods do not reach the ports of `168.63.129.16` at which Azure serves a machine's own agent.
    pub block_wireserver: bool,
    /// The chain that aad-pod-identity left among the node's rules is removed, where it can be reached.
    pub cleanup_original: bool,
}

/// Why the redirect could not be installed, changed or removed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The settings make no sense. Refuse to start.
    #[error("cannot redirect to {0}: NMI must listen on an address of the node and on a port of its own")]
    Settings(SocketAddrV4),
    /// This process may not change rules. Give up and report.
    #[error(
        "not permitted to change nftables rules: NMI needs the capability NET_ADMIN \
         (securityContext.capabilities.add: [\"NET_ADMIN\"]) in the node's network namespace (hostNetwork: true)"
    )]
    Denied,
    /// Another running process owns the table. Retry: it is probably the predecessor, about to end.
    #[error(
        "the nftables table `ip {TABLE}` is owned by another running process: is a second NMI on this node?"
    )]
    Held,
    /// The kernel cannot do it. Give up and report.
    #[error(
        "this kernel has no nftables with address translation: load the modules nf_tables and nft_chain_nat ({0})"
    )]
    Unsupported(io::Error),
    /// Anything else. Retry.
    #[error("could not change the nftables table `ip {TABLE}`: {0}")]
    Failed(io::Error),
}

/// The installed redirect. Dropping it leaves the rules in place and lets a successor take them over.
pub struct Redirect {
    settings: Settings,
    ruleset: Ruleset,
    /// What the rules in the kernel make new connections meet.
    door: Door,
    table: Table,
    watch: Watch,
    pace: Pace,
    /// Who wants to know of every change that was made.
    changed: Option<Arc<Notify>>,
    /// Who wants to know of every repair, and of who made it necessary.
    repaired: Option<Repaired>,
}

type Repaired = Box<dyn Fn(&str) + Send + Sync>;

/// Removes the redirect, so that pods reach the metadata service again; says whether there was one.
///
/// Only for `podid nmi --cleanup`.
pub async fn cleanup() -> Result<bool, Error> {
    let mut table = Table::open(Protection::Owned).map_err(refused)?;
    match table.remove().await {
        Ok(removed) => Ok(removed),
        Err(error) => Err(explain(error, &mut table).await),
    }
}

// === impl Redirect ===

impl Redirect {
    /// Installs the redirect, taking over what a predecessor left, and cuts connections that bypass it.
    pub async fn install(settings: Settings) -> Result<Self, Error> {
        Self::install_with(settings, Protection::Owned).await
    }

    /// Installs rules that other programs can change, which is all that kernels before 6.9 offer. They are put
    /// back when that happens, but for a moment pods are at the mercy of whoever did it.
    pub async fn install_unowned(settings: Settings) -> Result<Self, Error> {
        Self::install_with(settings, Protection::Watched).await
    }

    async fn install_with(settings: Settings, protection: Protection) -> Result<Self, Error> {
        let Settings { metadata, listener, .. } = settings;
        if listener.ip().is_unspecified() || listener.port() == 0 || listener == metadata {
            return Err(Error::Settings(listener));
        }
        let ruleset = Ruleset::new(settings, Door::Open);
        // Listening starts before the first transaction, so that no change after it goes unnoticed.
        let watch = Watch::open().map_err(refused)?;
        let table = Table::open(protection).map_err(refused)?;
        let door = Door::Open;
        let (pace, changed, repaired) = (Pace::default(), None, None);
        let mut redirect = Self { settings, ruleset, door, table, watch, pace, changed, repaired };
        redirect.apply().await?;
        let protection = match redirect.table.protection() {
            Protection::Owned => "owned: other programs cannot change it",
            Protection::Watched => "watched: put back when another program changes it",
        };
        info!(%metadata, %listener, protection, "redirect installed");
        redirect.cut().await;
        original::attend(settings.options.cleanup_original).await;
        Ok(redirect)
    }

    /// Notifies `changed` now, and after every change of the rules from now on.
    pub fn notify(&mut self, changed: Arc<Notify>) {
        changed.notify_one();
        self.changed = Some(changed);
    }

    /// Calls `repaired` whenever the rules were put back, with the process that had changed them.
    pub fn on_repair(&mut self, repaired: impl Fn(&str) + Send + Sync + 'static) {
        self.repaired = Some(Box::new(repaired));
    }

    /// Keeps the rules as they are until `end` is ready: whoever changes them is named in the log, and they are
    /// put back at once.
    pub async fn keep(&mut self, end: impl Future<Output = ()>) {
        let mut end = pin!(end);
        loop {
            let author = tokio::select! {
                biased;
                () = &mut end => return,
                author = self.harm() => author,
            };
            warn!(author, "the redirect was changed by another program; putting it back");
            let mut wait = self.pace.next(Instant::now());
            loop {
                tokio::select! {
                    biased;
                    () = &mut end => return,
                    () = pause(wait) => {}
                }
                match self.apply().await {
                    Ok(()) => break,
                    Err(error) => error!(%error, "the redirect is damaged and could not be put back"),
                }
                wait = AFTER_FAILURE;
            }
            if let Some(repaired) = &self.repaired {
                repaired(&author);
            }
            // Whoever connected meanwhile talks to the metadata service.
            self.cut().await;
        }
    }

    /// Turns the redirect into silence: new connections to the metadata service are dropped and tried again by
    /// the client a second later, connections under way finish. The rules stay until a successor replaces them.
    pub async fn close(&mut self) -> Result<(), Error> {
        if self.door == Door::Closed {
            return Ok(());
        }
        self.ruleset = Ruleset::new(self.settings, Door::Closed);
        self.apply().await?;
        self.door = Door::Closed;
        info!("redirect closed: new connections wait for the next NMI");
        Ok(())
    }

    /// Closes the redirect, however often that has to be tried, and keeps it closed until `end` is ready.
    pub async fn keep_closed(&mut self, end: impl Future<Output = ()>) {
        let mut end = pin!(end);
        while let Err(error) = self.close().await {
            error!(%error, "the redirect could not be closed; trying again");
            tokio::select! {
                () = &mut end => return,
                () = sleep(AFTER_FAILURE) => {}
            }
        }
        self.keep(end).await;
    }

    /// Removes the redirect, so that pods reach the metadata service again.
    ///
    /// Only for the end of the DaemonSet: there is no successor.
    pub async fn remove(mut self) -> Result<(), (Self, Error)> {
        match self.table.remove().await {
            Ok(_) => {
                info!("redirect removed: pods reach the metadata service themselves");
                Ok(())
            }
            Err(error) => {
                let error = explain(error, &mut self.table).await;
                Err((self, error))
            }
        }
    }

    /// Waits until the table is not as we left it, and says who changed it.
    async fn harm(&mut self) -> String {
        loop {
            let author = match self.watch.next().await {
                Ok(Notice::Touched { generation, .. }) if generation == self.table.generation() => continue,
                Ok(Notice::Touched { author, .. }) => author.to_string(),
                Ok(Notice::Unknown) => "somebody (too much happened to tell)".to_owned(),
                Err(error) => {
                    // What is missed until we listen again shows in the comparison.
                    sleep(AFTER_FAILURE).await;
                    if let Ok(watch) = Watch::open() {
                        self.watch = watch;
                    }
                    format!("somebody ({error})")
                }
            };
            if !self.table.is_intact(&self.ruleset).await.unwrap_or(false) {
                return author;
            }
        }
    }

    async fn cut(&self) {
        match conntrack::cut(self.settings.metadata, self.settings.listener).await {
            Ok(0) => {}
            Ok(count) => info!(count, "cut connections to the metadata service that bypass NMI"),
            // The fence stops their packets all the same; they end by a timeout instead of a reset.
            Err(error) => warn!(%error, "could not look for connections that bypass NMI"),
        }
    }

    async fn apply(&mut self) -> Result<(), Error> {
        match self.table.replace(&self.ruleset).await {
            Ok(()) => {
                if let Some(changed) = &self.changed {
                    changed.notify_one();
                }
                Ok(())
            }
            Err(error) => Err(explain(error, &mut self.table).await),
        }
    }
}

/// Sleeps, and does not even yield to the timer where there is nothing to wait for.
async fn pause(wait: Duration) {
    if !wait.is_zero() {
        sleep(wait).await;
    }
}

/// Finds out what a refusal means. The kernel says EPERM both to the powerless and to whoever touches a table
/// that another process owns; but only the powerless may not even look.
async fn explain(error: io::Error, table: &mut Table) -> Error {
    match error.kind() {
        io::ErrorKind::PermissionDenied if table.may_look().await => Error::Held,
        _ => refused(error),
    }
}

fn refused(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::PermissionDenied => Error::Denied,
        io::ErrorKind::Unsupported | io::ErrorKind::NotFound => Error::Unsupported(error),
        _ => Error::Failed(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn can_be_kept_by_a_task_of_its_own() {
        fn task(_: impl Future<Output = ()> + Send + 'static) {}
        let kept = |mut redirect: Redirect| async move {
            redirect.keep(std::future::pending()).await;
            drop(redirect.close().await);
        };
        let _ = |redirect| task(kept(redirect));
    }
}
