//! Do the clients work against an Azure that was written from Microsoft's pages and knows nothing of them?
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "what the cases share is test code, though not marked with #[test]"
)]

mod scene;

use std::time::Duration;

use podid_azure::arm::{Arm, Error, Progress};
use podid_azure::cloud::Cloud;
use podid_azure::credential::Credential;
use podid_azure::entra::certificate::Scheme;
use podid_azure::entra::{self, Certificate, Entra, Proof};
use podid_azure::http::{Client, Settings};
use podid_azure::imds::{self, Imds, ImdsQuery, Selector};
use podid_core::assign::{Kind, Patch};
use podid_core::ids::{ClientId, ComputeId, IdentityResourceId};
use secrecy::SecretString;

use scene::{CERTIFICATE, PFX, SECRET, Scene, laid, play};

const VAULT: &str = "https://vault.azure.net";

fn http() -> Client {
    Client::new(Settings::new("podid-tests"))
}

fn principal(scene: &Scene, proof: Proof) -> Credential {
    let entra = Entra::new(http());
    Credential::service_principal(entra, &Cloud::public(), &scene.tenant, &scene.application, proof)
}

fn with_secret(scene: &Scene) -> Credential {
    principal(scene, Proof::Secret(SecretString::from(SECRET)))
}

#[tokio::test]
async fn a_service_principal_proves_itself_with_its_secret() {
    let Some(scene) = laid() else {
        return play("a_service_principal_proves_itself_with_its_secret").await;
    };
    let served = with_secret(&scene).token(VAULT).await.unwrap();
    assert_eq!((served.value.resource.as_str(), served.value.token_type.as_str()), (VAULT, "Bearer"));
    let wrong = principal(&scene, Proof::Secret(SecretString::from("wrong")));
    let error = wrong.token(VAULT).await.unwrap_err().to_string();
    assert!(error.contains("AADSTS7000215") && error.contains("client secret is wrong"), "{error}");
}

#[tokio::test]
async fn a_service_principal_proves_itself_with_its_certificate() {
    let Some(scene) = laid() else {
        return play("a_service_principal_proves_itself_with_its_certificate").await;
    };
    for scheme in [Scheme::Ps256, Scheme::Rs256] {
        let pem = Certificate::from_pem(CERTIFICATE, scheme).unwrap();
        let pfx = Certificate::read(PFX, Some(&SecretString::from("s3cret")), scheme).unwrap();
        for certificate in [pem, pfx] {
            let served = principal(&scene, Proof::Certificate(certificate)).token(VAULT).await.unwrap();
            assert!(served.left > Duration::from_mins(30), "{scheme:?}");
        }
    }
}

#[tokio::test]
async fn an_unknown_resource_is_refused_with_its_number() {
    let Some(scene) = laid() else {
        return play("an_unknown_resource_is_refused_with_its_number").await;
    };
    let error = with_secret(&scene).token("https://nowhere.example").await.unwrap_err().to_string();
    assert!(error.contains("AADSTS500011"), "{error}");
    let imds = Imds::new(http(), &scene.imds);
    let query =
        ImdsQuery { resource: "https://nowhere.example".to_owned(), by: Selector::None, fresh: false };
    let error = imds.token(&query).await.unwrap_err();
    assert!(matches!(error, imds::Error::Refused { .. }), "{error}");
}

#[tokio::test]
async fn the_machine_gives_tokens_of_what_is_on_it() {
    let Some(scene) = laid() else {
        return play("the_machine_gives_tokens_of_what_is_on_it").await;
    };
    let imds = Imds::new(http(), &scene.imds);
    let ask = |by| ImdsQuery { resource: VAULT.to_owned(), by, fresh: true };
    let node = ClientId::parse(&scene.node_identity).unwrap();
    let token = imds.token(&ask(Selector::ClientId(node.clone()))).await.unwrap();
    assert_eq!((token.client_id, token.resource.as_str()), (Some(node), VAULT));
    let spare = IdentityResourceId::parse(&scene.spare_identity).unwrap();
    let error = imds.token(&ask(Selector::ResourceId(spare))).await.unwrap_err();
    assert!(matches!(error, imds::Error::IdentityNotFound), "{error}");
}

#[tokio::test]
async fn an_identity_is_put_on_a_scale_set_and_taken_off() {
    let Some(scene) = laid() else {
        return play("an_identity_is_put_on_a_scale_set_and_taken_off").await;
    };
    let arm = Arm::new(http(), &Cloud::public(), with_secret(&scene));
    let target = ComputeId::scale_set(&scene.subscription, "nodes", &scene.scale_set);
    let spare = IdentityResourceId::parse(&scene.spare_identity).unwrap();

    let before = arm.identities(&target).await.unwrap();
    assert!(!before.present.identities.contains_key(&spare) && before.present.identities.len() == 1);
    let add = Patch { kind: Kind::User, add: vec![spare.clone()], remove: vec![] };
    let Progress::Running(operation) = arm.submit(&target, &add, before.etag.as_deref()).await.unwrap()
    else {
        panic!("the assignment was to take a while")
    };
    arm.finish(&target, operation, &add).await.unwrap();
    let after = arm.identities(&target).await.unwrap();
    assert_eq!(after.present.identities[&spare], ClientId::parse(&scene.spare_client).ok());

    let imds = Imds::new(http(), &scene.imds);
    let query =
        ImdsQuery { resource: VAULT.to_owned(), by: Selector::ResourceId(spare.clone()), fresh: false };
    imds.token(&query).await.unwrap();

    let remove = Patch { kind: Kind::User, add: vec![], remove: vec![spare.clone()] };
    let stale = arm.apply(&target, &remove, before.etag.as_deref()).await.unwrap_err();
    assert!(matches!(stale, Error::Conflict { .. }), "{stale}");
    arm.apply(&target, &remove, after.etag.as_deref()).await.unwrap();
    assert_eq!(arm.identities(&target).await.unwrap().present, before.present);
}

#[tokio::test]
async fn a_missing_identity_is_blamed_alone() {
    let Some(scene) = laid() else { return play("a_missing_identity_is_blamed_alone").await };
    let arm = Arm::new(http(), &Cloud::public(), with_secret(&scene));
    let target = ComputeId::scale_set(&scene.subscription, "nodes", &scene.scale_set);
    let spare = IdentityResourceId::parse(&scene.spare_identity).unwrap();
    let missing =
        IdentityResourceId::parse(&scene.spare_identity.replace("spare(1)", "spare(1).gone")).unwrap();
    let patch = Patch { kind: Kind::User, add: vec![spare, missing.clone()], remove: vec![] };
    let error = arm.apply(&target, &patch, None).await.unwrap_err();
    let Error::Identities { identities, .. } = error else { panic!("{error:?}") };
    assert_eq!(identities, [missing]);
}

#[tokio::test]
async fn machines_are_listed_and_missing_ones_are_told() {
    let Some(scene) = laid() else {
        return play("machines_are_listed_and_missing_ones_are_told").await;
    };
    let arm = Arm::new(http(), &Cloud::public(), with_secret(&scene));
    assert_eq!(arm.virtual_machines(&scene.subscription, "nodes").await.unwrap(), ["vm-a"]);
    let nobody = ComputeId::virtual_machine(&scene.subscription, "nodes", "nobody");
    assert!(matches!(arm.identities(&nobody).await, Err(Error::NotFound { .. })));
    let elsewhere = ComputeId::virtual_machine(&scene.subscription, "other", "vm");
    assert!(arm.identities(&elsewhere).await.is_err());
}

#[tokio::test]
async fn a_token_of_another_issuer_that_entra_does_not_know_is_refused() {
    let name = "a_token_of_another_issuer_that_entra_does_not_know_is_refused";
    let Some(scene) = laid() else { return play(name).await };
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "e30.e30.e30").unwrap();
    let proof = Proof::TokenFile(file.path().to_owned());
    let error = principal(&scene, proof).token(VAULT).await.unwrap_err();
    let podid_azure::tokens::Failure::Source { error, .. } = error else { panic!("{error}") };
    let podid_azure::credential::Error::Entra(entra::Error::Refused { .. }) = &*error else {
        panic!("{error}")
    };
}
