//! What of podid's manifests goes into the given cluster, and where?
//!
//! Everything but Deployment and DaemonSet: the lab runs their pods itself, as processes.

use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;

use crate::Mode;
use crate::client::{CRDS, Client, Failure, text};
use crate::cluster::objects::labelled;
use crate::scenario::SYSTEM_NAMESPACE;

const STANDARD: &str = include_str!("../../../../../../deploy/infra/deployment-rbac.yaml");
const MANAGED: &str = include_str!("../../../../../../deploy/infra/managed-mode-deployment.yaml");

/// Namespace that the manifests are written for.
const WRITTEN_FOR: &str = "default";
/// Longest time until a new kind can be used.
const LIMIT: Duration = Duration::from_secs(15);
/// Pause between looks.
const LOOK: Duration = Duration::from_millis(50);

/// Creates the objects; what somebody else has put there already stays as it is.
pub(super) async fn apply(client: &Client, mode: Mode) -> anyhow::Result<()> {
    let objects = objects(mode)?;
    for object in &objects {
        match client.create(object).await {
            Ok(_) | Err(Failure::Taken(_)) => {}
            Err(failure) => {
                let what = format!("{} {}", text(&object["kind"]), text(&object["metadata"]["name"]));
                return Err(anyhow::Error::from(failure).context(format!("cannot create {what}")));
            }
        }
    }
    let names = objects.iter().filter(|object| object["kind"] == "CustomResourceDefinition");
    for name in names.map(|object| text(&object["metadata"]["name"])) {
        tokio::time::timeout(LIMIT, established(client, name))
            .await
            .with_context(|| format!("the cluster has not accepted {name} after {} s", LIMIT.as_secs()))??;
    }
    Ok(())
}

async fn established(client: &Client, name: &str) -> Result<(), Failure> {
    loop {
        let definition = client.get(CRDS, "", name).await?;
        let mut conditions = definition["status"]["conditions"].as_array().into_iter().flatten();
        if conditions.any(|one| one["type"] == "Established" && one["status"] == "True") {
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The objects of a mode, labelled as the lab's and moved into its namespace.
fn objects(mode: Mode) -> anyhow::Result<Vec<Value>> {
    let text = match mode {
        Mode::Standard => STANDARD,
        Mode::Managed => MANAGED,
    };
    let mut objects = Vec::new();
    for document in text.split("\n---\n") {
        let object: Value = serde_saphyr::from_str(document)?;
        if object.is_object() && object["kind"] != "Deployment" && object["kind"] != "DaemonSet" {
            objects.push(labelled(moved(object)));
        }
    }
    Ok(objects)
}

fn moved(mut object: Value) -> Value {
    let move_one = |value: &mut Value| {
        if *value == WRITTEN_FOR {
            *value = SYSTEM_NAMESPACE.into();
        }
    };
    if let Some(namespace) = object.pointer_mut("/metadata/namespace") {
        move_one(namespace);
    }
    for subject in object.get_mut("subjects").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(namespace) = subject.get_mut("namespace") {
            move_one(namespace);
        }
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::objects::{MIC, NMI, is_of_a_lab};

    #[test]
    fn both_modes_bring_definitions_accounts_and_rights_in_the_lab_s_namespace_and_no_workload() {
        for (mode, accounts) in [(Mode::Standard, vec![MIC, NMI]), (Mode::Managed, vec![NMI])] {
            let objects = objects(mode).unwrap();
            let of = |kind: &str| objects.iter().filter(|object| object["kind"] == kind).collect::<Vec<_>>();
            let names: Vec<&str> =
                of("ServiceAccount").iter().map(|one| text(&one["metadata"]["name"])).collect();
            assert_eq!(names, accounts, "{mode:?}");
            assert!(of("CustomResourceDefinition").len() >= 3);
            assert!(of("Deployment").is_empty() && of("DaemonSet").is_empty());
            assert!(objects.iter().all(is_of_a_lab));
            let text = serde_json::to_string(&objects).unwrap();
            assert!(!text.contains(r#""namespace":"default""#), "something is left in the namespace default");
            for object in &objects {
                crate::client::Kind::of(object).unwrap();
            }
        }
    }
}
