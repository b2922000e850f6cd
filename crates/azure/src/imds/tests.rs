use std::time::Duration;

use podid_core::ids::{ClientId, IdentityResourceId, PrincipalId};
use secrecy::ExposeSecret;

use super::*;
use crate::fake::{Fake, Reply, answer, client, token};

const ID: &str =
    "/subscriptions/s/resourcegroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/a(1)";

fn query(by: Selector) -> ImdsQuery {
    ImdsQuery { resource: "https://vault.azure.net/?a&b".to_owned(), by, fresh: false }
}

#[tokio::test]
async fn asks_as_the_protocol_wants_it() {
    let cases = [
        (
            Selector::ResourceId(IdentityResourceId::parse(ID).unwrap()),
            "&msi_res_id=%2Fsubscriptions%2Fs%2Fresourcegroups%2Fg%2Fproviders%2FMicrosoft.ManagedIdentity%2F\
             userAssignedIdentities%2Fa%281%29",
        ),
        (Selector::ClientId(ClientId::parse("c").unwrap()), "&client_id=c"),
        (Selector::ObjectId(PrincipalId::parse("o").unwrap()), "&object_id=o"),
        (Selector::None, ""),
    ];
    let fake = Fake::start(|_, _| token("t0ken")).await;
    let imds = Imds::new(client(), fake.url());
    for (number, (by, suffix)) in cases.into_iter().enumerate() {
        let token = imds.token(&query(by)).await.unwrap();
        assert_eq!(token.access_token.expose_secret(), "t0ken");
        assert_eq!(token.client_id, ClientId::parse("c-1").ok());
        let seen = &fake.seen()[number];
        let route = "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fvault.azure.net%2F%3Fa%26b";
        assert_eq!((seen.method.as_str(), &seen.target), ("GET", &format!("{route}{suffix}")));
        assert_eq!(seen.headers["metadata"], "true");
    }
}

#[tokio::test]
async fn a_throttled_machine_learns_how_long() {
    let date = "Fri, 01 Jan 2100 00:00:00 GMT";
    for (value, at_least) in [("7", 7), (date, 3600)] {
        let fake = Fake::start(move |_, _| answer(429, &[("retry-after", value)], "")).await;
        let error = Imds::new(client(), fake.url()).token(&query(Selector::None)).await.unwrap_err();
        assert!(matches!(error, Error::Throttled { .. }));
        assert!(error.retry_after().is_some_and(|wait| wait >= Duration::from_secs(at_least)), "{value}");
    }
}

#[tokio::test]
async fn broken_answers_are_trouble_and_not_tried_again_here() {
    let faults: [fn() -> Reply; 3] =
        [|| Reply::Close, || Reply::Half, || answer(200, &[], "{\"access_token\":")];
    for fault in faults {
        let fake = Fake::start(move |_, _| fault()).await;
        let error = Imds::new(client(), fake.url()).token(&query(Selector::None)).await.unwrap_err();
        assert!(matches!(error, Error::Unavailable { .. }), "{error}");
        assert_eq!(fake.seen().len(), 1);
    }
}

#[tokio::test]
async fn a_pass_through_changes_nothing() {
    let fake = Fake::start(|_, _| answer(404, &[("server", "IMDS")], "as it is")).await;
    let imds = Imds::new(client(), format!("{}/", fake.url()));
    let headers = HeaderMap::from_iter([(http::header::ACCEPT, HeaderValue::from_static("x/y"))]);
    let answer = imds.get("/metadata/instance?api-version=2017-08-01&x=%20", headers).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.body().as_ref()), (404, b"as it is".as_ref()));
    assert_eq!(answer.headers()["server"], "IMDS");
    let seen = &fake.seen()[0];
    assert_eq!(seen.target, "/metadata/instance?api-version=2017-08-01&x=%20");
    assert_eq!(
        (&seen.headers["accept"], seen.headers.get("metadata")),
        (&HeaderValue::from_static("x/y"), None)
    );
}
