//! Who holds the lock of the controllers?

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Endpoints;
use kube::{Api, Client};
use podid_core::adopt::Workload;
use podid_core::chain::{Entry, Lock, Seen};
use podid_core::ids::ObjectRef;

use super::{LIMIT, unseen};
use crate::call::bounded;
use crate::lease::lock::{self, Lock as _};

/// Where the lock is unless MIC's flags say otherwise (peer contract §2.3).
const NAMESPACE: &str = "default";
/// Its usual name.
const NAME: &str = "aad-pod-identity-mic";

/// The lock that the controllers' flags name, podid's first.
pub(super) async fn look(client: &Client, mics: &[Workload]) -> Seen<Lock> {
    let mic = mics.iter().find(|one| one.product() == podid_core::adopt::Product::Podid).or(mics.first());
    let flag = |name: &str, usual: &str| {
        let given =
            mic.and_then(|mic| mic.flag(name)).filter(|given| !given.is_empty() && !given.starts_with('$'));
        given.unwrap_or(usual).to_owned()
    };
    let id = ObjectRef::new(flag("leader-election-namespace", NAMESPACE), flag("leader-election-name", NAME));
    let leases: Api<Lease> = Api::namespaced(client.clone(), &id.namespace);
    let endpoints: Api<Endpoints> = Api::namespaced(client.clone(), &id.namespace);
    let (lease, legacy) = tokio::join!(
        bounded(|| format!("read Lease {id}"), LIMIT, leases.get_opt(&id.name)),
        bounded(|| format!("read Endpoints {id}"), LIMIT, endpoints.get_opt(&id.name)),
    );
    match (lease, legacy) {
        (Ok(lease), legacy) => Seen::Known(Lock {
            lease: lease.and_then(|object| object.entry()).map(|found| entry(&found)),
            legacy: legacy.ok().flatten().and_then(|object| object.entry()).map(|found| entry(&found)),
            id,
        }),
        (Err(error), _) => unseen(&error),
    }
}

fn entry(found: &lock::Entry) -> Entry {
    Entry {
        holder: found.holder.as_str().into(),
        renewed: found.renewed,
        duration: Duration::from_secs(u64::try_from(found.seconds).unwrap_or(0)),
    }
}
