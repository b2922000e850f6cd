//! What do the tests ask? A tenant with two nodes, a virtual machine and some identities, behind real sockets.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use podid_lab::azure::pki::Authority;
use podid_lab::azure::{ArmId, Azure, ManagedIdentity, Role, Sender, Settings, Trace};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::broadcast;
use tokio_rustls::TlsConnector;
use tokio_util::sync::{CancellationToken, DropGuard};

pub(crate) const ARM: &str = "management.azure.com";
pub(crate) const ENTRA: &str = "login.microsoftonline.com";
pub(crate) const VAULT: &str = "labvault.vault.azure.net";

pub(crate) const NODE_0: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
pub(crate) const NODE_1: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
pub(crate) const VM: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 4);
pub(crate) const POD: Ipv4Addr = Ipv4Addr::new(127, 0, 1, 7);
pub(crate) const STRANGER: Ipv4Addr = Ipv4Addr::new(127, 0, 9, 9);

pub(crate) const SECRET: &str = "the secret of the vault";
pub(crate) const CLIENT_SECRET: &str = "the secret of the application";

/// A tenant in which MIC's identity is on the scale set and may put the group's identities onto machines.
pub(crate) struct World {
    pub(crate) azure: Azure,
    pub(crate) traces: broadcast::Receiver<Trace>,
    pub(crate) group: ArmId,
    pub(crate) nodes: ArmId,
    pub(crate) set: ArmId,
    pub(crate) vm: ArmId,
    /// On the scale set; contributor of the machines, operator of the identities.
    pub(crate) mic: ManagedIdentity,
    /// On no machine.
    pub(crate) demo: ManagedIdentity,
    /// On no machine, and MIC may not put it on one.
    pub(crate) foreign: ManagedIdentity,
    imds: SocketAddr,
    tls: SocketAddr,
    connector: TlsConnector,
    _stop: DropGuard,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// The body, if it is JSON.
    pub(crate) json: Value,
    pub(crate) text: String,
}

// === impl World ===

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Settings::default()).await
    }

    pub(crate) async fn with(settings: Settings) -> Self {
        let azure = Azure::new(settings).unwrap();
        let traces = azure.subscribe();
        let (group, nodes) = (azure.create_group("identities"), azure.create_group("MC_lab"));
        let set = azure.create_scale_set(&nodes, "set").unwrap();
        for (address, name) in [(NODE_0, "node-0"), (NODE_1, "node-1")] {
            let host = azure.add_instance(&set, name).unwrap();
            azure.place(&address.to_string(), &host, Sender::Node).unwrap();
            if address == NODE_0 {
                azure.place("127.0.1.0/24", &host, Sender::Pod).unwrap();
            }
        }
        let host = azure.create_virtual_machine(&nodes, "vm").unwrap();
        azure.place(&VM.to_string(), &host, Sender::Node).unwrap();
        let mic = azure.create_identity(&group, "mic").unwrap();
        let demo = azure.create_identity(&group, "Demo").unwrap();
        let foreign = azure.create_identity(&azure.create_group("elsewhere"), "foreign").unwrap();
        azure.attach(&set, &mic).unwrap();
        azure.grant(&mic.principal_id, Role::Contributor, &nodes);
        azure.grant(&mic.principal_id, Role::ManagedIdentityOperator, &group);
        azure.create_vault(&group, "labvault").unwrap();
        azure.set_secret("labvault", "greeting", SECRET).unwrap();

        let authority = Authority::new("lab").unwrap();
        let stop = CancellationToken::new();
        let (imds_listener, tls_listener) = (listener().await, listener().await);
        let (imds, tls) = (imds_listener.local_addr().unwrap(), tls_listener.local_addr().unwrap());
        let connector = connector(&authority);
        let (server, stopped) = (azure.clone(), stop.clone());
        tokio::spawn(async move { server.serve_imds(imds_listener, stopped).await });
        let (server, stopped) = (azure.clone(), stop.clone());
        tokio::spawn(async move { server.serve_tls(tls_listener, &authority, stopped).await.unwrap() });
        Self {
            vm: host.machine,
            _stop: stop.drop_guard(),
            azure,
            traces,
            group,
            nodes,
            set,
            mic,
            demo,
            foreign,
            imds,
            tls,
            connector,
        }
    }

    /// Asks IMDS from an address, with these headers.
    pub(crate) async fn imds_with(
        &self,
        from: Ipv4Addr,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        let stream = connect(from, self.imds).await;
        send(stream, "169.254.169.254", method, path, headers, Bytes::new()).await.unwrap()
    }

    /// `GET` of IMDS with the header that it wants.
    pub(crate) async fn imds(&self, from: Ipv4Addr, path: &str) -> Answer {
        self.imds_with(from, "GET", path, &[("Metadata", "true")]).await
    }

    /// A token for a resource; `more` is the rest of the query.
    pub(crate) async fn token(&self, from: Ipv4Addr, resource: &str, more: &str) -> Answer {
        let path =
            format!("/metadata/identity/oauth2/token?api-version=2018-02-01&resource={resource}{more}");
        self.imds(from, &path).await
    }

    /// The token itself.
    pub(crate) async fn bearer(&self, from: Ipv4Addr, resource: &str, identity: &ManagedIdentity) -> String {
        let answer = self.token(from, resource, &format!("&client_id={}", identity.client_id)).await;
        answer.json["access_token"].as_str().expect("an access token").to_owned()
    }

    /// MIC's token for ARM.
    pub(crate) async fn mic_token(&self) -> String {
        self.bearer(NODE_0, "https://management.azure.com/", &self.mic).await
    }

    /// Asks one of the services behind TLS; `None` where the connection was closed without an answer.
    pub(crate) async fn try_https(
        &self,
        host: &str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Option<Answer> {
        let stream = connect(STRANGER, self.tls).await;
        let name = host.to_owned().try_into().unwrap();
        let stream = self.connector.connect(name, stream).await.unwrap();
        send(stream, host, method, path, headers, body.into()).await.ok()
    }

    /// Asks one of the services behind TLS.
    pub(crate) async fn https(
        &self,
        host: &str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        self.try_https(host, method, path, headers, body).await.expect("an answer")
    }

    /// Asks ARM about a resource.
    pub(crate) async fn arm(&self, token: &str, method: &str, path: impl AsRef<str>, body: &Value) -> Answer {
        let path = path.as_ref();
        let sign = if path.contains('?') { '&' } else { '?' };
        let path = format!("{path}{sign}api-version=2019-12-01");
        let bearer = format!("Bearer {token}");
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.https(ARM, method, &path, &[("authorization", &bearer)], body).await
    }

    /// Everything traced so far.
    pub(crate) fn traced(&mut self) -> Vec<Trace> {
        std::iter::from_fn(|| self.traces.try_recv().ok()).collect()
    }
}

// === impl Answer ===

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Status and ARM's error code.
    pub(crate) fn refusal(&self) -> (u16, &str) {
        (self.status, self.json["error"]["code"].as_str().unwrap_or_default())
    }

    /// ARM's error message.
    pub(crate) fn message(&self) -> &str {
        self.json["error"]["message"].as_str().unwrap_or_default()
    }

    /// Status and OAuth's error and description.
    pub(crate) fn oauth(&self) -> (u16, &str, &str) {
        let text = |name: &str| self.json[name].as_str().unwrap_or_default();
        (self.status, text("error"), text("error_description"))
    }
}

async fn listener() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap()
}

async fn connect(from: Ipv4Addr, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((from, 0).into()).unwrap();
    socket.connect(to).await.unwrap()
}

fn connector(authority: &Authority) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(authority.ca_der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

async fn send<S>(
    stream: S,
    host: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Bytes,
) -> hyper::Result<Answer>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let mut request = Request::builder().method(method).uri(path).header("host", host);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let exchange = sender.send_request(request.body(Full::new(body)).unwrap());
    let response = tokio::time::timeout(Duration::from_secs(10), exchange).await.expect("in time")?;
    let (parts, body) = response.into_parts();
    let body = body.collect().await?.to_bytes();
    Ok(Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        json: serde_json::from_slice(&body).unwrap_or_default(),
        text: String::from_utf8_lossy(&body).into_owned(),
    })
}

/// The claims of a token, unverified.
pub(crate) fn claims(token: &str) -> Value {
    use base64::Engine as _;
    let payload = token.split('.').nth(1).expect("a JWT");
    serde_json::from_slice(&base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

/// The same token with one bit of its signature changed.
pub(crate) fn tampered(token: &str) -> String {
    let (head, signature) = token.rsplit_once('.').expect("a JWT");
    let other = if signature.starts_with('A') { 'B' } else { 'A' };
    format!("{head}.{other}{}", &signature[1..])
}
