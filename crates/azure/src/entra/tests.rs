use std::collections::BTreeMap;

use super::*;
use crate::fake::{Fake, answer, client, token};

fn query(fake: &Fake) -> EntraQuery {
    EntraQuery {
        authority: Authority::fake(&fake.address.to_string()),
        tenant: "tenant".to_owned(),
        client_id: "app".to_owned(),
        resource: "https://vault.azure.net".to_owned(),
    }
}

fn form(body: &str) -> BTreeMap<String, String> {
    form_urlencoded::parse(body.as_bytes()).into_owned().collect()
}

async fn sent(proof: Proof) -> BTreeMap<String, String> {
    let fake = Fake::start(|_, _| token("t0ken")).await;
    let token = Entra::new(client()).token(&query(&fake), &proof).await.unwrap();
    assert_eq!(token.access_token.expose_secret(), "t0ken");
    let seen = &fake.seen()[0];
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", "/tenant/oauth2/token"));
    assert_eq!(seen.headers["content-type"], "application/x-www-form-urlencoded");
    let form = form(&seen.body);
    assert_eq!((form["grant_type"].as_str(), form["client_id"].as_str()), ("client_credentials", "app"));
    assert_eq!(form["resource"], "https://vault.azure.net");
    form
}

#[tokio::test]
async fn a_secret_is_sent_in_the_form() {
    let form = sent(Proof::Secret(SecretString::from("s3cret&=+"))).await;
    assert_eq!(form["client_secret"], "s3cret&=+");
    assert!(!form.contains_key("client_assertion"));
}

#[tokio::test]
async fn a_certificate_signs_an_assertion() {
    let pem = include_bytes!("testdata/certificate.pem");
    let certificate = Certificate::from_pem(pem, certificate::Scheme::Ps256).unwrap();
    let form = sent(Proof::Certificate(certificate)).await;
    assert_eq!(form["client_assertion_type"], "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    assert_eq!(form["client_assertion"].split('.').count(), 3);
    assert!(!form.contains_key("client_secret"));
}

#[tokio::test]
async fn a_token_file_is_read_anew_for_each_request() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token");
    for text in ["first", "second\n"] {
        std::fs::write(&path, text).unwrap();
        let form = sent(Proof::TokenFile(path.clone())).await;
        assert_eq!(form["client_assertion"], text.trim());
    }
    std::fs::write(&path, "").unwrap();
    let fake = Fake::start(|_, _| token("t")).await;
    let error = Entra::new(client()).token(&query(&fake), &Proof::TokenFile(path)).await.unwrap_err();
    assert!(matches!(&error, Error::Proof(text) if text.contains("is empty")), "{error}");
    assert!(fake.seen().is_empty());
}

/// W-03.
#[tokio::test]
async fn a_redirect_never_carries_the_secret_on() {
    let fake = Fake::start(|_, _| answer(307, &[("location", "/evil")], "")).await;
    let proof = Proof::Secret(SecretString::from("s3cret"));
    let error = Entra::new(client()).token(&query(&fake), &proof).await.unwrap_err();
    assert!(matches!(error, Error::Refused { status: 307, .. }), "{error}");
    assert_eq!(fake.seen().len(), 1);
}

#[tokio::test]
async fn a_tenant_that_leads_elsewhere_is_not_asked() {
    let fake = Fake::start(|_, _| token("t")).await;
    let proof = Proof::Secret(SecretString::from("s3cret"));
    for tenant in ["", "..", "a/b", "a?b", "a#b", "a b", "a%2Fb"] {
        let query = EntraQuery { tenant: tenant.to_owned(), ..query(&fake) };
        let error = Entra::new(client()).token(&query, &proof).await.unwrap_err();
        assert!(matches!(error, Error::Proof(_)), "{tenant}");
    }
    assert!(fake.seen().is_empty());
}

#[test]
fn debug_shows_no_secret() {
    let proof = Proof::Secret(SecretString::from("s3cret"));
    assert!(!format!("{proof:?}").contains("s3cret"));
}
