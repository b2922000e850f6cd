use std::sync::Mutex;

use secrecy::{ExposeSecret, SecretString};

use super::*;
use crate::cloud::{Authority, Endpoints};
use crate::fake::{Fake, client, token};

const RESOURCE: &str = "https://management.azure.com/";

async fn numbered() -> Fake {
    let count = Mutex::new(0);
    Fake::start(move |_, _| {
        let mut count = count.lock().unwrap();
        *count += 1;
        token(&count.to_string())
    })
    .await
}

fn cloud(fake: &Fake) -> Cloud {
    let authority = Authority::fake(&fake.address.to_string());
    Cloud {
        name: "Fake".to_owned(),
        endpoints: Endpoints { resource_manager: RESOURCE.to_owned(), authority },
    }
}

fn login(fake: &Fake, login: &Login) -> Credential {
    Credential::new(login, &cloud(fake), Imds::new(client(), fake.url()), Entra::new(client()))
}

#[tokio::test]
async fn the_configuration_chooses_the_source() {
    let principal = || Login::ServicePrincipal {
        tenant: "t".to_owned(),
        client_id: "app".to_owned(),
        secret: SecretString::from("s3cret"),
    };
    let cases = [
        (Login::ManagedIdentity(None), "/metadata/identity/oauth2/token?", None),
        (
            Login::ManagedIdentity(ClientId::parse("c-1").ok()),
            "/metadata/identity/oauth2/token?",
            Some("client_id=c-1"),
        ),
        (principal(), "/t/oauth2/token", None),
    ];
    for (how, route, selector) in cases {
        let fake = numbered().await;
        login(&fake, &how).token(RESOURCE).await.unwrap();
        let seen = &fake.seen()[0];
        assert!(seen.target.starts_with(route), "{}", seen.target);
        assert_eq!(seen.target.contains("client_id="), selector.is_some());
        assert!(selector.is_none_or(|selector| seen.target.contains(selector)));
        let asked = format!("{}{}", seen.target, seen.body);
        assert!(asked.contains("resource=https%3A%2F%2Fmanagement.azure.com%2F"), "{asked}");
    }
}

#[tokio::test]
async fn a_token_is_kept_until_its_audience_refuses_it() {
    let fake = numbered().await;
    let credential = login(&fake, &Login::ManagedIdentity(None));
    let first = credential.token(RESOURCE).await.unwrap();
    assert!(credential.clone().token(RESOURCE).await.unwrap().cached);
    credential.refused(RESOURCE, &first.value);
    let second = credential.token(RESOURCE).await.unwrap();
    assert_eq!(second.value.access_token.expose_secret(), "2");
    assert_eq!(fake.seen().len(), 2);
}

#[tokio::test]
async fn a_token_file_is_exchanged() {
    let fake = numbered().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "assertion").unwrap();
    let path = file.path().to_owned();
    let credential = Credential::token_file(Entra::new(client()), &cloud(&fake), "t", "app", path);
    credential.token(RESOURCE).await.unwrap();
    assert!(fake.seen()[0].body.contains("client_assertion=assertion"));
}

#[tokio::test]
async fn debug_and_errors_show_no_secret() {
    let fake = Fake::start(|seen, _| crate::fake::answer(400, &[], seen.body.clone())).await;
    let secret = SecretString::from("s3cret");
    let how = Login::ServicePrincipal { tenant: "t".to_owned(), client_id: "app".to_owned(), secret };
    let credential = login(&fake, &how);
    let error = credential.token(RESOURCE).await.unwrap_err();
    assert!(!format!("{credential:?} {error:?} {error} {how:?}").contains("s3cret"));
}

#[tokio::test]
async fn a_replaced_credential_gives_no_token_of_before_also_to_those_who_had_it() {
    let (before, after) = (numbered().await, Fake::start(|_, _| token("new")).await);
    let credential = login(&before, &Login::ManagedIdentity(None));
    let clone = credential.clone();
    assert_eq!(clone.token(RESOURCE).await.unwrap().value.access_token.expose_secret(), "1");
    credential.replace(&login(&after, &Login::ManagedIdentity(None)));
    assert_eq!(clone.token(RESOURCE).await.unwrap().value.access_token.expose_secret(), "new");
    assert_eq!(before.seen().len(), 1);
}
