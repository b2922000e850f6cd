//! How does a test play ARM?

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use podid_azure::arm::{Reading, resource};
use podid_core::addon::AzureSide;
use podid_core::assign::{Kind, Patch, Present};
use podid_core::ids::{ClientId, ComputeId, IdentityResourceId, PrincipalId};

use crate::azure::{Azure, Error, ManagedCluster};

/// A subscription with a cluster `c` in group `g`, its nodes in `MC_g`, and the identities `app` and `other`.
pub(crate) struct Play(Mutex<State>);

pub(crate) struct State {
    /// Client id of each identity.
    pub(crate) identities: BTreeMap<IdentityResourceId, ClientId>,
    /// Whom the role was granted on which identity.
    pub(crate) granted: Vec<(IdentityResourceId, PrincipalId)>,
    /// What is on which scale set.
    pub(crate) nodes: BTreeMap<ComputeId, BTreeMap<IdentityResourceId, Option<ClientId>>>,
    /// What every call fails with.
    pub(crate) fault: Option<Error>,
    /// How many writes there were.
    pub(crate) writes: usize,
    /// Somebody else's writes, which come before ours.
    pub(crate) intruders: usize,
    version: u64,
}

const CLUSTER: &str =
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerService/managedClusters/c";

pub(crate) fn principal(name: &str) -> PrincipalId {
    PrincipalId::parse(name).unwrap()
}

pub(crate) fn resource(name: &str) -> IdentityResourceId {
    IdentityResourceId::parse(&format!(
        "/subscriptions/s/resourceGroups/ids/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}"
    ))
    .unwrap()
}

// === impl Play ===

impl Play {
    pub(crate) fn new() -> Self {
        let client = |name: &str| ClientId::parse(&format!("client-{name}")).unwrap();
        let pool = |name: &str| (ComputeId::scale_set("s", "MC_g", name), BTreeMap::new());
        Self(Mutex::new(State {
            identities: ["app", "other"].map(|name| (resource(name), client(name))).into(),
            granted: Vec::new(),
            nodes: [pool("pool-a"), pool("pool-b")].into(),
            fault: None,
            writes: 0,
            intruders: 0,
            version: 0,
        }))
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(crate) fn targets(&self) -> Vec<ComputeId> {
        self.state().nodes.keys().cloned().collect()
    }

    /// The scale sets that have the identity.
    pub(crate) fn carriers(&self, name: &str) -> Vec<String> {
        let state = self.state();
        let carry = state.nodes.iter().filter(|(_, there)| there.contains_key(&resource(name)));
        carry.map(|(target, _)| target.name().to_owned()).collect()
    }

    fn answer<T>(&self, act: impl FnOnce(&mut State) -> T) -> Result<T, Error> {
        let mut state = self.state();
        match &state.fault {
            Some(error) => Err(error.clone()),
            None => Ok(act(&mut state)),
        }
    }
}

impl Azure for Play {
    async fn identity(&self, id: &IdentityResourceId) -> Result<Option<AzureSide>, Error> {
        self.answer(|state| {
            let client = state.identities.get(id)?.clone();
            Some(AzureSide { resource: id.clone(), client, principal: principal("p-app") })
        })
    }

    async fn has_role(&self, on: &IdentityResourceId, principal: &PrincipalId) -> Result<bool, Error> {
        self.answer(|state| state.granted.iter().any(|(id, to)| id == on && to == principal))
    }

    async fn grant(&self, on: &IdentityResourceId, principal: &PrincipalId) -> Result<(), Error> {
        self.answer(|state| {
            state.writes += 1;
            state.granted.push((on.clone(), principal.clone()));
        })
    }

    async fn manager_of_group(&self, _: &str, group: &str) -> Result<Option<String>, Error> {
        self.answer(|_| (group == "MC_g").then(|| CLUSTER.to_owned()))
    }

    async fn cluster(&self, _: &str, group: &str, name: &str) -> Result<Option<ManagedCluster>, Error> {
        self.answer(|_| {
            (group.eq_ignore_ascii_case("g") && name == "c").then(|| ManagedCluster {
                id: CLUSTER.to_owned(),
                control_plane: Some(principal("control-plane")),
                kubelet: Some(principal("kubelet")),
                node_group: Some("MC_g".to_owned()),
                network_plugin: Some("azure".to_owned()),
                has_addon: false,
            })
        })
    }

    async fn on(&self, target: &ComputeId) -> Result<Reading, Error> {
        self.answer(|state| state.read(target))?
    }

    async fn patch(
        &self,
        target: &ComputeId,
        patch: &Patch,
        etag: Option<&str>,
        _: bool,
    ) -> Result<(), Error> {
        self.answer(|state| state.patch(target, patch, etag))?
    }
}

// === impl State ===

impl State {
    fn read(&self, target: &ComputeId) -> Result<Reading, Error> {
        let gone = || resource::Error::NotFound { target: target.to_string(), detail: "gone".to_owned() };
        let there = self.nodes.get(target).ok_or_else(gone)?;
        let kind = if there.is_empty() { Kind::None } else { Kind::User };
        let present = Present { kind, identities: there.clone(), ..Present::default() };
        Ok(Reading { present, etag: Some(self.version.to_string()) })
    }

    fn patch(&mut self, target: &ComputeId, patch: &Patch, etag: Option<&str>) -> Result<(), Error> {
        let conflict = || {
            let (target, code) = (target.to_string(), "PreconditionFailed".to_owned());
            Error::Arm(resource::Error::Conflict { target, code, detail: "etag".to_owned() })
        };
        if self.intruders > 0 {
            self.intruders -= 1;
            self.version += 1;
        }
        if etag.is_some_and(|etag| etag != self.version.to_string()) {
            return Err(conflict());
        }
        self.version += 1;
        self.writes += 1;
        let clients = self.identities.clone();
        let there = self.nodes.get_mut(target).ok_or_else(conflict)?;
        for id in &patch.remove {
            there.remove(id);
        }
        for id in &patch.add {
            // An identity that is there keeps the client id that it had, as in Azure.
            there.entry(id.clone()).or_insert_with(|| clients.get(id).cloned());
        }
        Ok(())
    }
}
