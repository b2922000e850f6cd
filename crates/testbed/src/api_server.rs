//! How is the API server run? As on a real cluster, with everything that podid meets there.

use std::path::Path;

use crate::error::StartError;
use crate::etcd;
use crate::process::Process;

/// Where it writes who asked for what, in the control plane's folder.
pub(crate) const AUDIT_LOG: &str = "audit.log";
const AUDIT_POLICY: &str = "audit-policy.yaml";
/// Services get their addresses from here; nothing listens there.
const SERVICES: &str = "10.96.0.0/16";

/// Everything but health checks: user, verb, object and answer, no bodies.
const POLICY: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  nonResourceURLs: [/healthz*, /livez*, /readyz*]
- level: Metadata
";

/// Names of the files that it reads, in the control plane's folder.
pub(crate) const CA: &str = "ca.crt";
pub(crate) const CERTIFICATE: &str = "apiserver.crt";
pub(crate) const KEY: &str = "apiserver.key";
pub(crate) const TOKEN_KEY: &str = "tokens.key";
pub(crate) const TOKEN_PUBLIC_KEY: &str = "tokens.pub";

/// Starts it; it serves a moment later. Its files must be in `folder`.
pub(crate) fn start(program: &Path, folder: &Path, port: u16, group: i32) -> Result<Process, StartError> {
    let policy = folder.join(AUDIT_POLICY);
    std::fs::write(&policy, POLICY)
        .map_err(|problem| StartError::Folder { folder: folder.to_path_buf(), problem })?;
    Process::start("kube-apiserver", program, &arguments(port), folder, group)
}

/// Paths are relative to the folder that it runs in.
fn arguments(port: u16) -> Vec<String> {
    [
        format!("--etcd-servers={}", etcd::ADDRESS),
        "--bind-address=127.0.0.1".to_owned(),
        format!("--secure-port={port}"),
        // The port is held for it while it is down.
        "--permit-port-sharing=true".to_owned(),
        // Without it a machine without a network would have no address to advertise.
        "--advertise-address=127.0.0.1".to_owned(),
        // A loopback address is no endpoint, so the service `kubernetes` has none.
        "--endpoint-reconciler-type=none".to_owned(),
        format!("--service-cluster-ip-range={SERVICES}"),
        "--cert-dir=apiserver".to_owned(),
        format!("--tls-cert-file={CERTIFICATE}"),
        format!("--tls-private-key-file={KEY}"),
        format!("--client-ca-file={CA}"),
        "--authorization-mode=Node,RBAC".to_owned(),
        "--enable-admission-plugins=NodeRestriction".to_owned(),
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local".to_owned(),
        format!("--service-account-signing-key-file={TOKEN_KEY}"),
        format!("--service-account-key-file={TOKEN_PUBLIC_KEY}"),
        "--allow-privileged=true".to_owned(),
        "--profiling=false".to_owned(),
        format!("--audit-policy-file={AUDIT_POLICY}"),
        format!("--audit-log-path={AUDIT_LOG}"),
        // A test that reads the log must find it whole.
        "--audit-log-maxsize=4096".to_owned(),
    ]
    .into()
}
