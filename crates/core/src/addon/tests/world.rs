//! What does a step do? A cluster and an Azure that are a few maps.

use std::collections::BTreeMap;

use super::*;
use crate::facts::{Binding, IdentityKind};
use crate::ids::Uid;

#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) cluster: Cluster,
    /// Client ids of what is on each scale set, and whether podid put it there.
    pub(super) nodes: BTreeMap<ComputeId, BTreeMap<IdentityResourceId, (ClientId, bool)>>,
    granted: bool,
    client: ClientId,
    clock: u64,
}

impl World {
    pub(super) fn new<const N: usize>(pools: [&str; N]) -> Self {
        Self {
            cluster: Cluster { place: Place::Absent, identities: Vec::new(), bindings: Vec::new() },
            nodes: pools.map(|pool| (ComputeId::scale_set("s", "g", pool), BTreeMap::new())).into(),
            granted: false,
            client: ClientId::parse("client-app").unwrap(),
            clock: 0,
        }
    }

    /// Puts an identity on a scale set, as somebody else.
    pub(super) fn attach(&mut self, pool: &str, name: &str) {
        let there = self.nodes.get_mut(&ComputeId::scale_set("s", "g", pool)).unwrap();
        there.insert(resource(name), (self.client.clone(), false));
    }

    /// The identity is deleted in Azure and made again under its name.
    pub(super) fn make_anew(&mut self) {
        self.client = ClientId::parse("client-anew").unwrap();
    }

    fn standing(&self, resource: &IdentityResourceId) -> Vec<(ComputeId, OnNodes)> {
        let state = |there: &BTreeMap<_, (ClientId, bool)>| match there.get(resource) {
            None => OnNodes::Absent,
            Some((client, _)) if *client != self.client => OnNodes::Stale,
            Some((_, true)) => OnNodes::Ours,
            Some((_, false)) => OnNodes::Found,
        };
        self.nodes.iter().map(|(target, there)| (target.clone(), state(there))).collect()
    }

    pub(super) fn plan_add(&self, wanted: &Wanted) -> Result<Vec<Step>, Refusal> {
        let azure = Azure {
            identity: AzureSide { client: self.client.clone(), ..side("app") },
            lack_role: if self.granted { vec![] } else { vec![side("app").principal] },
            nodes: self.standing(&wanted.resource),
        };
        add::steps(wanted, &self.cluster, &azure, 9)
    }

    pub(super) fn plan_delete(&self, id: &ObjectRef) -> Result<delete::Plan, Refusal> {
        let nodes = delete::check(id, &self.cluster)?
            .and_then(Identity::resource_id)
            .map_or_else(Vec::new, |resource| self.standing(resource));
        delete::plan(id, &self.cluster, &nodes)
    }

    /// What of it a run shall reach, whatever the way: no uids and no versions.
    pub(super) fn outline(&self) -> String {
        let identities: Vec<_> =
            self.cluster.identities.iter().map(|held| (&held.fact.id, &held.fact.kind, held.ours)).collect();
        let bindings: Vec<_> = self
            .cluster
            .bindings
            .iter()
            .map(|held| (&held.fact.id, &held.fact.identity, &held.fact.selector, held.ours))
            .collect();
        format!("{:?} {identities:?} {bindings:?} {:?} {}", self.cluster.place, self.nodes, self.granted)
    }

    pub(super) fn apply_all(&mut self, steps: &[Step]) {
        for step in steps {
            self.apply(step);
        }
    }

    pub(super) fn apply(&mut self, step: &Step) {
        self.clock += 1;
        let (version, uid) = (self.clock.to_string(), Uid::new(format!("uid-{}", self.clock)));
        match step {
            Step::GrantRole { .. } => self.granted = true,
            Step::CreateNamespace { .. } => self.cluster.place = Place::Active,
            Step::WriteIdentity { id, resource, client, version: old } => {
                assert_eq!(self.cluster.place, Place::Active);
                let there = self.cluster.identity(id).map(|held| held.version.clone());
                assert_eq!(there, *old, "a version that is not there");
                let kind = IdentityKind::Managed { resource_id: resource.clone(), client_id: client.clone() };
                let fact = Identity { kind: Ok(kind), uid, id: id.clone(), ..managed("shop", "app") };
                self.cluster.identities.retain(|held| held.fact.id != *id);
                self.cluster.identities.push(Held { version: version.into(), ..held(fact, true) });
            }
            Step::WriteBinding { id, identity, selector, version: old } => {
                let there = self.cluster.bindings.iter().find(|held| held.fact.id == *id);
                assert_eq!(there.map(|held| held.version.clone()), *old, "a version that is not there");
                let fact = Binding { uid, ..binding(&id.namespace, &id.name, identity, selector) };
                self.cluster.bindings.retain(|held| held.fact.id != *id);
                self.cluster.bindings.push(Held { version: version.into(), ..held(fact, true) });
            }
            Step::PutOnNodes { target, resource, stale } => {
                let there = self.nodes.get_mut(target).unwrap();
                let old = there.insert(resource.clone(), (self.client.clone(), true));
                assert_eq!(old.is_some(), *stale);
            }
            Step::TakeOffNodes { target, resource } => {
                assert!(self.nodes.get_mut(target).unwrap().remove(resource).is_some());
            }
            Step::DeleteBinding { id, uid } => {
                self.cluster.bindings.retain(|held| held.fact.id != *id || held.fact.uid != *uid);
            }
            Step::DeleteIdentity { id, uid } => {
                self.cluster.identities.retain(|held| held.fact.id != *id || held.fact.uid != *uid);
            }
        }
    }
}
