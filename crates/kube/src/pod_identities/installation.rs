//! Is podid (or the original) in the cluster, in which mode, and where?

use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};
use podid_core::addon::state::Mode;
use podid_core::adopt::{Role, Workload};

use super::LIMIT;
use crate::call::{CallError, bounded};
use crate::survey;

/// Pods of MIC and NMI, in the chart and in the plain manifests.
const PARTS: &str = "app.kubernetes.io/component in (mic,nmi)";

/// How the cluster is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// Who puts identities on nodes.
    pub mode: Mode,
    /// Where its parts run, and where it remembers things.
    pub namespace: Arc<str>,
}

/// Why that is not known.
#[derive(Debug, thiserror::Error)]
pub enum NotInstalled {
    /// Neither MIC nor NMI is there.
    #[error("podid is not in this cluster; run: podid enable")]
    Absent,
    /// The API server did not say.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// A part of an installation.
struct Part {
    role: Role,
    managed: bool,
    namespace: Arc<str>,
}

/// Looks for the Deployment of MIC and the DaemonSet of NMI, and where they run as something else for
/// their pods.
pub async fn installed(client: &Client) -> Result<Installed, NotInstalled> {
    let mut parts: Vec<Part> =
        survey::workloads(client).await?.iter().filter(|one| one.wanted > 0).filter_map(Part::of).collect();
    if parts.is_empty() {
        let api = Api::<core::Pod>::all(client.clone());
        let params = ListParams::default().labels(PARTS);
        let pods = bounded(|| "list pods of podid".to_owned(), LIMIT, api.list(&params)).await?;
        parts = pods.iter().filter_map(Part::of_pod).collect();
    }
    judge(&parts).ok_or(NotInstalled::Absent)
}

/// With a controller, it is standard mode; else the agents say it.
fn judge(parts: &[Part]) -> Option<Installed> {
    let of = |role: Role| parts.iter().find(move |part| part.role == role);
    let (part, mode) = match (of(Role::Mic), of(Role::Nmi)) {
        (Some(mic), _) => (mic, Mode::Standard),
        (None, Some(nmi)) if nmi.managed => (nmi, Mode::Managed),
        (None, Some(nmi)) => (nmi, Mode::Standard),
        (None, None) => return None,
    };
    Some(Installed { mode, namespace: part.namespace.clone() })
}

// === impl Part ===

impl Part {
    fn of(workload: &Workload) -> Option<Self> {
        let namespace = workload.id.namespace.clone();
        Some(Self { role: workload.role()?, managed: workload.is_managed(), namespace })
    }

    fn of_pod(pod: &core::Pod) -> Option<Self> {
        let role = match pod.labels().get("app.kubernetes.io/component")?.as_str() {
            "mic" => Role::Mic,
            "nmi" => Role::Nmi,
            _ => return None,
        };
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        if matches!(phase, Some("Succeeded" | "Failed")) {
            return None;
        }
        let container = pod.spec.as_ref()?.containers.first()?;
        let words = container.command.iter().chain(&container.args).flatten();
        let managed = words.map(|word| word.trim_start_matches('-')).any(|word| {
            word.split_once('=')
                .is_some_and(|(flag, mode)| flag == "operation-mode" && mode.eq_ignore_ascii_case("managed"))
        });
        Some(Self { role, managed, namespace: pod.namespace()?.into() })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(component: &str, arguments: &[&str], phase: &str) -> Option<Part> {
        let object = json!({
            "metadata": {"name": "p", "namespace": "podid", "labels": {"app.kubernetes.io/component": component}},
            "spec": {"containers": [{"name": "c", "args": arguments}]}, "status": {"phase": phase},
        });
        Part::of_pod(&serde_json::from_value(object).unwrap())
    }

    fn mode(parts: impl IntoIterator<Item = Option<Part>>) -> Option<Mode> {
        judge(&parts.into_iter().flatten().collect::<Vec<_>>()).map(|found| found.mode)
    }

    #[test]
    fn a_controller_makes_it_standard_mode_and_else_the_agents_say_it() {
        let managed = || pod("nmi", &["nmi", "--operation-mode=managed"], "Running");
        let plain = || pod("nmi", &["nmi"], "Running");
        assert_eq!(mode([managed()]), Some(Mode::Managed));
        assert_eq!(mode([plain()]), Some(Mode::Standard));
        assert_eq!(mode([managed(), pod("mic", &[], "Running")]), Some(Mode::Standard));
        assert_eq!(mode([managed(), pod("mic", &[], "Failed")]), Some(Mode::Managed), "one that has ended");
        assert_eq!(mode([pod("web", &[], "Running")]), None);
    }
}
