//! Pods, identities, bindings and assignments, each named after what it belongs to.

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::Timestamp;
use podid_core::facts::{
    Assignment, AssignmentState, Binding, CredentialKind, Exception, Identity, IdentityKind, Phase, Pod,
};
use podid_core::ids::{ClientId, IdentityResourceId, NodeName, ObjectRef, Uid};

use super::START;

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A pod that has just started, labelled with its own name.
pub(crate) fn pod(namespace: &str, name: &str, address: &str) -> Pod {
    Pod {
        id: ObjectRef::new(namespace, name),
        uid: Uid::new(format!("uid-of-{namespace}-{name}")),
        node: Some(NodeName::new("node-1")),
        labels: BTreeMap::from([("aadpodidbinding".into(), name.into())]),
        addresses: vec![ip(address)],
        phase: Phase::Running,
        host_network: false,
        terminating: false,
        started: Some(Timestamp::from_second(START).unwrap()),
    }
}

/// A pod that started long ago, so that nothing is on its way any more.
pub(crate) fn old_pod(namespace: &str, name: &str, address: &str) -> Pod {
    Pod { started: Some(Timestamp::from_second(START - 3600).unwrap()), ..pod(namespace, name, address) }
}

pub(crate) fn resource_id(name: &str) -> IdentityResourceId {
    IdentityResourceId::parse(&format!(
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}"
    ))
    .unwrap()
}

pub(crate) fn client_id(name: &str) -> String {
    format!("00000000-0000-0000-0000-client-{name}")
}

/// A managed identity with resource id and client id of its name.
pub(crate) fn identity(namespace: &str, name: &str) -> Identity {
    let client_id = ClientId::parse(&client_id(name)).unwrap();
    Identity {
        id: ObjectRef::new(namespace, name),
        uid: Uid::new(format!("uid-of-{namespace}-{name}")),
        spec_hash: 1,
        kind: Ok(IdentityKind::Managed { resource_id: resource_id(name), client_id }),
        namespaced: false,
    }
}

pub(crate) fn service_principal(namespace: &str, name: &str, authority: Option<&str>) -> Identity {
    let kind = IdentityKind::ServicePrincipal {
        client_id: ClientId::parse(&client_id(name)).unwrap(),
        tenant: "contoso.example".into(),
        secret: "credential".into(),
        credential: CredentialKind::Password,
        authority: authority.map(Into::into),
        auxiliary_tenants: Vec::new(),
    };
    Identity { kind: Ok(kind), ..identity(namespace, name) }
}

/// A binding of its name as selector.
pub(crate) fn binding(namespace: &str, name: &str, identity: &str) -> Binding {
    Binding {
        id: ObjectRef::new(namespace, name),
        uid: Uid::new("uid"),
        spec_hash: 1,
        identity: identity.into(),
        selector: name.into(),
    }
}

/// The assignment of `namespace`'s identity to its pod `pod`.
pub(crate) fn assignment(namespace: &str, pod: &str, name: &str, state: AssignmentState) -> Assignment {
    assignment_of(identity(namespace, name), pod, state)
}

pub(crate) fn assignment_of(identity: Identity, pod: &str, state: AssignmentState) -> Assignment {
    let namespace = identity.id.namespace.clone();
    let name = identity.id.name.clone();
    Assignment {
        id: ObjectRef::new("default", format!("{pod}-{namespace}-{name}")),
        uid: Uid::new("uid"),
        pod: ObjectRef::new(namespace.clone(), pod),
        node: NodeName::new("node-1"),
        binding: Binding { selector: pod.into(), ..binding(&namespace, &name, &name) },
        identity,
        state,
        created: None,
        terminating: false,
    }
}

pub(crate) fn exception(namespace: &str, label: &str, value: &str) -> Exception {
    Exception {
        id: ObjectRef::new(namespace, "exception"),
        pod_labels: BTreeMap::from([(label.into(), value.into())]),
    }
}
