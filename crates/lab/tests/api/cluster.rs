//! A served store, and how the tests talk to it.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, stream};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use podid_lab::api::{Access, LogOptions, PodLogs, Settings, Status, Store, serve};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

const TOKEN: &str = "a-token";
/// The header that the server wants to see.
pub(crate) const BEARER: (&str, &str) = ("authorization", "Bearer a-token");

/// A served store, and how to reach it.
pub(crate) struct Cluster {
    pub(crate) store: Store,
    address: std::net::SocketAddr,
    connector: TlsConnector,
    pub(crate) shutdown: CancellationToken,
    pub(crate) server: tokio::task::JoinHandle<()>,
}

/// Prints what it was asked.
struct Echo;

impl PodLogs for Echo {
    fn open(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        options: LogOptions,
    ) -> BoxFuture<'static, Result<BoxStream<'static, Bytes>, Status>> {
        let asked = format!("{namespace}/{pod}/{container} {:?} {}\n", options.tail_lines, options.follow);
        async move { Ok(stream::iter([Bytes::from(asked), Bytes::from("end\n")]).boxed()) }.boxed()
    }
}

impl Cluster {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tls, connector) = tls();
        let settings = Settings { crds: definitions(), root_ca: "PEM".into(), history: 100 };
        let store = Store::new(settings).unwrap();
        let shutdown = CancellationToken::new();
        let access = Access::new(tls, TOKEN);
        let server = tokio::spawn(serve(store.clone(), Arc::new(Echo), access, listener, shutdown.clone()));
        Self { store, address, connector, shutdown, server }
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response<Incoming> {
        let tcp = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let tls = self.connector.connect(name, tcp).await.unwrap();
        let (mut client, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(tls)).await.unwrap();
        tokio::spawn(connection);
        let mut request = Request::builder().method(method).uri(path).header("host", "localhost");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        client.send_request(request.body(Full::new(Bytes::from(body.to_owned()))).unwrap()).await.unwrap()
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.call_as(method, path, &[("content-type", "application/json")], &body).await
    }

    pub(crate) async fn call_as(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> (u16, Value) {
        let response = self.send(method, path, &[headers, &[BEARER]].concat(), body).await;
        let code = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (code, serde_json::from_slice(&body).unwrap_or_else(|_| String::from_utf8_lossy(&body).into()))
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        self.call("GET", path, &Value::Null).await
    }

    /// Opens a watch and gives its lines one by one.
    pub(crate) async fn watch(&self, path: &str, headers: &[(&str, &str)]) -> BoxStream<'static, Value> {
        let response = self.send("GET", path, &[headers, &[BEARER]].concat(), "").await;
        assert_eq!(response.status(), 200);
        let lines = response.into_body().into_data_stream();
        lines.map(|line| serde_json::from_slice(&line.unwrap()).unwrap()).boxed()
    }
}

fn tls() -> (Arc<rustls::ServerConfig>, TlsConnector) {
    let issued = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let certificate: CertificateDer<'static> = issued.cert.der().clone();
    let key = PrivateKeyDer::try_from(issued.signing_key.serialize_der()).unwrap();
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(ring.clone());
    let server = server.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let client =
        rustls::ClientConfig::builder_with_provider(ring).with_safe_default_protocol_versions().unwrap();
    let client = client.with_root_certificates(roots).with_no_client_auth();
    let server = server.with_single_cert(vec![certificate], key).unwrap();
    (Arc::new(server), TlsConnector::from(Arc::new(client)))
}

/// The definitions that podid ships.
fn definitions() -> Vec<Value> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/crds");
    let files = std::fs::read_dir(directory).unwrap();
    files
        .map(|file| serde_saphyr::from_str(&std::fs::read_to_string(file.unwrap().path()).unwrap()).unwrap())
        .collect()
}
