//! What is this `AzureIdentity`?

use std::sync::Arc;

use podid_core::facts::{CredentialKind, Identity, IdentityKind, InvalidIdentity};
use podid_core::ids::{ClientId, IdentityResourceId, ObjectRef, Uid};

use super::hash::SpecHash;
use super::{Unusable, filled, object_ref, uid};
use crate::crd::{AzureIdentity, AzureIdentitySpec, BEHAVIOR_ANNOTATION};

/// The fact that `object` states.
pub fn identity(object: &AzureIdentity) -> Result<Identity, Unusable> {
    Ok(fact(object, object_ref(&object.metadata)?, uid(&object.metadata)?))
}

/// The fact that the copy `object` in an assignment states; a copy made by hand may lack a uid.
pub(super) fn copied(object: &AzureIdentity) -> Result<Identity, Unusable> {
    let uid = Uid::new(object.metadata.uid.as_deref().unwrap_or_default());
    Ok(fact(object, object_ref(&object.metadata)?, uid))
}

fn fact(object: &AzureIdentity, id: ObjectRef, uid: Uid) -> Identity {
    let behavior = object.metadata.annotations.as_ref().and_then(|all| all.get(BEHAVIOR_ANNOTATION));
    let namespaced = behavior.is_some_and(|value| value == "namespaced");
    Identity {
        spec_hash: spec_hash(&object.spec, namespaced),
        kind: kind(&object.spec, &id.namespace),
        namespaced,
        uid,
        id,
    }
}

fn kind(spec: &AzureIdentitySpec, namespace: &str) -> Result<IdentityKind, InvalidIdentity> {
    let client_id = || ClientId::parse(spec.client_id.as_deref().unwrap_or_default());
    match spec.type_.unwrap_or(0) {
        0 => Ok(IdentityKind::Managed {
            resource_id: IdentityResourceId::parse(spec.resource_id.as_deref().unwrap_or_default())?,
            client_id: client_id()?,
        }),
        1 => service_principal(spec, namespace, client_id()?, CredentialKind::Password),
        2 => service_principal(spec, namespace, client_id()?, CredentialKind::Certificate),
        other => Err(InvalidIdentity::Type(other)),
    }
}

fn service_principal(
    spec: &AzureIdentitySpec,
    namespace: &str,
    client_id: ClientId,
    credential: CredentialKind,
) -> Result<IdentityKind, InvalidIdentity> {
    let tenant = filled(spec.tenant_id.as_deref()).ok_or(InvalidIdentity::Missing("tenantID"))?;
    if !is_tenant(tenant) {
        return Err(InvalidIdentity::Tenant(tenant.to_owned()));
    }
    let reference = spec.client_password.as_ref().ok_or(InvalidIdentity::Missing("clientPassword"))?;
    let secret = filled(reference.name.as_deref()).ok_or(InvalidIdentity::Missing("clientPassword.name"))?;
    if let Some(elsewhere) = filled(reference.namespace.as_deref()).filter(|other| *other != namespace) {
        return Err(InvalidIdentity::SecretElsewhere(elsewhere.to_owned()));
    }
    Ok(IdentityKind::ServicePrincipal {
        client_id,
        tenant: tenant.into(),
        secret: secret.into(),
        credential,
        authority: filled(spec.ad_endpoint.as_deref()).map(Arc::from),
        auxiliary_tenants: auxiliary_tenants(spec)?,
    })
}

fn auxiliary_tenants(spec: &AzureIdentitySpec) -> Result<Vec<Arc<str>>, InvalidIdentity> {
    let tenants = spec.auxiliary_tenant_ids.iter().flatten();
    tenants
        .map(|tenant| {
            if is_tenant(tenant) {
                Ok(tenant.as_str().into())
            } else {
                Err(InvalidIdentity::Tenant(tenant.clone()))
            }
        })
        .collect()
}

/// A GUID or a domain name: nothing that could leave its segment of an authority's URL (W-03).
/// A GUID is a label of letters, digits and hyphens; so one rule fits both but for the dot.
fn is_tenant(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let domain = text.len() <= 253 && text.contains('.') && text.split('.').all(label);
    domain || is_guid(text)
}

fn is_guid(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
        && parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Over the fields that have an effect. Absent, empty and zero are one: Go clients, also the one
/// that wrote the copies in old assignments, drop what is empty.
fn spec_hash(spec: &AzureIdentitySpec, namespaced: bool) -> u64 {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let secret = spec.client_password.clone().unwrap_or_default();
    let hash = SpecHash::new()
        .field(&spec.type_.unwrap_or(0).to_string())
        .field(&text(&spec.resource_id))
        .field(&text(&spec.client_id))
        .field(&text(&secret.name))
        .field(&text(&secret.namespace))
        .field(&text(&spec.tenant_id))
        .field(&text(&spec.ad_endpoint))
        .field(if namespaced { "namespaced" } else { "" });
    spec.auxiliary_tenant_ids.iter().flatten().fold(hash, |hash, tenant| hash.field(tenant)).finish()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::needless_pass_by_value)] // `json!` in place reads better than a reference to it.
    use podid_core::ids::InvalidId;
    use serde_json::{Value, json};

    use super::*;

    const RESOURCE: &str =
        "/subscriptions/s/resourcegroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/app";
    const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";

    fn read(spec: Value) -> Identity {
        let metadata = json!({"namespace": "shop", "name": "id", "uid": "u1"});
        identity(&serde_json::from_value(json!({"metadata": metadata, "spec": spec})).unwrap()).unwrap()
    }

    fn principal(changes: Value) -> Value {
        let mut spec = json!({
            "type": 1, "clientID": "c", "tenantID": TENANT,
            "clientPassword": {"name": "secret", "namespace": "shop"}
        });
        json_patch::merge(&mut spec, &changes);
        spec
    }

    #[test]
    fn type_absent_is_a_managed_identity() {
        let kind = read(json!({"resourceID": RESOURCE, "clientID": " C-1 "})).kind.unwrap();
        assert_eq!(kind.resource_id().unwrap().name(), "app");
        assert_eq!(kind.client_id(), &ClientId::parse("c-1").unwrap());
    }

    #[test]
    fn types_one_and_two_are_service_principals() {
        for (type_, expected) in [(1, CredentialKind::Password), (2, CredentialKind::Certificate)] {
            let spec = principal(json!({"type": type_, "adEndpoint": "https://login.microsoftonline.us/"}));
            let Ok(IdentityKind::ServicePrincipal { credential, tenant, secret, authority, .. }) =
                read(spec).kind
            else {
                unreachable!("type {type_}")
            };
            assert_eq!((credential, &*tenant, &*secret), (expected, TENANT, "secret"));
            assert_eq!(authority.as_deref(), Some("https://login.microsoftonline.us/"));
        }
    }

    /// W-02.
    #[test]
    fn a_spec_that_cannot_be_used_says_why() {
        let cases = [
            (json!({}), InvalidIdentity::Id(InvalidId::Identity(String::new()))),
            (
                json!({"resourceID": "https://evil/x", "clientID": "c"}),
                InvalidIdentity::Id(InvalidId::Identity("https://evil/x".into())),
            ),
            (json!({"resourceID": RESOURCE}), InvalidIdentity::Id(InvalidId::Empty("client id"))),
            (json!({"type": 3, "clientID": "c"}), InvalidIdentity::Type(3)),
            (json!({"type": -1}), InvalidIdentity::Type(-1)),
            (principal(json!({"clientID": ""})), InvalidIdentity::Id(InvalidId::Empty("client id"))),
            (principal(json!({"tenantID": ""})), InvalidIdentity::Missing("tenantID")),
            (principal(json!({"clientPassword": null})), InvalidIdentity::Missing("clientPassword")),
            (
                principal(json!({"clientPassword": {"name": null}})),
                InvalidIdentity::Missing("clientPassword.name"),
            ),
            (
                principal(json!({"clientPassword": {"namespace": "kube-system"}})),
                InvalidIdentity::SecretElsewhere("kube-system".into()),
            ),
            (principal(json!({"tenantID": "../evil"})), InvalidIdentity::Tenant("../evil".into())),
            (principal(json!({"auxiliaryTenantIDs": ["a/b"]})), InvalidIdentity::Tenant("a/b".into())),
        ];
        for (spec, expected) in cases {
            assert_eq!(read(spec.clone()).kind, Err(expected), "{spec}");
        }
    }

    #[test]
    fn a_tenant_is_a_guid_or_a_domain_and_nothing_that_leaves_a_path() {
        for good in [TENANT, "contoso.onmicrosoft.com", "a-b.example"] {
            assert!(is_tenant(good), "{good}");
        }
        for bad in
            ["", ".", "..", "a..b", "common", "a.b/", "a.b?x", "a.b#", "a b.c", "-a.b", "a.b@c.d", "ä.de"]
        {
            assert!(!is_tenant(bad), "{bad}");
        }
    }

    #[test]
    fn no_namespace_for_the_secret_means_the_identitys_own() {
        assert!(read(principal(json!({"clientPassword": {"namespace": null}}))).kind.is_ok());
        assert!(read(principal(json!({"clientPassword": {"namespace": ""}}))).kind.is_ok());
    }

    #[test]
    fn the_hash_changes_with_what_has_an_effect_and_with_nothing_else() {
        let base = json!({"resourceID": RESOURCE, "clientID": "c"});
        let hash = |changes: Value| {
            let mut spec = base.clone();
            json_patch::merge(&mut spec, &changes);
            read(spec).spec_hash
        };
        let unchanged = hash(json!({}));
        // What Go clients write or leave out at will, and dead fields.
        for same in [
            json!({"type": 0, "tenantID": "", "adEndpoint": "", "clientPassword": {}}),
            json!({"metadata": {"creationTimestamp": null}, "replicas": 2, "adResourceID": "x"}),
            json!({"auxiliaryTenantIDs": []}),
        ] {
            assert_eq!(hash(same.clone()), unchanged, "{same}");
        }
        for other in [
            json!({"type": 1}),
            json!({"clientID": "d"}),
            json!({"resourceID": "x"}),
            json!({"tenantID": "t"}),
            json!({"adEndpoint": "e"}),
            json!({"clientPassword": {"name": "n"}}),
            json!({"auxiliaryTenantIDs": [""]}),
        ] {
            assert_ne!(hash(other.clone()), unchanged, "{other}");
        }
    }

    #[test]
    fn the_behavior_annotation_limits_an_identity_if_it_says_exactly_namespaced() {
        for (value, expected) in [("namespaced", true), ("Namespaced", false), ("", false)] {
            let mut object = AzureIdentity::new("id", AzureIdentitySpec::default());
            object.metadata.namespace = Some("shop".into());
            object.metadata.uid = Some("u".into());
            object.metadata.annotations = Some([(BEHAVIOR_ANNOTATION.to_owned(), value.to_owned())].into());
            assert_eq!(identity(&object).unwrap().namespaced, expected, "{value:?}");
        }
    }

    #[test]
    fn an_object_without_a_name_is_unusable() {
        let object = AzureIdentity::new("", AzureIdentitySpec::default());
        assert_eq!(identity(&object), Err(Unusable::Missing("metadata.namespace")));
    }
}
