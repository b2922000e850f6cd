//! Facts for the tests of this crate's decisions.

use super::*;
use crate::facts::{CredentialKind, IdentityKind, POD_LABEL, Phase};
use crate::ids::{ClientId, Uid};

pub(crate) fn pod(namespace: &str, name: &str, label: &str, node: Option<&str>) -> Pod {
    Pod {
        id: ObjectRef::new(namespace, name),
        uid: Uid::new(format!("{namespace}/{name}")),
        node: node.map(NodeName::new),
        labels: [(POD_LABEL.into(), label.into())].into(),
        addresses: Vec::new(),
        phase: Phase::Running,
        host_network: false,
        terminating: false,
        started: None,
    }
}

pub(crate) fn resource(name: &str) -> IdentityResourceId {
    IdentityResourceId::parse(&format!(
        "/subscriptions/s/resourcegroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}"
    ))
    .unwrap()
}

pub(crate) fn managed(namespace: &str, name: &str) -> Identity {
    let kind = IdentityKind::Managed {
        resource_id: resource(name),
        client_id: ClientId::parse(&format!("client-{name}")).unwrap(),
    };
    identity(namespace, name, kind)
}

pub(crate) fn principal(namespace: &str, name: &str) -> Identity {
    let kind = IdentityKind::ServicePrincipal {
        client_id: ClientId::parse(&format!("client-{name}")).unwrap(),
        tenant: "tenant.example".into(),
        secret: "secret".into(),
        credential: CredentialKind::Password,
        authority: None,
        auxiliary_tenants: Vec::new(),
    };
    identity(namespace, name, kind)
}

fn identity(namespace: &str, name: &str, kind: IdentityKind) -> Identity {
    let id = ObjectRef::new(namespace, name);
    Identity { uid: Uid::new(format!("{id}")), id, spec_hash: 1, kind: Ok(kind), namespaced: false }
}

pub(crate) fn binding(namespace: &str, name: &str, identity: &str, selector: &str) -> Binding {
    let id = ObjectRef::new(namespace, name);
    let uid = Uid::new(format!("{id}"));
    Binding { id, uid, spec_hash: 1, identity: identity.into(), selector: selector.into() }
}
