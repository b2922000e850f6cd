//! How are Kubernetes' own controllers run?

use std::path::Path;

use crate::api_server::{CA, TOKEN_KEY};
use crate::error::StartError;
use crate::process::Process;

/// The kubeconfig that it uses, in the control plane's folder.
pub(crate) const KUBECONFIG: &str = "kube-controller-manager.kubeconfig";

/// Starts them; the API server should serve already.
pub(crate) fn start(program: &Path, folder: &Path, group: i32) -> Result<Process, StartError> {
    Process::start("kube-controller-manager", program, &arguments(), folder, group)
}

/// Paths are relative to the folder that it runs in.
fn arguments() -> Vec<String> {
    [
        format!("--kubeconfig={KUBECONFIG}"),
        // It needs no port, and there is only one of it.
        "--secure-port=0".to_owned(),
        "--leader-elect=false".to_owned(),
        "--use-service-account-credentials=true".to_owned(),
        format!("--service-account-private-key-file={TOKEN_KEY}"),
        format!("--root-ca-file={CA}"),
        // Left out is what needs a cloud, disks or signed certificates.
        format!("--controllers=*,{}", LEFT_OUT.map(|name| format!("-{name}")).join(",")),
        // Played kubelets renew no leases.
        "--node-monitor-grace-period=24h".to_owned(),
        "--node-monitor-period=1s".to_owned(),
        "--kube-api-qps=200".to_owned(),
        "--kube-api-burst=400".to_owned(),
        "--profiling=false".to_owned(),
    ]
    .into()
}

const LEFT_OUT: [&str; 8] = [
    "certificatesigningrequest-signing-controller",
    "certificatesigningrequest-approving-controller",
    "certificatesigningrequest-cleaner-controller",
    "persistentvolume-attach-detach-controller",
    "persistentvolume-binder-controller",
    "persistentvolume-expander-controller",
    "node-ipam-controller",
    "horizontal-pod-autoscaler-controller",
];
