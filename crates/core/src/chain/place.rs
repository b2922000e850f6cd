//! Is the pod where NMI answers it, and is its node one that can carry identities?

use super::entitlement::unseen;
use super::walk::View;
use super::{Cross, Outcome, mend};
use crate::adopt::{Object, Role};
use crate::answer::View as _;
use crate::code::Obstacle;
use crate::facts::Phase;
use crate::ids::NodeName;
use crate::target::{self, NoTarget};

/// Why a pod without a label needs nobody but IMDS.
pub(super) fn free(view: &View<'_>) -> Option<Outcome> {
    let pod = &view.pod.fact;
    if pod.selector().is_some() {
        return None;
    }
    if view.index.excepts(pod) {
        return Some(Outcome::Holds(format!("AzurePodIdentityException {} covers it", covering(view))));
    }
    pod.host_network
        .then(|| Outcome::Holds("it shares its node's network, where NMI does not come between".to_owned()))
}

fn covering(view: &View<'_>) -> String {
    let all = view.index.scene.exceptions.list().iter();
    let found =
        all.filter(|exception| exception.covers(&view.pod.fact)).map(|exception| exception.id.to_string());
    found.collect::<Vec<_>>().join(", ")
}

pub(super) fn exception(view: &View<'_>) -> Outcome {
    if let Some(unseen) = unseen(&view.index.scene.exceptions) {
        return unseen;
    }
    let all = view.index.scene.exceptions.list().iter();
    let covering: Vec<_> = all.filter(|exception| exception.covers(&view.pod.fact)).collect();
    let Some(first) = covering.first() else {
        return Outcome::Holds("no AzurePodIdentityException covers it".to_owned());
    };
    let missing = format!(
        "AzurePodIdentityException {} covers pod {}, so its label counts for nothing: IMDS answers it as it answers the \
         node",
        first.id, view.pod.fact.id
    );
    let delete = covering.iter().map(|one| {
        let (namespace, name) = (mend::word(&one.id.namespace), mend::word(&one.id.name));
        format!("kubectl delete azurepodidentityexception {name} -n {namespace}")
    });
    Cross::new(Obstacle::Excepted, missing)
        .in_object(Object::new("AzurePodIdentityException", &first.id))
        .with_caution("other pods may need the exception; taking its label off this pod does as well")
        .mended_by(delete)
        .into()
}

pub(super) fn pod(view: &View<'_>) -> Outcome {
    let pod = &view.pod.fact;
    let object = Object::new("Pod", &pod.id);
    if pod.phase == Phase::Finished {
        return Cross::new(
            Obstacle::PodFinished,
            format!("pod {} has ended, and its identities were released", pod.id),
        )
        .in_object(object)
        .mended_by([mend::again(view.pod, "")])
        .into();
    }
    if pod.host_network {
        let filter = "sed '/^  hostNetwork: true$/d'";
        let command = match view.pod.owner {
            Some(_) => mend::template(view.pod, r#"{"spec":{"hostNetwork":false}}"#),
            None => mend::again(view.pod, filter),
        };
        return Cross::new(
            Obstacle::HostNetwork,
            format!("pod {} shares its node's network, so IMDS answers it as it answers the node", pod.id),
        )
        .in_object(object)
        .with_caution("programs that need the node's network do not work without it")
        .mended_by([command])
        .into();
    }
    let state = match pod.phase {
        Phase::Running => "it runs",
        Phase::Pending | Phase::Finished => "it is starting",
    };
    Outcome::Holds(format!("{state}, in a network of its own"))
}

pub(super) fn node(view: &View<'_>) -> Outcome {
    let pod = &view.pod.fact;
    let Some(name) = &pod.node else { return unscheduled(view).into() };
    let nodes = match &view.index.scene.nodes {
        super::Seen::Known(nodes) => nodes,
        super::Seen::Unseen(why) => return Outcome::Unseen(why.to_string()),
    };
    let Some(node) = nodes.get(name) else {
        return Cross::new(Obstacle::NodeMissing, format!("node {name} of pod {} does not exist", pod.id))
            .in_object(Object::new("Pod", &pod.id))
            .mended_by([elsewhere(view)])
            .into();
    };
    if node.labels.get("kubernetes.io/os").is_some_and(|os| &**os != "linux") {
        let missing = format!("node {name} does not run Linux, and NMI runs nowhere else");
        return Cross::new(Obstacle::NodeNotLinux, missing)
            .in_object(node_object(name))
            .mended_by([mend::template(
                view.pod,
                r#"{"spec":{"nodeSelector":{"kubernetes.io/os":"linux"}}}"#,
            )])
            .into();
    }
    Outcome::Holds(if node.ready { format!("on {name}") } else { format!("on {name}, which is not ready") })
}

fn unscheduled(view: &View<'_>) -> Cross {
    let pod = &view.pod.fact;
    let said = view.pod.unschedulable.as_deref().unwrap_or("the scheduler has said nothing yet");
    let nodes: Vec<_> = view.index.scene.nodes.known().into_iter().flatten().collect();
    let keys = view.index.workloads(Role::Nmi).filter_map(|one| one.flag("startup-taint"));
    let key = keys.filter(|key| !key.is_empty()).find(|key| {
        !nodes.is_empty()
            && nodes.iter().all(|(_, node)| node.cordoned || node.taints.iter().any(|one| &**one == *key))
    });
    let missing = format!("pod {} has no node: {said}", pod.id);
    if let Some(key) = key {
        let tainted = nodes.iter().filter(|(_, node)| node.taints.iter().any(|one| &**one == key));
        let first = tainted.map(|(name, _)| name).next();
        let about = format!("{missing}; the nodes have the taint {key} until NMI is ready there");
        let cross = Cross::new(Obstacle::StartupTaint, about)
            .with_caution("pods that start there before NMI is ready get no token");
        return match first {
            Some(name) => cross.in_object(node_object(name)).mended_by([format!(
                "kubectl taint node {} {}-",
                mend::word(name.as_str()),
                mend::word(key)
            )]),
            None => cross,
        };
    }
    let cross = Cross::new(Obstacle::PodUnscheduled, missing).in_object(Object::new("Pod", &pod.id));
    let cordoned =
        nodes.iter().find(|(_, node)| node.cordoned).filter(|_| nodes.iter().all(|(_, node)| node.cordoned));
    let (namespace, name) = (mend::word(&pod.id.namespace), mend::word(&pod.id.name));
    cross.mended_by([match cordoned {
        Some((node, _)) => format!("kubectl uncordon {}", mend::word(node.as_str())),
        None => format!("kubectl describe pod {name} -n {namespace}"),
    }])
}

pub(super) fn machine(view: &View<'_>) -> Outcome {
    let Some(name) = &view.pod.fact.node else { return Outcome::Unseen("the pod has no node".to_owned()) };
    let Some(node) = view.index.scene.nodes.known().and_then(|nodes| nodes.get(name)) else {
        return Outcome::Unseen(format!("node {name} is not known"));
    };
    let code = match target::target(&node.fact) {
        Ok(target) => return Outcome::Holds(format!("{} {}", target.kind().noun(), target.name())),
        Err(NoTarget::Empty) => (Obstacle::NoProviderId, NoTarget::Empty),
        Err(other) => (Obstacle::NodeNotAzure, other),
    };
    let (code, why) = code;
    Cross::new(code, format!("node {name}: {why}, so no managed identity can be put on it"))
        .in_object(node_object(name))
        .with_caution(
            "this moves the pod to another node; the cloud controller of Azure writes spec.providerID",
        )
        .mended_by([
            format!("kubectl cordon {}", mend::word(name.as_str())),
            mend::again(view.pod, "sed -E '/^  nodeName: /d'"),
        ])
        .into()
}

/// Makes the pod anew on whichever node, without waiting for a kubelet that may not be there.
fn elsewhere(view: &View<'_>) -> String {
    if view.pod.owner.is_some() {
        return format!("{} --force --grace-period=0", mend::again(view.pod, ""));
    }
    let pod = &view.pod.fact.id;
    let (namespace, name) = (mend::word(&pod.namespace), mend::word(&pod.name));
    format!(
        "pod=$(kubectl get pod {name} -n {namespace} -o yaml) && kubectl delete pod {name} -n {namespace} --force \
         --grace-period=0 && printf '%s\\n' \"$pod\" | sed -E '/^  (nodeName|resourceVersion|uid): /d' | kubectl create -f -"
    )
}

pub(super) fn node_object(name: &NodeName) -> Object {
    Object { kind: "Node", namespace: None, name: name.as_str().into() }
}
