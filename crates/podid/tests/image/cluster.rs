//! Which API server do the containers meet? The lab's own, in the node's network.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, stream};
use podid_lab::api::{Access, LogOptions, PodLogs, Settings, Status, Store, serve};
use podid_lab::net::Namespace;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

const TOKEN: &str = "not-a-secret";

/// A served store, which ends with this.
pub(crate) struct Cluster {
    pub(crate) store: Store,
    pub(crate) address: SocketAddr,
    /// What a kubelet mounts for a service account.
    pub(crate) account: PathBuf,
    _runtime: Runtime,
}

/// There are none: nothing runs in this cluster.
struct NoLogs;

// === impl Cluster ===

impl Cluster {
    /// Serves at `address` in `network`, and writes the service account's files into `folder`.
    pub(crate) fn start(network: &Namespace, address: SocketAddr, folder: &Path) -> Self {
        let issued = rcgen::generate_simple_self_signed(vec![address.ip().to_string()]).unwrap();
        let store = Store::new(Settings {
            crds: [definitions(), vec![daemon_sets()]].concat(),
            root_ca: issued.cert.pem(),
            history: 1000,
        })
        .unwrap();
        let account = folder.join("serviceaccount");
        fs::create_dir(&account).unwrap();
        fs::set_permissions(&account, fs::Permissions::from_mode(0o755)).unwrap();
        for (name, content) in
            [("token", TOKEN), ("ca.crt", issued.cert.pem().as_str()), ("namespace", "default")]
        {
            fs::write(account.join(name), content).unwrap();
        }

        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = network.listen(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let access = Access::new(tls(&issued), TOKEN);
        let _inside = runtime.enter();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        runtime.spawn(serve(store.clone(), Arc::new(NoLogs), access, listener, CancellationToken::new()));
        Self { store, address, account, _runtime: runtime }
    }
}

fn tls(issued: &rcgen::CertifiedKey<rcgen::KeyPair>) -> Arc<rustls::ServerConfig> {
    let certificate: CertificateDer<'static> = issued.cert.der().clone();
    let key = PrivateKeyDer::try_from(issued.signing_key.serialize_der()).unwrap();
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let server =
        rustls::ServerConfig::builder_with_provider(ring).with_safe_default_protocol_versions().unwrap();
    Arc::new(server.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap())
}

/// The definitions that podid ships.
fn definitions() -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/crds");
    let read = |path: PathBuf| serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    fs::read_dir(folder).unwrap().map(|file| read(file.unwrap().path())).collect()
}

/// The lab has no DaemonSets; any definition of them will do.
fn daemon_sets() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "daemonsets.apps"},
        "spec": {
            "group": "apps", "scope": "Namespaced",
            "names": {"kind": "DaemonSet", "listKind": "DaemonSetList", "plural": "daemonsets", "singular": "daemonset"},
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
            }],
        },
    })
}

// === impl NoLogs ===

impl PodLogs for NoLogs {
    fn open(
        &self,
        _namespace: &str,
        _pod: &str,
        _container: &str,
        _options: LogOptions,
    ) -> BoxFuture<'static, Result<BoxStream<'static, Bytes>, Status>> {
        async { Ok(stream::empty().boxed()) }.boxed()
    }
}
