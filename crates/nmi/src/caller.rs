//! Which pod sent this request?
//!
//! By the address that its connection comes from, and never by a guess: while an address is unknown
//! or belongs to two pods, the next snapshot is waited for briefly, then the Kubernetes API is asked
//! once, and then the caller is told to come again. The same where the address leads to another
//! neighbour than before and the watch may not have heard of its new owner.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use podid_core::refusal::{Cause, Refusal};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::lookup::Lookup;
use crate::neighbour::{Neighbours, Standing, Verdict};
use crate::snapshot::{Owner, Resident, Snapshot};

/// How long a watch may lag behind a pod that already asks.
const LAG: Duration = Duration::from_secs(1);

/// How long a request waits for watches that are not in step yet (after a start).
const START: Duration = Duration::from_secs(30);

/// How often a way that changes while it is looked at is looked at again.
const ATTEMPTS: u8 = 4;

/// A pod, and how it was found.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// The pod.
    pub(crate) resident: Arc<Resident>,
    /// Whether the watch does not know it, only the API.
    pub(crate) by_lookup: bool,
    /// What the neighbours said of its address then ([`Neighbours::version`]).
    pub(crate) version: u64,
}

/// Finds the pod at `address`.
pub(crate) async fn find(
    address: IpAddr,
    snapshots: &mut watch::Receiver<Arc<Snapshot>>,
    lookup: &Lookup,
    neighbours: &Neighbours,
) -> Result<Found, Refusal> {
    // A dual-stack listener sees IPv4 pods under mapped addresses.
    let address = address.to_canonical();
    if snapshots.borrow().complete
        && let Owner::One(resident) = snapshots.borrow_and_update().owner(address)
        && let Standing::Sure(version) = neighbours.standing(address, &resident.pod.uid)
    {
        return Ok(Found { resident, by_lookup: false, version });
    }
    Box::pin(search(address, snapshots, lookup, neighbours)).await
}

/// Finds the pod at `address` as soon as it can be told.
async fn search(
    address: IpAddr,
    snapshots: &mut watch::Receiver<Arc<Snapshot>>,
    lookup: &Lookup,
    neighbours: &Neighbours,
) -> Result<Found, Refusal> {
    in_step(snapshots).await?;
    let lagging = Instant::now() + LAG;
    for _ in 0..ATTEMPTS {
        // Before the question, so that its answer is not older than what is doubted.
        let asked_after = neighbours.doubt(address);
        let since = asked_after.and_then(|doubt| doubt.since);
        let (resident, by_lookup) = match known(address, snapshots, lagging).await {
            Some(resident) => (resident, false),
            None => (ask(address, since, lookup).await?, true),
        };
        let doubt = match neighbours.standing(address, &resident.pod.uid) {
            Standing::Sure(version) => return Ok(Found { resident, by_lookup, version }),
            Standing::Doubted(doubt) => doubt,
        };
        match doubt.since {
            Some(since) if !by_lookup => {
                confirm(&resident, address, &*ask(address, Some(since), lookup).await?)?;
            }
            Some(_) if asked_after != Some(doubt) => continue,
            Some(_) => confirm(&resident, address, &resident)?,
            None => {}
        }
        let port = reached(&resident, address, neighbours).await?;
        if let Standing::Sure(version) = neighbours.settle(address, doubt, &resident.pod.uid, port) {
            return Ok(Found { resident, by_lookup, version });
        }
        // Something changed while it was looked at.
    }
    Err(Refusal::trouble(
        Cause::CallerChanged,
        format!("The way to the address {address} changes again and again. Connect and ask again."),
    ))
}

/// The one pod that the watch knows at `address`, which is waited for until `lagging`.
async fn known(
    address: IpAddr,
    snapshots: &mut watch::Receiver<Arc<Snapshot>>,
    lagging: Instant,
) -> Option<Arc<Resident>> {
    loop {
        if let Owner::One(resident) = snapshots.borrow_and_update().owner(address) {
            return Some(resident);
        }
        match tokio::time::timeout_at(lagging, snapshots.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return None,
        }
    }
}

/// Makes sure that the API names the pod that the watch names, after its address has changed its neighbour.
fn confirm(resident: &Resident, address: IpAddr, live: &Resident) -> Result<(), Refusal> {
    // The address of a pod that is going may be another's although nobody has said so yet.
    if live.pod.uid == resident.pod.uid && !live.pod.terminating {
        return Ok(());
    }
    tracing::warn!(%address, pod = %resident.pod.id, now = %live.pod.id, "an address leads to another neighbour than before");
    Err(Refusal::trouble(
        Cause::CallerChanged,
        format!(
            "The address {address} of pod {} has just become another pod's. Connect and ask again.",
            resident.pod.id
        ),
    ))
}

/// Makes sure that answers to `address` reach the pod and nobody else, and says at which port of a bridge.
async fn reached(
    resident: &Resident,
    address: IpAddr,
    neighbours: &Neighbours,
) -> Result<Option<u32>, Refusal> {
    let pod = &resident.pod.id;
    match neighbours.survey(address).await {
        Ok(Verdict::Good(port)) => Ok(port),
        Ok(Verdict::Astray(why)) => {
            tracing::warn!(%address, %pod, reason = %why, "answers to a pod would go astray; no token is given");
            Err(Refusal::trouble(
                Cause::CallerClaimed,
                format!(
                    "Answers to the address {address} of pod {pod} would not reach that pod alone: {why}. Ask again \
                     when that has ended. Pods cannot do this without the capability NET_RAW: deny it to them \
                     (`podid policy net-raw --for vap`)."
                ),
            ))
        }
        Err(error) => {
            tracing::warn!(%address, %pod, %error, "cannot ask the kernel where answers to a pod go");
            Err(Refusal::trouble(
                Cause::CallerUnconfirmed,
                format!(
                    "NMI cannot see where answers to the address {address} of pod {pod} go. Ask again shortly; \
                     if this lasts, see NMI's log."
                ),
            ))
        }
    }
}

/// Whose address it is by the word of the API, which was given after `since`.
async fn ask(address: IpAddr, since: Option<Instant>, lookup: &Lookup) -> Result<Arc<Resident>, Refusal> {
    match lookup.owner(address, since).await {
        Ok(Owner::One(resident)) => Ok(resident),
        Ok(Owner::Nobody) => Err(Refusal::trouble(
            Cause::CallerUnknown,
            format!(
                "No pod of this node has the address {address}. If it belongs to a pod, ask again shortly; \
             the pod's status.podIP must show it."
            ),
        )),
        Ok(Owner::Several(pods)) => Err(Refusal::trouble(
            Cause::CallerAmbiguous,
            format!(
                "The address {address} belongs to more than one pod that may still run: {}. \
             Ask again shortly; if this lasts, delete the one that is gone.",
                pods.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            ),
        )),
        Err(_) => Err(Refusal::trouble(
            Cause::CallerUnconfirmed,
            format!(
                "NMI does not know which pod has the address {address}, and the Kubernetes API gave no answer. \
             Ask again shortly; if this lasts, see NMI's log."
            ),
        )),
    }
}

/// Waits until the watches have told all that exists.
pub(crate) async fn in_step(snapshots: &mut watch::Receiver<Arc<Snapshot>>) -> Result<(), Refusal> {
    match tokio::time::timeout(START, snapshots.wait_for(|snapshot| snapshot.complete)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Refusal::not_yet(
            Cause::Starting,
            "NMI has just started and has not read pods, identities and bindings from the Kubernetes API. \
             If this lasts, see its log.",
        )),
    }
}
