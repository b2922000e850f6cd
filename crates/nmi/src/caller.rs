//! Which pod sent this request?
//!
//! By the address that its connection comes from, and never by a guess: while an address is unknown
//! or belongs to two pods, the next snapshot is waited for briefly, then the Kubernetes API is asked
//! once, and then the caller is told to come again.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use podid_core::refusal::Refusal;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::lookup::Lookup;
use crate::snapshot::{Owner, Resident, Snapshot};

/// How long a watch may lag behind a pod that already asks.
const LAG: Duration = Duration::from_secs(1);

/// How long a request waits for watches that are not in step yet (after a start).
const START: Duration = Duration::from_secs(30);

/// A pod, and how it was found.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// The pod.
    pub(crate) resident: Arc<Resident>,
    /// Whether the watch does not know it, only the API.
    pub(crate) by_lookup: bool,
}

/// Finds the pod at `address`.
pub(crate) async fn find(
    address: IpAddr,
    snapshots: &mut watch::Receiver<Arc<Snapshot>>,
    lookup: &Lookup,
) -> Result<Found, Refusal> {
    // A dual-stack listener sees IPv4 pods under mapped addresses.
    let address = address.to_canonical();
    in_step(snapshots).await?;
    let lagging = Instant::now() + LAG;
    loop {
        if let Owner::One(resident) = snapshots.borrow_and_update().owner(address) {
            return Ok(Found { resident, by_lookup: false });
        }
        match tokio::time::timeout_at(lagging, snapshots.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => break,
        }
    }
    match lookup.owner(address).await {
        Ok(Owner::One(resident)) => Ok(Found { resident, by_lookup: true }),
        Ok(Owner::Nobody) => Err(Refusal::trouble(format!(
            "No pod of this node has the address {address}. If it belongs to a pod, ask again shortly; \
             the pod's status.podIP must show it."
        ))),
        Ok(Owner::Several(pods)) => Err(Refusal::trouble(format!(
            "The address {address} belongs to more than one pod that may still run: {}. \
             Ask again shortly; if this lasts, delete the one that is gone.",
            pods.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        ))),
        Err(_) => Err(Refusal::trouble(format!(
            "NMI does not know which pod has the address {address}, and the Kubernetes API gave no answer. \
             Ask again shortly; if this lasts, see NMI's log."
        ))),
    }
}

/// Waits until the watches have told all that exists.
pub(crate) async fn in_step(snapshots: &mut watch::Receiver<Arc<Snapshot>>) -> Result<(), Refusal> {
    match tokio::time::timeout(START, snapshots.wait_for(|snapshot| snapshot.complete)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Refusal::not_yet(
            "NMI has just started and has not read pods, identities and bindings from the Kubernetes API. \
             If this lasts, see its log.",
        )),
    }
}
