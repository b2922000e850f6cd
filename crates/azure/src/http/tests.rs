use std::process::Command;
use std::time::Duration;

use rustls_pki_types::PrivatePkcs8KeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::fake::{Fake, Reply, answer, client};

fn get(url: &str) -> Request<Bytes> {
    Request::builder().uri(url).body(Bytes::new()).unwrap()
}

/// W-38.
#[tokio::test]
async fn an_answer_is_returned_whatever_its_status() {
    for status in [200, 404, 500] {
        let fake = Fake::start(move |_, _| answer(status, &[("x", "y")], "body")).await;
        let answer = client().send(get(&fake.url())).await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.body().as_ref()), (status, b"body".as_ref()));
        assert_eq!(fake.seen()[0].headers["user-agent"], "podid-tests");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let fake = Fake::start(|_, _| answer(307, &[("location", "/elsewhere")], "")).await;
    assert_eq!(client().send(get(&fake.url())).await.unwrap().status(), 307);
    assert_eq!(fake.seen().len(), 1);
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up_after_the_deadline() {
    let fake = Fake::start(|_, _| Reply::Hang).await;
    let error = client().send_within(get(&fake.url()), Duration::from_millis(50)).await.unwrap_err();
    assert!(matches!(error, Error::Unanswered { .. }), "{error}");
    assert_eq!(fake.seen().len(), 1);
}

#[tokio::test]
async fn half_an_answer_is_no_answer() {
    let fake = Fake::start(|_, _| Reply::Half).await;
    let error = client().send(get(&fake.url())).await.unwrap_err();
    assert!(matches!(error, Error::Unanswered { .. }), "{error}");
}

#[tokio::test]
async fn a_closed_connection_may_have_had_its_effect() {
    let fake = Fake::start(|_, _| Reply::Close).await;
    let error = client().send(get(&fake.url())).await.unwrap_err();
    assert_eq!(error.failure(), Some(retry::Failure::Unanswered), "{error}");
    assert_eq!(fake.seen().len(), 1);
}

#[tokio::test]
async fn an_oversized_answer_is_refused() {
    let fake = Fake::start(|_, _| answer(200, &[], vec![b'x'; 2000])).await;
    let settings = Settings { body: 1000, proxy_from_environment: false, ..Settings::new("t") };
    let error = Client::new(settings).send(get(&fake.url())).await.unwrap_err();
    assert!(matches!(error, Error::TooLarge { limit: 1000, .. }), "{error}");
}

#[tokio::test]
async fn a_refused_connection_had_no_effect() {
    let address = Fake::nobody().await;
    let error = client().send(get(&format!("http://{address}/s3cret?q=s3cret"))).await.unwrap_err();
    assert_eq!(error.failure(), Some(retry::Failure::NotSent));
    assert!(error.to_string().contains("cannot connect to 127.0.0.1"), "{error}");
    assert!(!format!("{error:?}").contains("s3cret"), "only the host is named");
}

/// A TLS server called `localhost`, and the PEM of its certificate.
async fn tls_server() -> (u16, String) {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key.into())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
        }
    });
    (port, certified.cert.pem())
}

#[tokio::test]
async fn an_unknown_certificate_is_not_trusted_and_the_message_says_what_to_do() {
    let (port, _) = tls_server().await;
    let error = client().send(get(&format!("https://localhost:{port}/"))).await.unwrap_err();
    assert!(matches!(error, Error::Untrusted { .. }), "{error:?}");
    assert!(error.failure().is_none() && error.to_string().contains("SSL_CERT_FILE"), "{error}");
}

const PORT: &str = "PODID_TEST_TLS_PORT";

/// The other half of the next test, in a process of its own because it needs another environment.
#[tokio::test]
async fn asks_the_tls_server_of_its_parent() {
    let Ok(port) = std::env::var(PORT) else { return };
    let answer = client().send(get(&format!("https://localhost:{port}/"))).await.unwrap();
    assert_eq!(answer.status(), 204);
}

#[tokio::test]
async fn ssl_cert_file_is_trusted() {
    let (port, pem) = tls_server().await;
    let directory = tempfile::tempdir().unwrap();
    let ca = directory.path().join("ca.pem");
    std::fs::write(&ca, pem).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "http::tests::asks_the_tls_server_of_its_parent"]);
    child.env("SSL_CERT_FILE", ca).env(PORT, port.to_string());
    let output = tokio::task::spawn_blocking(move || child.output().unwrap()).await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[tokio::test]
async fn https_goes_through_the_proxy_with_its_password_and_no_proxy_goes_straight() {
    use tower::Service as _;

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let proxy = format!("http://user:pass@{address}");
    let matcher = Matcher::builder().https(proxy).no("direct.example").build();
    assert!(matcher.intercept(&"https://direct.example/".parse().unwrap()).is_none());
    let mut connector = Connector::new(connect::tcp(Duration::from_secs(5)), matcher);
    let connecting = tokio::spawn(connector.call("https://login.microsoftonline.com/".parse().unwrap()));
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut request = vec![0; 4096];
    let length = stream.read(&mut request).await.unwrap();
    let request = String::from_utf8_lossy(&request[..length]).to_ascii_lowercase();
    assert!(request.starts_with("connect login.microsoftonline.com:443 http/1.1\r\n"), "{request}");
    assert!(request.contains("proxy-authorization: basic dxnlcjpwyxnz\r\n"), "{request}");
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
    assert!(connecting.await.unwrap().is_ok());
}

#[tokio::test]
async fn a_proxy_that_we_cannot_speak_to_is_named() {
    use tower::Service as _;

    let matcher = Matcher::builder().https("socks5://127.0.0.1:1").build();
    let mut connector = Connector::new(connect::tcp(Duration::from_secs(5)), matcher);
    let error = connector.call("https://example.com/".parse().unwrap()).await.unwrap_err();
    assert!(error.to_string().contains("HTTPS_PROXY"), "{error}");
}

#[test]
fn both_forms_of_retry_after_are_read() {
    let headers = |value: &str| HeaderMap::from_iter([(http::header::RETRY_AFTER, value.parse().unwrap())]);
    assert_eq!(retry_after(&headers("9")), Some(Duration::from_secs(9)));
    assert_eq!(retry_after(&headers("Sun, 06 Nov 1994 08:49:37 GMT")), Some(Duration::ZERO));
    assert!(
        retry_after(&headers("Fri, 01 Jan 2100 00:00:00 GMT"))
            .is_some_and(|wait| wait > Duration::from_hours(1))
    );
    assert_eq!(retry_after(&HeaderMap::new()), None);
}
