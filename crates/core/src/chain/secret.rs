//! Can the credential of a service principal be used?

use super::scene::Seen;
use super::walk::View;
use super::{Cross, Outcome, mend};
use crate::adopt::{Object, Product};
use crate::facts::{CredentialKind, IdentityKind};
use crate::ids::ObjectRef;
use crate::refusal::Cause;
use crate::select::Grant;

pub(super) fn look(view: &View<'_>, grant: &Grant<'_>) -> Outcome {
    let Ok(IdentityKind::ServicePrincipal { secret, credential, authority, .. }) = &grant.identity.kind
    else {
        return Outcome::Spared("it is no service principal".to_owned());
    };
    let id = ObjectRef::new(grant.identity.id.namespace.clone(), secret.clone());
    let object = || Object::new("Secret", &id);
    let astray = authority.as_deref().and_then(|authority| astray(view, grant, authority));
    if let Some(cross) = astray.or_else(|| forbidden(view, &id)) {
        return cross.into();
    }
    let known = match view.index.scene.secrets.get(&id) {
        Some(Seen::Known(known)) => known,
        Some(Seen::Unseen(why)) => return Outcome::Unseen(why.to_string()),
        None => return Outcome::Unseen(format!("Secret {id} was not looked at")),
    };
    let Some(known) = known else {
        let missing = format!("Secret {id} of AzureIdentity {} does not exist", grant.identity.id);
        return Cross::new(Cause::IdentityUnusable, missing)
            .in_object(object())
            .mended_by([create(&id, *credential)])
            .into();
    };
    if credential.key(known.keys.iter().map(AsRef::as_ref)).is_some() {
        return Outcome::Holds(format!("Secret {id} is there, with a key that NMI reads"));
    }
    let keys: Vec<_> = known.keys.iter().map(|key| &**key).collect();
    let has = if keys.is_empty() { "is empty".to_owned() } else { format!("has {} only", keys.join(", ")) };
    Cross::new(Cause::IdentityUnusable, format!("Secret {id} has no key {}: it {has}", credential.key_name()))
        .in_object(object())
        .mended_by([create(&id, *credential)])
        .into()
}

/// Makes the Secret, or puts the key into it.
fn create(id: &ObjectRef, credential: CredentialKind) -> String {
    let (namespace, name) = (mend::word(&id.namespace), mend::word(&id.name));
    let value = match credential {
        CredentialKind::Password => "--from-literal=clientSecret=SECRET",
        CredentialKind::Certificate => "--from-file=certificate=FILE --from-literal=password=PASSWORD",
    };
    format!(
        "kubectl create secret generic {name} -n {namespace} {value} --dry-run=client -o yaml | kubectl apply -f -"
    )
}

/// Whether NMI may not read the Secret.
fn forbidden(view: &View<'_>, id: &ObjectRef) -> Option<Cross> {
    let agents = view.pod.fact.node.as_ref().map_or(&[][..], |node| view.index.agents(node));
    let account = agents.iter().find(|one| one.workload.product() == Product::Podid)?.account();
    let reads = (account.clone(), id.namespace.clone());
    let lacks = view.index.scene.secret_rights.get(&reads)?.known().filter(|lacks| !lacks.is_empty())?;
    let namespace = mend::word(&id.namespace);
    let own = if &*account.namespace == "default" {
        String::new()
    } else {
        format!(" -n {}", mend::word(&account.namespace))
    };
    let missing =
        format!("ServiceAccount {account} of NMI may not {} in namespace {}", lacks.join(", "), id.namespace);
    Some(
        Cross::new(Cause::IdentityUnusable, missing)
            .in_object(Object::new("Secret", id))
            .mended_by([format!("podid manifests secret-access{own} | kubectl apply -n {namespace} -f -")]),
    )
}

/// Whether NMI refuses to send the credential where the identity wants it sent.
fn astray(view: &View<'_>, grant: &Grant<'_>, authority: &str) -> Option<Cross> {
    let why = view.index.scene.refused_authorities.get(authority)?;
    let missing = format!("spec.adEndpoint of AzureIdentity {}: {why}", grant.identity.id);
    Some(
        Cross::new(Cause::IdentityUnusable, missing)
            .in_object(Object::new("AzureIdentity", &grant.identity.id))
            .with_caution("without it, Entra of NMI's own cloud is asked")
            .mended_by([mend::patch("azureidentity", &grant.identity.id, r#"{"spec":{"adEndpoint":null}}"#)]),
    )
}
