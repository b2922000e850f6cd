//! What does Azure hold, and what was it asked?

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use podid_lab::azure::pki::Authority;
use podid_lab::azure::{ArmId, Azure, ManagedIdentity, Role, Service, Settings, Trace, proxy};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::broadcast::{Receiver, error::TryRecvError};
use tokio_util::sync::CancellationToken;

const SECRET: &str = "the secret of the application";

/// The simulated Azure, behind a proxy that leads Azure's names to it.
pub(crate) struct Cloud {
    azure: Azure,
    pub(crate) scale_sets: Vec<ArmId>,
    pub(crate) identities: Vec<ManagedIdentity>,
    application: String,
    proxy: SocketAddr,
    files: tempfile::TempDir,
    traces: Mutex<Receiver<Trace>>,
}

/// How often ARM was asked.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Calls {
    pub(crate) reads: usize,
    pub(crate) writes: usize,
}

// === impl Cloud ===

impl Cloud {
    /// So many scale sets and identities.
    pub(crate) fn start(runtime: &Runtime, scale_sets: usize, identities: usize) -> Self {
        let azure = Azure::new(Settings::default()).unwrap();
        let group = azure.create_group("nodes");
        let scale_set = |number| azure.create_scale_set(&group, &format!("pool-{number}")).unwrap();
        let identity = |number| azure.create_identity(&group, &format!("app-{number}")).unwrap();
        let (scale_sets, identities) =
            ((0..scale_sets).map(scale_set).collect(), (0..identities).map(identity).collect());
        let application = azure.register_application("mic");
        azure.grant(&application.principal_id, Role::Contributor, &group);
        azure.grant(&application.principal_id, Role::ManagedIdentityOperator, &group);
        azure.add_client_secret(&application.client_id, SECRET, Duration::from_hours(24)).unwrap();
        let authority = Authority::new("bench").unwrap();
        let files = tempfile::tempdir().unwrap();
        std::fs::write(files.path().join("ca.pem"), authority.ca_pem()).unwrap();
        let listen = || runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let (tls, entrance) = (listen(), listen());
        let (to, proxy) = (tls.local_addr().unwrap(), entrance.local_addr().unwrap());
        let server = azure.clone();
        runtime.spawn(async move { server.serve_tls(tls, &authority, CancellationToken::new()).await });
        runtime.spawn(proxy::serve(entrance, to));
        let traces = Mutex::new(azure.subscribe());
        Self { azure, scale_sets, identities, application: application.client_id, proxy, files, traces }
    }

    /// How long a PATCH of a scale set's identities takes.
    pub(crate) fn patch_takes(&self, duration: Duration) {
        self.azure.configure(|settings| settings.assignment.patch = duration);
    }

    /// How many identities are on all scale sets.
    pub(crate) fn attached(&self) -> usize {
        self.scale_sets.iter().map(|one| self.azure.identities_on(one).len()).sum()
    }

    /// Tells a controller how to reach it, as the Secret of an installation without azure.json does.
    pub(crate) fn introduce(&self, command: &mut Command) {
        command
            .env("CLOUD", "AzurePublicCloud")
            .env("TENANT_ID", self.azure.tenant())
            .env("SUBSCRIPTION_ID", self.azure.subscription())
            .env("RESOURCE_GROUP", "nodes")
            .env("CLIENT_ID", &self.application)
            .env("CLIENT_SECRET", SECRET)
            .env("SSL_CERT_FILE", self.files.path().join("ca.pem"))
            // The client for Kubernetes knows nothing of this one.
            .env("ALL_PROXY", format!("http://{}", self.proxy))
            .env_remove("HTTPS_PROXY")
            .env_remove("https_proxy")
            .env("NO_PROXY", "127.0.0.1");
    }

    /// How often ARM was asked since the last look.
    pub(crate) fn calls(&self) -> Calls {
        let mut calls = Calls::default();
        let mut traces = self.traces.lock().unwrap();
        loop {
            match traces.try_recv() {
                Ok(trace) if trace.service != Service::Arm => {}
                Ok(trace) if trace.what.starts_with("GET ") => calls.reads += 1,
                Ok(_) => calls.writes += 1,
                Err(TryRecvError::Lagged(missed)) => {
                    eprintln!("controller: {missed} ARM calls were not counted");
                }
                Err(_) => return calls,
            }
        }
    }
}
