//! Clusters in a few words, and what a rule says about them.

use std::collections::{BTreeMap, BTreeSet};

use podid_core::adopt::{self, Secret, Workload, WorkloadKind};
use podid_core::facts::{self, Exception, IdentityKind, InvalidIdentity, Phase};
use podid_core::ids::{ClientId, IdentityResourceId, NodeName, ObjectRef, Uid};
use podid_kube::census::{Census, Definition, DefinitionState, Grant, Node, Pod, Written};

use crate::cluster::Picture;
use crate::report::Report;
use crate::rule::Rule;
use crate::run::{Keep, Run};
use crate::select::Selection;

const RESOURCE: &str = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i";

/// A cluster under construction: everything could be read, and nothing is in it.
pub(crate) struct Scene(Census);

/// What comes out for the target with this name: outcome and findings.
pub(crate) fn outcome(rule: &'static Rule<Picture>, name: &str, picture: &Picture) -> String {
    let selection = Selection { include: vec![rule.about.name.to_owned()], ..Selection::default() };
    let mut report = Report::default();
    let run = Run::new([rule], &selection, picture, Keep::All);
    let targets = picture.targets();
    let target = targets.iter().find(|target| target.name() == name && rule.about.asks(target.kind()));
    run.look(target.unwrap_or_else(|| panic!("there is no {name}")), &mut report);
    let record = &report.records[0];
    let findings: Vec<_> = record.findings.iter().map(ToString::to_string).collect();
    format!("{} {}", record.outcome.as_str(), findings.join(" | ")).trim_end().to_owned()
}

// === impl Scene ===

impl Scene {
    pub(crate) fn new() -> Self {
        let cluster = adopt::Cluster {
            identities: Some(Vec::new()),
            bindings: Some(Vec::new()),
            exceptions: Some(Vec::new()),
            workloads: Some(Vec::new()),
            ..adopt::Cluster::default()
        };
        Self(Census {
            cluster,
            pods: Some(Vec::new()),
            nodes: Some(Vec::new()),
            grants: Some(Vec::new()),
            definitions: Some(Vec::new()),
            daemon_sets: Some(Vec::new()),
            ..Census::default()
        })
    }

    pub(crate) fn picture(self) -> Picture {
        self.0.into()
    }

    fn add_identity(
        mut self,
        id: ObjectRef,
        type_: i64,
        secret: Option<ObjectRef>,
        kind: Result<IdentityKind, InvalidIdentity>,
    ) -> Self {
        let fact = facts::Identity { id, uid: Uid::new("u"), spec_hash: 1, kind, namespaced: false };
        let identity = adopt::Identity { fact, type_, secret, authority: None, auxiliary_tenants: 0 };
        self.0.cluster.identities.get_or_insert_default().push(identity);
        self
    }

    pub(crate) fn identity(self, namespace: &str, name: &str) -> Self {
        let kind = IdentityKind::Managed {
            resource_id: IdentityResourceId::parse(RESOURCE).unwrap(),
            client_id: ClientId::parse("c").unwrap(),
        };
        self.add_identity(ObjectRef::new(namespace, name), 0, None, Ok(kind))
    }

    pub(crate) fn broken(self, namespace: &str, name: &str, why: InvalidIdentity) -> Self {
        self.add_identity(ObjectRef::new(namespace, name), 0, None, Err(why))
    }

    pub(crate) fn principal(self, namespace: &str, name: &str, secret: Option<ObjectRef>) -> Self {
        let why = InvalidIdentity::Missing("spec.tenantID");
        self.add_identity(ObjectRef::new(namespace, name), 1, secret, Err(why))
    }

    pub(crate) fn secret(mut self, id: ObjectRef, there: bool) -> Self {
        self.0.cluster.secrets.insert(id, there.then(Secret::default));
        self
    }

    pub(crate) fn binding(mut self, namespace: &str, name: &str, identity: &str, selector: &str) -> Self {
        let binding = facts::Binding {
            id: ObjectRef::new(namespace, name),
            uid: Uid::new("u"),
            spec_hash: 1,
            identity: identity.into(),
            selector: selector.into(),
        };
        self.0.cluster.bindings.get_or_insert_default().push(binding);
        self
    }

    pub(crate) fn exception(mut self, namespace: &str, name: &str, key: &str, value: &str) -> Self {
        let pod_labels = [(key.into(), value.into())].into();
        let exception = Exception { id: ObjectRef::new(namespace, name), pod_labels };
        self.0.cluster.exceptions.get_or_insert_default().push(exception);
        self
    }

    pub(crate) fn labelled(mut self, namespace: &str, name: &str, labels: &[(&str, &str)]) -> Self {
        let fact = facts::Pod {
            id: ObjectRef::new(namespace, name),
            uid: Uid::new(name),
            node: None,
            labels: labels.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
            addresses: Vec::new(),
            phase: Phase::Running,
            host_network: false,
            terminating: false,
            started: None,
        };
        let pod = Pod { fact, ready: true, raw: Vec::new(), federated: false, windows: false };
        self.0.pods.get_or_insert_default().push(pod);
        self
    }

    /// A pod with this value of the label that bindings select by.
    pub(crate) fn pod(self, namespace: &str, name: &str, selector: &str) -> Self {
        self.labelled(namespace, name, &[("aadpodidbinding", selector)])
    }

    /// Changes the pod that was added last.
    pub(crate) fn last_pod(mut self, change: impl FnOnce(&mut Pod)) -> Self {
        change(self.0.pods.as_mut().unwrap().last_mut().unwrap());
        self
    }

    fn workload(mut self, namespace: &str, image: &str, arguments: &[&str]) -> Self {
        let labels = [("component".into(), "nmi".into())];
        let workload = Workload {
            kind: WorkloadKind::DaemonSet,
            id: ObjectRef::new(namespace, "nmi"),
            labels: labels.clone().into(),
            selector: labels.clone().into(),
            pod_labels: labels.into(),
            image: image.into(),
            command: 0,
            arguments: arguments.iter().map(|word| (*word).into()).collect(),
            environment: BTreeMap::default(),
            service_account: "nmi".into(),
            wanted: 1,
            installed_by_hand: true,
        };
        self.0.cluster.workloads.get_or_insert_default().push(workload);
        self
    }

    /// podid's agent.
    pub(crate) fn agent(self, namespaced: bool) -> Self {
        let flag = format!("--forceNamespaced={namespaced}");
        self.workload("podid", "r.example/podid:1.0.0", &["nmi", &flag])
    }

    /// The agent of aad-pod-identity.
    pub(crate) fn original(self) -> Self {
        self.workload("default", "mcr.microsoft.com/oss/azure/aad-pod-identity/nmi:v1.8.17", &[])
    }

    pub(crate) fn runs_agent(self, node: &str, ready: bool) -> Self {
        let scene = self.labelled("podid", &format!("nmi-{node}"), &[("component", "nmi")]);
        scene.last_pod(|pod| {
            pod.fact.node = Some(NodeName::new(node));
            pod.fact.host_network = true;
            pod.ready = ready;
        })
    }

    pub(crate) fn node(mut self, name: &str) -> Self {
        let node = Node { name: NodeName::new(name), real_linux: true, ready: true };
        self.0.nodes.get_or_insert_default().push(node);
        self
    }

    pub(crate) fn definition(mut self, name: &str, state: DefinitionState) -> Self {
        self.0.definitions.get_or_insert_default().push(Definition { name: name.into(), state });
        self
    }

    pub(crate) fn grant(
        mut self,
        subject: &str,
        namespace: Option<&str>,
        written: &[Written],
        everything: bool,
    ) -> Self {
        let role = if namespace.is_some() { "Role r" } else { "ClusterRole r" };
        self.0.grants.get_or_insert_default().push(Grant {
            subject: subject.into(),
            namespace: namespace.map(Into::into),
            role: role.into(),
            everything,
            written: written.iter().copied().collect::<BTreeSet<_>>(),
        });
        self
    }
}
