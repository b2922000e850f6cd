//! What of a lab is in the cluster, and how does it go?

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::client::{
    ASSIGNMENTS, CONFIG_MAPS, Client, ENDPOINTS, Failure, Kind, LEASES, NAMESPACES, NODES, OF_A_LAB, PODS,
    text,
};
use crate::cluster::objects::{LAB_SELECTOR, is_of_a_lab};
use crate::scenario::SYSTEM_NAMESPACE;

/// Longest time until what was deleted is gone. A namespace goes only when its controller has emptied it, which can
/// take more than a minute after the API server was away or lost its history.
const LIMIT: Duration = Duration::from_mins(3);
/// How long a server that cannot answer for a moment is asked again: one whose kinds have just changed says 429.
const MOMENT: Duration = Duration::from_secs(15);
/// Pause between looks.
const LOOK: Duration = Duration::from_millis(100);

/// What MIC writes beside assignments, under names that do not change.
const RECORDS: [(Kind, &str); 3] =
    [(CONFIG_MAPS, "podid-ownership"), (LEASES, "aad-pod-identity-mic"), (ENDPOINTS, "aad-pod-identity-mic")];

/// How many objects of each kind were removed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Cleaned {
    counts: BTreeMap<&'static str, usize>,
}

/// Removes everything that carries the lab's label, the pods and assignments of its nodes, and MIC's records;
/// returns when all of it is gone.
pub(super) async fn clean(client: &Client) -> Result<Cleaned, Failure> {
    let patience = Instant::now() + MOMENT;
    let mut cleaned = Cleaned::default();
    loop {
        match sweep(client, &mut cleaned).await {
            Ok(()) => return Ok(cleaned),
            Err(Failure::Unavailable(_)) if Instant::now() < patience => tokio::time::sleep(LOOK).await,
            Err(failure) => return Err(failure),
        }
    }
}

/// Does so once, and begins anew with whatever an earlier attempt left.
async fn sweep(client: &Client, cleaned: &mut Cleaned) -> Result<(), Failure> {
    let nodes = client.list(NODES, "", LAB_SELECTOR).await?.items;
    let nodes: BTreeSet<&str> =
        nodes.iter().map(|node| text(&node["metadata"]["name"])).chain(crate::scenario::NODES).collect();

    for pod in client.list(PODS, "", "").await?.items {
        if is_of_a_lab(&pod) || nodes.contains(text(&pod["spec"]["nodeName"])) {
            cleaned.count(PODS, client.remove(PODS, &pod["metadata"]).await)?;
        }
    }
    let assignments = match client.list(ASSIGNMENTS, "", "").await {
        Ok(list) => list.items,
        Err(Failure::Absent(_)) => Vec::new(),
        Err(failure) => return Err(failure),
    };
    for assignment in assignments {
        if nodes.contains(text(&assignment["spec"]["nodename"])) {
            release(client, &assignment).await?;
            cleaned.count(ASSIGNMENTS, client.remove(ASSIGNMENTS, &assignment["metadata"]).await)?;
        }
    }
    for (kind, name) in RECORDS {
        cleaned.count(kind, client.delete(kind, SYSTEM_NAMESPACE, name).await)?;
    }
    for node in &nodes {
        cleaned.count(LEASES, client.delete(LEASES, "kube-node-lease", node).await)?;
    }
    for kind in OF_A_LAB {
        for object in labelled(client, *kind).await? {
            cleaned.count(*kind, client.remove(*kind, &object["metadata"]).await)?;
        }
        // Before the kinds go, since the controller that empties namespaces asks which kinds there are.
        if *kind == NAMESPACES {
            gone(client, &[NAMESPACES]).await?;
        }
    }
    gone(client, OF_A_LAB).await
}

/// Drops the finalizer, for which there is no MIC any more.
async fn release(client: &Client, assignment: &Value) -> Result<(), Failure> {
    let metadata = &assignment["metadata"];
    if metadata["finalizers"].is_null() {
        return Ok(());
    }
    let (namespace, name) = (text(&metadata["namespace"]), text(&metadata["name"]));
    let free = json!({"metadata": {"finalizers": null}});
    match client.patch(ASSIGNMENTS, namespace, name, &free).await {
        Ok(_) | Err(Failure::Absent(_)) => Ok(()),
        Err(failure) => Err(failure),
    }
}

async fn labelled(client: &Client, kind: Kind) -> Result<Vec<Value>, Failure> {
    match client.list(kind, "", LAB_SELECTOR).await {
        Ok(list) => Ok(list.items),
        Err(Failure::Absent(_)) => Ok(Vec::new()),
        Err(failure) => Err(failure),
    }
}

/// Waits until the last object has left; controllers of the cluster empty namespaces.
async fn gone(client: &Client, kinds: &[Kind]) -> Result<(), Failure> {
    let wait = async {
        for kind in kinds {
            while !labelled(client, *kind).await?.is_empty() {
                tokio::time::sleep(LOOK).await;
            }
        }
        Ok(())
    };
    tokio::time::timeout(LIMIT, wait).await.unwrap_or_else(|_| {
        let why = format!("after {} s something is still being deleted", LIMIT.as_secs());
        Err(Failure::Unavailable(why))
    })
}

// === impl Cleaned ===

impl Cleaned {
    fn count(&mut self, kind: Kind, removed: Result<(), Failure>) -> Result<(), Failure> {
        match removed {
            Ok(()) => *self.counts.entry(kind.plural()).or_default() += 1,
            // Gone already, or followed by a namesake.
            Err(Failure::Absent(_) | Failure::Taken(_)) => {}
            Err(failure) => return Err(failure),
        }
        Ok(())
    }
}

impl fmt::Display for Cleaned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.counts.is_empty() {
            return f.write_str("nothing");
        }
        let parts: Vec<String> = self.counts.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        f.write_str(&parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_removed_is_counted_and_what_was_gone_is_not() {
        let mut cleaned = Cleaned::default();
        assert_eq!(cleaned.to_string(), "nothing");
        for _ in 0..2 {
            cleaned.count(NODES, Ok(())).unwrap();
        }
        cleaned.count(PODS, Ok(())).unwrap();
        cleaned.count(PODS, Err(Failure::Absent(String::new()))).unwrap();
        assert_eq!(cleaned.to_string(), "2 nodes, 1 pods");
        assert!(cleaned.count(PODS, Err(Failure::Unavailable(String::new()))).is_err());
    }
}
