//! What is there now? Everything that a plan or a state is made of, read once.

use std::collections::BTreeSet;

use podid_core::addon::state::{Mode, Remote, Standing, state};
use podid_core::addon::{AzureSide, Cluster, Held};
use podid_core::facts::{Assignment, Binding, Identity};
use podid_core::ids::{ComputeId, IdentityResourceId, ObjectRef};
use podid_core::target;
use podid_kube::call::CallError;
use podid_kube::pod_identities::{self, Installed};

use crate::azure::Azure;
use crate::nodes::Nodes;
use crate::{Error, Session};

/// The cluster at one moment.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) cluster: Cluster,
    pub(crate) assignments: Vec<Assignment>,
    pub(crate) installed: Installed,
    /// The VMs and scale sets of its Linux nodes.
    pub(crate) targets: Vec<ComputeId>,
}

// === impl Session ===

impl<A: Azure> Session<A> {
    /// Reads the cluster, as far as it tells by itself.
    pub(crate) async fn look(&self, namespace: &str) -> Result<Scene, Error> {
        let (cluster, assignments) = pod_identities::cluster(&self.client, namespace).await?;
        let installed = pod_identities::installed(&self.client).await?;
        let mut targets = BTreeSet::new();
        let nodes = match pod_identities::nodes(&self.client).await {
            // Here they only lead to the cluster in Azure, which can be named as well.
            Err(CallError::Forbidden { .. }) if installed.mode == Mode::Standard => Vec::new(),
            answer => answer?,
        };
        for node in nodes {
            match target::target(&node) {
                Ok(target) => drop(targets.insert(target)),
                Err(problem) if installed.mode == Mode::Managed => {
                    return Err(Error::Node { node: node.name.to_string(), problem: problem.to_string() });
                }
                Err(_) => {}
            }
        }
        Ok(Scene { cluster, assignments, installed, targets: targets.into_iter().collect() })
    }

    /// How the identity stands in Azure now.
    pub(crate) async fn remote(&self, scene: &Scene, resource: &IdentityResourceId) -> Result<Remote, Error> {
        let Some(side) = self.azure.identity(resource).await? else { return Ok(Remote::Missing) };
        let nodes = self.standing(scene, &side).await?;
        Ok(Remote::There(side, nodes))
    }

    /// How the identity stands with the nodes; nothing where MIC takes care of that.
    pub(crate) async fn standing(
        &self,
        scene: &Scene,
        side: &AzureSide,
    ) -> Result<Vec<(ComputeId, podid_core::addon::OnNodes)>, Error> {
        match scene.installed.mode {
            Mode::Standard => Ok(Vec::new()),
            Mode::Managed => {
                self.nodes(scene).standing(&scene.targets, &side.resource, Some(&side.client)).await
            }
        }
    }

    pub(crate) fn nodes(&self, scene: &Scene) -> Nodes<'_, A> {
        Nodes::new(&self.azure, &self.client, &scene.installed.namespace)
    }
}

// === impl Scene ===

impl Scene {
    /// How the pod identity `held` stands, given what Azure says.
    pub(crate) fn state(&self, held: &Held<Identity>, remote: &Remote) -> Standing {
        let bindings: Vec<&Binding> = self.bindings(&held.fact.id).collect();
        let assignments: Vec<&Assignment> = self.assignments_of(&held.fact.id).collect();
        state(held, &bindings, &assignments, self.installed.mode, remote)
    }

    /// The bindings that name the identity and stay.
    pub(crate) fn bindings(&self, id: &ObjectRef) -> impl Iterator<Item = &Binding> {
        self.cluster.bindings_of(id).filter(|held| !held.terminating).map(|held| &held.fact)
    }

    /// MIC's records of it.
    pub(crate) fn assignments_of(&self, id: &ObjectRef) -> impl Iterator<Item = &Assignment> {
        self.assignments.iter().filter(move |one| one.identity.id == *id)
    }

    /// The identities in Azure that the pod identities of the cluster name, but for that of `except`.
    pub(crate) fn needed(&self, except: Option<&ObjectRef>) -> BTreeSet<IdentityResourceId> {
        let stays = |held: &&Held<Identity>| !held.terminating && Some(&held.fact.id) != except;
        let named = self.cluster.identities.iter().filter(stays);
        named.filter_map(|held| held.fact.resource_id().cloned()).collect()
    }
}
