//! What of podid, or of the original, is in the cluster, and who put it there?

use kube::Client;
use podid_core::addon::MARK;
use podid_core::addon::enable::Installed;
use podid_core::addon::state::Mode;
use podid_core::adopt::{Product, Role, Workload, WorkloadKind};

use crate::call::CallError;
use crate::pod_identities::{self, NotInstalled};
use crate::survey;

/// NMI's flag for kubenet.
const KUBENET: &str = "allow-network-plugin-kubenet";

/// Looks for Deployments, DaemonSets and pods of podid and of the original.
pub async fn found(client: &Client) -> Result<Installed, CallError> {
    let workloads = survey::workloads(client).await?;
    if let Some(installed) = judge(&workloads) {
        return Ok(installed);
    }
    match pod_identities::installed(client).await {
        Ok(there) => {
            let what = format!("pods of no DaemonSet in namespace {}", there.namespace);
            Ok(Installed::Podid { mode: there.mode, what: what.into() })
        }
        Err(NotInstalled::Absent) => Ok(Installed::Nothing),
        Err(NotInstalled::Call(error)) => Err(error),
    }
}

fn judge(workloads: &[Workload]) -> Option<Installed> {
    let parts: Vec<&Workload> = workloads.iter().filter(|one| one.role().is_some()).collect();
    if let Some(original) = parts.iter().find(|one| one.product() == Product::Original) {
        return Some(Installed::Original(name(original).into()));
    }
    let agent = parts.iter().find(|one| one.role() == Some(Role::Nmi)).or(parts.first())?;
    let has_controller = parts.iter().any(|one| one.role() == Some(Role::Mic));
    let mode = if agent.is_managed() && !has_controller { Mode::Managed } else { Mode::Standard };
    let (key, value) = MARK;
    let is_ours = |one: &&&Workload| one.labels.get(key).is_some_and(|found| **found == *value);
    if let Some(other) = parts.iter().find(|one| !is_ours(one)) {
        return Some(Installed::Podid { mode, what: name(other).into() });
    }
    let kubenet = agent.arguments.iter().any(|word| {
        let word = word.trim_start_matches('-');
        word == KUBENET || word.strip_prefix(KUBENET).is_some_and(|rest| rest == "=true")
    });
    Some(Installed::Ours { mode, kubenet, image: agent.image.clone() })
}

fn name(workload: &Workload) -> String {
    let kind = match workload.kind {
        WorkloadKind::Deployment => "Deployment",
        WorkloadKind::DaemonSet => "DaemonSet",
        WorkloadKind::Pod => "Pod",
    };
    format!("{kind} {}", workload.id)
}
