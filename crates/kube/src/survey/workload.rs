//! Is this Deployment or DaemonSet a controller or an agent, and how is it told to work?

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use k8s_openapi::api::core::v1::{Container, Pod, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use podid_core::adopt::{Workload, WorkloadKind};
use podid_core::ids::ObjectRef;

/// Annotations that kubectl and Helm leave on what a person installed.
const SIGNS: [&str; 2] = ["kubectl.kubernetes.io/last-applied-configuration", "meta.helm.sh/release-name"];

pub(crate) fn deployment(object: &Deployment) -> Option<Workload> {
    let spec = object.spec.as_ref()?;
    let parts =
        Parts { kind: WorkloadKind::Deployment, metadata: &object.metadata, selector: &spec.selector };
    parts.workload(&spec.template, spec.replicas.unwrap_or(1))
}

pub(crate) fn daemon_set(object: &DaemonSet) -> Option<Workload> {
    let spec = object.spec.as_ref()?;
    let wanted = object.status.as_ref().map_or(0, |status| status.desired_number_scheduled);
    let parts = Parts { kind: WorkloadKind::DaemonSet, metadata: &object.metadata, selector: &spec.selector };
    parts.workload(&spec.template, wanted)
}

/// A pod as a workload of its own, if it runs MIC or NMI.
pub(crate) fn pod(object: &Pod) -> Option<Workload> {
    let nothing = LabelSelector::default();
    let parts = Parts { kind: WorkloadKind::Pod, metadata: &object.metadata, selector: &nothing };
    let template = PodTemplateSpec { metadata: None, spec: object.spec.clone() };
    parts.workload(&template, 1)
}

struct Parts<'a> {
    kind: WorkloadKind,
    metadata: &'a ObjectMeta,
    selector: &'a LabelSelector,
}

// === impl Parts ===

impl Parts<'_> {
    fn workload(&self, template: &PodTemplateSpec, wanted: i32) -> Option<Workload> {
        let pod = template.spec.as_ref()?;
        let container = pod.containers.first()?;
        let pod_labels = template.metadata.as_ref().and_then(|metadata| metadata.labels.as_ref());
        let annotations = self.metadata.annotations.as_ref();
        let workload = Workload {
            kind: self.kind,
            id: ObjectRef::new(self.metadata.namespace.as_deref()?, self.metadata.name.as_deref()?),
            labels: shared(self.metadata.labels.as_ref()),
            selector: shared(self.selector.match_labels.as_ref()),
            pod_labels: shared(pod_labels),
            image: container.image.as_deref().unwrap_or_default().into(),
            arguments: words(container),
            command: container.command.iter().flatten().count(),
            environment: environment(container),
            service_account: pod.service_account_name.as_deref().unwrap_or("default").into(),
            wanted,
            installed_by_hand: SIGNS
                .iter()
                .any(|sign| annotations.is_some_and(|all| all.contains_key(*sign))),
        };
        workload.role().is_some().then_some(workload)
    }
}

fn words(container: &Container) -> Vec<Arc<str>> {
    let command = container.command.iter().flatten();
    command.chain(container.args.iter().flatten()).map(|word| word.as_str().into()).collect()
}

fn environment(container: &Container) -> BTreeMap<Arc<str>, Arc<str>> {
    let variables = container.env.iter().flatten();
    variables.filter_map(|one| Some((one.name.as_str().into(), one.value.as_deref()?.into()))).collect()
}

fn shared(labels: Option<&BTreeMap<String, String>>) -> BTreeMap<Arc<str>, Arc<str>> {
    let labels = labels.into_iter().flatten();
    labels.map(|(key, value)| (key.as_str().into(), value.as_str().into())).collect()
}

#[cfg(test)]
mod tests {
    use podid_core::adopt::{Product, Role};
    use serde_json::{Value, json};

    use super::*;
    use crate::manifests::Install;

    fn read(object: Value) -> Option<Workload> {
        match object["kind"].as_str() {
            Some("Deployment") => deployment(&serde_json::from_value(object).ok()?),
            _ => daemon_set(&serde_json::from_value(object).ok()?),
        }
    }

    #[test]
    fn podid_s_own_manifests_are_known_for_podid_s() {
        let objects = Install::default().standard().unwrap();
        let workloads = objects.into_iter().filter(|object| object["spec"]["template"].is_object());
        let found: Vec<_> = workloads.filter_map(read).collect();
        let roles: Vec<_> = found.iter().map(|one| (one.role(), one.product())).collect();
        assert_eq!(roles, [(Some(Role::Mic), Product::Podid), (Some(Role::Nmi), Product::Podid)]);
    }

    #[test]
    fn the_original_is_known_by_its_image_also_in_a_mirror_or_by_its_label() {
        let one = |image: &str, labels: Value| {
            read(json!({
                "kind": "DaemonSet", "metadata": {"name": "x", "namespace": "n", "labels": labels},
                "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {
                    "metadata": {"labels": {"a": "b"}},
                    "spec": {"containers": [{"name": "c", "image": image, "args": ["--node=$(NODE_NAME)"]}]}
                }}
            }))
        };
        let known = [
            one("mcr.microsoft.com/oss/azure/aad-pod-identity/nmi:v1.8.17", json!({})),
            one("mirror.example:5000/nmi@sha256:00", json!({})),
            one("mirror.example/agent:1", json!({"app.kubernetes.io/component": "nmi"})),
        ];
        for workload in known {
            let workload = workload.unwrap();
            assert_eq!((workload.role(), workload.product()), (Some(Role::Nmi), Product::Original));
            assert_eq!(&*workload.service_account, "default");
        }
        assert!(one("fluentd:1", json!({"component": "logs"})).is_none());
    }
}
