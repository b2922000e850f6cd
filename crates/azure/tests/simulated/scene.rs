//! Which Azure do the clients meet? The lab's, behind a proxy that leads Azure's names to it.

use std::process::Command;
use std::time::Duration;

use podid_lab::azure::pki::Authority;
use podid_lab::azure::{Assignment, Azure, Role, Sender, Settings};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// A key for tests only, which the simulated Entra knows as the application's.
pub(crate) const CERTIFICATE: &[u8] = include_bytes!("../../src/entra/testdata/certificate.pem");
/// Another of the application's, in the form that the original's users have.
pub(crate) const PFX: &[u8] = include_bytes!("../../src/entra/testdata/pfx/modern.pfx");
pub(crate) const SECRET: &str = "the secret of the application";

const VARIABLE: &str = "PODID_TEST_SCENE";

/// What a client has to know.
#[derive(Serialize, Deserialize)]
pub(crate) struct Scene {
    pub(crate) imds: String,
    pub(crate) tenant: String,
    pub(crate) subscription: String,
    /// The client id of an application that may do everything MIC has to do.
    pub(crate) application: String,
    /// The scale set on which the machine of these tests counts as an instance.
    pub(crate) scale_set: String,
    /// The client id of the identity that is on the scale set.
    pub(crate) node_identity: String,
    /// An identity that is on no machine.
    pub(crate) spare_identity: String,
    pub(crate) spare_client: String,
}

/// The scene that a parent laid, in the environment of this process; `None` in the parent itself.
pub(crate) fn laid() -> Option<Scene> {
    std::env::var(VARIABLE).ok().map(|text| serde_json::from_str(&text).unwrap())
}

/// Serves a scene and runs the test `name` of this program in it. A process of its own, because trust
/// and proxy are read from the environment.
pub(crate) async fn play(name: &str) {
    let patch = Duration::from_millis(300);
    let assignment = Assignment { patch, propagation: Duration::ZERO, ..Assignment::default() };
    let azure = Azure::new(Settings { assignment, ..Settings::default() }).unwrap();
    let group = azure.create_group("nodes");
    let set = azure.create_scale_set(&group, "set").unwrap();
    azure.create_virtual_machine(&group, "vm-a").unwrap();
    let host = azure.add_instance(&set, "node-0").unwrap();
    azure.place("127.0.0.1", &host, Sender::Node).unwrap();
    let node = azure.create_identity(&group, "node").unwrap();
    let spare = azure.create_identity(&group, "spare(1)").unwrap();
    azure.attach(&set, &node).unwrap();
    let application = azure.register_application("mic");
    azure.grant(&application.principal_id, Role::Contributor, &group);
    azure.grant(&application.principal_id, Role::ManagedIdentityOperator, &group);
    azure.add_client_secret(&application.client_id, SECRET, Duration::from_hours(1)).unwrap();
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE).unwrap();
    azure.add_client_certificate(&application.client_id, certificate).unwrap();
    let certificate =
        CertificateDer::from_pem_slice(include_bytes!("../../src/entra/testdata/pfx/app.pem")).unwrap();
    azure.add_client_certificate(&application.client_id, certificate).unwrap();

    let (imds, tls, proxy) = (listener().await, listener().await, listener().await);
    let authority = Authority::new("lab").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let trusted = directory.path().join("ca.pem");
    std::fs::write(&trusted, authority.ca_pem()).unwrap();
    let scene = Scene {
        imds: format!("http://{}", imds.local_addr().unwrap()),
        tenant: azure.tenant(),
        subscription: azure.subscription(),
        application: application.client_id,
        scale_set: "set".to_owned(),
        node_identity: node.client_id,
        spare_identity: spare.id.to_string(),
        spare_client: spare.client_id,
    };
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", name]).env(VARIABLE, serde_json::to_string(&scene).unwrap());
    child.env("SSL_CERT_FILE", trusted).env("HTTPS_PROXY", format!("http://{}", proxy.local_addr().unwrap()));
    child.env_remove("NO_PROXY").env_remove("no_proxy").env_remove("https_proxy");

    let stop = CancellationToken::new();
    let address = tls.local_addr().unwrap();
    let (server, stopped) = (azure.clone(), stop.clone());
    tokio::spawn(async move { server.serve_imds(imds, stopped).await });
    let (server, stopped) = (azure, stop.clone());
    tokio::spawn(async move { server.serve_tls(tls, &authority, stopped).await.unwrap() });
    let forwarder = tokio::spawn(forward(proxy, address));

    let output = tokio::task::spawn_blocking(move || child.output().unwrap()).await.unwrap();
    stop.cancel();
    forwarder.abort();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

/// A proxy that leads every `CONNECT` to one address.
async fn forward(listener: TcpListener, to: std::net::SocketAddr) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            let mut client = BufReader::new(stream);
            let mut line = String::new();
            while client.read_line(&mut line).await.is_ok_and(|read| read > 2) {
                line.clear();
            }
            let mut server = TcpStream::connect(to).await.unwrap();
            client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
            let _ = copy_bidirectional(&mut client, &mut server).await;
        });
    }
}
