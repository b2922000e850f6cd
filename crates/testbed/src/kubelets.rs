//! What do kubelets and a scheduler do, as far as the API server can see?

mod place;
mod play;
mod status;

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Node;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};

use crate::background::Background;
use crate::control_plane::connect;
use crate::error::Failure;
use play::World;

/// Plays the kubelets of some nodes and the scheduler, until it is dropped; the nodes stay.
///
/// Pods get a node, are running and ready at once with an address of 10.64.0.0/10, or the node's own with `hostNetwork`,
/// and are gone when they are deleted. Pods of a Job are completed at once. No container runs, no probe is asked.
#[derive(Debug)]
pub struct Kubelets {
    _background: Background,
}

// === impl Kubelets ===

impl Kubelets {
    /// Registers the nodes and makes them ready. One that exists already keeps its labels, taints and provider id.
    pub(crate) fn start(kubeconfig: &Path, names: &[&str]) -> Result<Self, Failure> {
        let doing = || "register nodes".to_owned();
        let background = Background::new("podid-kubelets")?;
        let client = connect(&background, kubeconfig)?;
        let played: BTreeMap<_, _> = (1..)
            .zip(names)
            .map(|(number, name)| ((*name).to_owned(), status::node_address(number)))
            .collect();
        let world = World::new(played.clone());
        let registering = client.clone();
        let registered = background.run(async move {
            for (name, address) in &played {
                register(&registering, name, *address).await?;
            }
            Ok(())
        });
        registered
            .ok_or_else(|| Failure::Unexpected { doing: doing(), answer: String::new() })?
            .map_err(|problem: kube::Error| Failure::Call { doing: doing(), problem: Box::new(problem) })?;
        background.spawn(world.run(client));
        Ok(Self { _background: background })
    }
}

async fn register(client: &Client, name: &str, address: std::net::Ipv4Addr) -> kube::Result<()> {
    let nodes = Api::<Node>::all(client.clone());
    if nodes.get_opt(name).await?.is_none() {
        let node = serde_json::from_value(status::node(name)).map_err(kube::Error::SerdeError)?;
        nodes.create(&PostParams::default(), &node).await?;
    }
    let ready = status::ready_node(name, address, Timestamp::now());
    nodes.patch_status(name, &PatchParams::default(), &Patch::Merge(ready)).await.map(drop)
}
