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
