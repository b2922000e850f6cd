//! Which cluster does a command that people type talk to?

use std::path::PathBuf;

use podid_kube::Client;
use podid_kube::client::{ConnectError, connect_as_kubectl};

/// The cluster, named as for kubectl.
#[derive(clap::Args)]
pub struct Access {
    /// The kubeconfig file [default: $KUBECONFIG, else ~/.kube/config]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The context in it, instead of the current one
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
}

// === impl Access ===

impl Access {
    /// A client that calls itself `agent`.
    pub async fn client(&self, agent: &str) -> Result<Client, ConnectError> {
        connect_as_kubectl(self.kubeconfig.as_deref(), self.context.as_deref(), agent).await
    }
}
