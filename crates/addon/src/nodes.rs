//! What is on the nodes' VMs and scale sets, who put it there, and how is it changed?
//!
//! As MIC does it: who put what where stands in the ConfigMap `podid-ownership`, written before the PATCH
//! that it describes, so that a MIC that is installed later goes on from it. Only the one identity that
//! the command is about is added or removed.

use std::collections::{BTreeMap, BTreeSet};

use podid_azure::arm::{Reading, resource};
use podid_core::addon::OnNodes;
use podid_core::assign::{self, Decision, Deferred, Ledger, Protected, Wish};
use podid_core::ids::{ClientId, ComputeId, IdentityResourceId};
use podid_core::ownership;
use podid_kube::Client;
use podid_kube::call::CallError;
use podid_kube::ledger::{Ledger as Store, Page};

use crate::Error;
use crate::azure::{self, Azure};

/// How often it is looked again after somebody else wrote.
const ATTEMPTS: u32 = 5;

/// The VMs and scale sets of one cluster.
pub(crate) struct Nodes<'a, A> {
    azure: &'a A,
    store: Store,
}

/// What shall become of the identity.
#[derive(Clone, Copy)]
enum Want {
    There,
    Gone,
    /// Also where podid did not put it there: it is put there again.
    GoneForNow,
}

// === impl Nodes ===

impl<'a, A: Azure> Nodes<'a, A> {
    pub(crate) fn new(azure: &'a A, client: &Client, namespace: &str) -> Self {
        Self { azure, store: Store::new(client, namespace, ownership::NAME) }
    }

    /// How the identity stands with each of `targets`; with `client`, one that was made anew is told.
    pub(crate) async fn standing(
        &self,
        targets: &[ComputeId],
        resource: &IdentityResourceId,
        client: Option<&ClientId>,
    ) -> Result<Vec<(ComputeId, OnNodes)>, Error> {
        let ledgers = ledgers(&self.store.read().await?);
        let mut found = Vec::new();
        for target in targets {
            let reading = self.azure.on(target).await?;
            found.push((target.clone(), judge(&reading, ledgers.get(target), resource, client)));
        }
        Ok(found)
    }

    /// The same about many identities, with one look at each VM or scale set.
    pub(crate) async fn readings(
        &self,
        targets: &[ComputeId],
    ) -> Result<Vec<(ComputeId, Reading, Ledger)>, Error> {
        let mut ledgers = ledgers(&self.store.read().await?);
        let mut found = Vec::new();
        for target in targets {
            let reading = self.azure.on(target).await?;
            found.push((target.clone(), reading, ledgers.remove(target).unwrap_or_default()));
        }
        Ok(found)
    }

    /// Everything that podid put on nodes, as the record has it.
    pub(crate) async fn put_there(&self) -> Result<Vec<(ComputeId, IdentityResourceId)>, Error> {
        let ledgers = ledgers(&self.store.read().await?);
        let each = ledgers.into_iter().flat_map(|(target, ledger)| {
            ledger.put.into_iter().map(move |resource| (target.clone(), resource))
        });
        Ok(each.collect())
    }

    /// Puts the identity there; `needed` are all that the cluster's pod identities name.
    pub(crate) async fn put(
        &self,
        target: &ComputeId,
        resource: &IdentityResourceId,
        needed: &BTreeSet<IdentityResourceId>,
        stale: bool,
        wait: bool,
    ) -> Result<(), Error> {
        if stale {
            // What is put there next needs what is taken off to be gone.
            self.change(target, resource, needed, Want::GoneForNow, true).await?;
        }
        self.change(target, resource, needed, Want::There, wait).await
    }

    /// Takes the identity off, if podid put it there and `needed` does not name it.
    pub(crate) async fn take_off(
        &self,
        target: &ComputeId,
        resource: &IdentityResourceId,
        needed: &BTreeSet<IdentityResourceId>,
        wait: bool,
    ) -> Result<(), Error> {
        self.change(target, resource, needed, Want::Gone, wait).await
    }

    async fn change(
        &self,
        target: &ComputeId,
        resource: &IdentityResourceId,
        needed: &BTreeSet<IdentityResourceId>,
        end: Want,
        wait: bool,
    ) -> Result<(), Error> {
        let mut last = String::new();
        for _ in 0..ATTEMPTS {
            match self.try_change(target, resource, needed, end, wait).await {
                Err(
                    error @ (Error::Azure(azure::Error::Arm(resource::Error::Conflict { .. }))
                    | Error::Cluster(CallError::Conflict { .. })),
                ) => {
                    last = error.to_string();
                    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                }
                result => return result,
            }
        }
        Err(Error::Contended(last))
    }

    async fn try_change(
        &self,
        target: &ComputeId,
        resource: &IdentityResourceId,
        needed: &BTreeSet<IdentityResourceId>,
        end: Want,
        wait: bool,
    ) -> Result<(), Error> {
        let page = self.store.read().await?;
        let ledger = ledgers(&page).remove(target).unwrap_or_default();
        let reading = match self.azure.on(target).await {
            // What is gone has nothing on it.
            Err(error) if error.is_absence() && !matches!(end, Want::There) => {
                self.remember(page, target, &Ledger::default()).await?;
                return Ok(());
            }
            reading => reading?,
        };
        let decision = decide(&reading, ledger, resource, needed, end)
            .map_err(|problem| Error::Target { target: target.to_string(), problem: problem.to_string() })?;
        let page = self.remember(page, target, &decision.ledger).await?;
        for patch in &decision.patches {
            let etag = reading.etag.as_deref().filter(|_| decision.patches.len() == 1);
            match self.azure.patch(target, patch, etag, wait).await {
                Err(error) if error.is_absence() && !matches!(end, Want::There) => {}
                result => result?,
            }
        }
        // Who does not wait does not know that it is off: MIC, or the next command, forgets it then.
        let end = if wait { &decision.after } else { &decision.ledger };
        self.remember(page, target, end).await?;
        Ok(())
    }

    async fn remember(&self, mut page: Page, target: &ComputeId, ledger: &Ledger) -> Result<Page, Error> {
        let key = ownership::key(target);
        let before = page.entries.clone();
        if ledger.is_empty() {
            page.entries.remove(&key);
        } else {
            page.entries.insert(key, ownership::render(target, ledger));
        }
        Ok(if page.entries == before { page } else { self.store.write(page).await? })
    }
}

/// What the record says.
fn ledgers(page: &Page) -> BTreeMap<ComputeId, Ledger> {
    page.entries.values().filter_map(|entry| ownership::parse(entry)).collect()
}

/// How the identity stands with one VM or scale set.
pub(crate) fn judge(
    reading: &Reading,
    ledger: Option<&Ledger>,
    resource: &IdentityResourceId,
    client: Option<&ClientId>,
) -> OnNodes {
    match reading.present.identities.get(resource) {
        None => OnNodes::Absent,
        Some(Some(there)) if client.is_some_and(|client| client != there) => OnNodes::Stale,
        Some(_) if ledger.is_some_and(|ledger| ledger.put.contains(resource)) => OnNodes::Ours,
        Some(_) => OnNodes::Found,
    }
}

/// The change for one identity: all others are left as they are.
fn decide(
    reading: &Reading,
    mut ledger: Ledger,
    resource: &IdentityResourceId,
    needed: &BTreeSet<IdentityResourceId>,
    end: Want,
) -> Result<Decision, assign::Refusal> {
    let mut wish = Wish { needed: needed.clone(), ..Wish::default() };
    match end {
        Want::There => drop(wish.needed.insert(resource.clone())),
        Want::Gone => {}
        Want::GoneForNow => {
            wish.needed.remove(resource);
            ledger.put.insert(resource.clone());
        }
    }
    let others =
        |ids: &BTreeSet<IdentityResourceId>| ids.iter().filter(|id| *id != resource).cloned().collect();
    // What MIC may have under way of others stays in its record.
    let (add, remove) = (others(&wish.needed), others(&ledger.put));
    let deferred = Deferred { add, arriving: remove.clone(), remove };
    assign::decide(&reading.present, &wish, &ledger, &Protected::default(), &deferred)
}
