//! Which Azure does MIC meet? The lab's, behind a proxy that leads Azure's names to it.

use std::net::SocketAddr;
use std::time::Duration;

use podid_lab::azure::pki::Authority;
use podid_lab::azure::{ArmId, Azure, ManagedIdentity, Role, Settings, proxy};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

const SECRET: &str = "the secret of the application";

/// A scale set with two instances and one identity on it.
pub(crate) struct SimulatedAzure {
    azure: Azure,
    pub(crate) scale_set: ArmId,
    pub(crate) identity: ManagedIdentity,
    application: String,
    proxy: SocketAddr,
    files: tempfile::TempDir,
    _runtime: Runtime,
}

// === impl SimulatedAzure ===

impl SimulatedAzure {
    pub(crate) fn start() -> Self {
        let azure = Azure::new(Settings::default()).unwrap();
        let group = azure.create_group("nodes");
        let scale_set = azure.create_scale_set(&group, "pool").unwrap();
        for node in ["node-1", "node-2"] {
            azure.add_instance(&scale_set, node).unwrap();
        }
        let identity = azure.create_identity(&group, "app").unwrap();
        azure.attach(&scale_set, &identity).unwrap();
        let application = azure.register_application("mic");
        azure.grant(&application.principal_id, Role::Contributor, &group);
        azure.grant(&application.principal_id, Role::ManagedIdentityOperator, &group);
        azure.add_client_secret(&application.client_id, SECRET, Duration::from_hours(1)).unwrap();

        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let authority = Authority::new("lab").unwrap();
        let files = tempfile::tempdir().unwrap();
        std::fs::write(files.path().join("ca.pem"), authority.ca_pem()).unwrap();
        let (tls, proxy) = runtime.block_on(async { (listener().await, listener().await) });
        let (to, address) = (tls.local_addr().unwrap(), proxy.local_addr().unwrap());
        let server = azure.clone();
        runtime.spawn(async move { server.serve_tls(tls, &authority, CancellationToken::new()).await });
        runtime.spawn(proxy::serve(proxy, to));
        Self {
            azure,
            scale_set,
            identity,
            application: application.client_id,
            proxy: address,
            files,
            _runtime: runtime,
        }
    }

    /// How a controller reaches it, as the Secret of an installation without azure.json says it.
    pub(crate) fn introduction(&self) -> Vec<(String, String)> {
        let proxy = format!("http://{}", self.proxy);
        let authority = self.files.path().join("ca.pem").display().to_string();
        let variables = [
            ("CLOUD", "AzurePublicCloud"),
            ("TENANT_ID", &self.azure.tenant()),
            ("SUBSCRIPTION_ID", &self.azure.subscription()),
            ("RESOURCE_GROUP", "nodes"),
            ("CLIENT_ID", &self.application),
            ("CLIENT_SECRET", SECRET),
            ("SSL_CERT_FILE", &authority),
            // The client for Kubernetes knows nothing of this one.
            ("ALL_PROXY", &proxy),
            ("NO_PROXY", "127.0.0.1"),
        ];
        variables.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
    }
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}
