//! What is said of the original's own workloads.

use super::*;

fn of(workloads: Vec<Workload>) -> Vec<Finding> {
    let mut cluster = quiet();
    cluster.workloads = Some(workloads);
    found(&cluster)
}

fn on_node(cluster: &mut Cluster, name: &str, component: &str, node: &str) {
    let mut fact = pod("default", name, "", Some(node));
    fact.labels = labels(&[("component", component)]);
    fact.host_network = true;
    add_pod(cluster, fact);
}

#[test]
fn what_aks_manages_blocks_and_what_a_person_installed_does_not() {
    let mut addon = agent(&["--operation-mode=managed", "--forceNamespaced"]);
    addon.id = ObjectRef::new("kube-system", "nmi");
    assert_eq!(lines(&of(vec![addon.clone()])), ["note PA-06 DaemonSet kube-system/nmi"]);
    addon.installed_by_hand = false;
    let blocked = of(vec![addon.clone()]);
    assert_eq!(lines(&blocked)[0], "blocks PA-01 DaemonSet kube-system/nmi");
    assert!(blocked[0].action.contains("--disable-pod-identity"));
    let mut labelled = agent(&[]);
    labelled.pod_labels = labels(&[("kubernetes.azure.com/managedby", "aks")]);
    assert_eq!(lines(&of(vec![labelled])), ["blocks PA-01 DaemonSet default/nmi"]);
}

#[test]
fn two_agents_on_one_node_block_and_one_agent_is_a_note_on_its_ports() {
    let mut cluster = quiet();
    on_node(&mut cluster, "nmi-a", "nmi", "n1");
    on_node(&mut cluster, "nmi-b", "nmi", "n2");
    let alone = found(&cluster);
    assert_eq!(lines(&alone), ["note PA-05 DaemonSet default/nmi"]);
    assert!(alone[0].change.contains("2579, 8085 and 9090 of 2 nodes"), "{}", alone[0].change);
    let mut ours = workload(WorkloadKind::DaemonSet, "podid-nmi", &["nmi", "--node=$(NODE_NAME)"]);
    ours.image = "registry.example/podid:0.1".into();
    ours.selector = labels(&[("component", "podid-nmi")]);
    cluster.workloads.as_mut().unwrap().push(ours);
    on_node(&mut cluster, "podid-a", "podid-nmi", "n3");
    assert_eq!(lines(&found(&cluster)), ["note PA-05 DaemonSet default/nmi"]);
    on_node(&mut cluster, "podid-b", "podid-nmi", "n2");
    let both = found(&cluster);
    assert_eq!(lines(&both)[0], "blocks PA-02 DaemonSet default/podid-nmi");
    assert!(both[0].change.contains("are both on n2."), "{}", both[0].change);
}

#[test]
fn a_release_before_1_6_is_upgraded_first() {
    for (tag, blocks) in
        [("v1.5.5", true), ("1.4", true), ("v1.6.0", false), ("v1.10.0", false), ("latest", false)]
    {
        let mut old = agent(&[]);
        old.image = format!("mcr.microsoft.com/k8s/aad-pod-identity/nmi:{tag}").into();
        let found = lines(&of(vec![old]));
        assert_eq!(found.iter().any(|line| line.starts_with("blocks PA-03")), blocks, "{tag}");
    }
}

#[test]
fn another_lock_blocks_and_the_usual_one_does_not() {
    let usual =
        controller(&["--leader-election-namespace=default", "--leader-election-name=aad-pod-identity-mic"]);
    assert_eq!(lines(&of(vec![usual])), ["changes PA-07 Deployment default/mic"]);
    let found = of(vec![controller(&["-leader-election-namespace", "kube-system"])]);
    assert_eq!(lines(&found)[0], "blocks PA-04 Deployment default/mic");
    assert_eq!(found[0].action, "helm install … --set mic.leaderElection.namespace=kube-system");
    assert!(found[1].action.contains("system:serviceaccount:default:aad-pod-id-mic-service-account"));
}

#[test]
fn flags_are_sorted_into_kept_different_and_without_effect() {
    let cases = [
        ("--block-instance-metadata", "note", "--set nmi.blockInstanceMetadata=true"),
        ("--metadata-header-required=false", "note", "--set nmi.metadataHeaderRequired=false"),
        ("--allow-network-plugin-kubenet=true", "changes", "--set nmi.allowNetworkPluginKubenet=true"),
        ("--retry-attempts-for-created=3", "changes", "--set nmi.retryAttemptsForCreated=3"),
        ("--ipt-update-interval-sec=5", "note", "Leave it out."),
        ("--MICNamespace=kube-system", "note", "Leave it out."),
        ("--operation-mode=managed", "note", "--set operationMode=managed"),
    ];
    for (flag, level, action) in cases {
        let found = of(vec![agent(&[flag])]);
        assert_eq!(lines(&found), [format!("{level} PA-06 DaemonSet default/nmi")], "{flag}");
        assert_eq!(found[0].action, action, "{flag}");
    }
    let of_controller =
        of(vec![controller(&["--immutable-user-msis=a,b", "--clientQps=50", "--enableScaleFeatures"])]);
    let flags: Vec<_> = of_controller.iter().filter(|one| one.code == Code::Flag).collect();
    assert_eq!(flags.len(), 3, "{flags:?}");
    assert!(flags.iter().any(|one| one.action == "--set mic.immutableUserMSIs=a\\,b"), "{flags:?}");
    let unchanged =
        ["--operation-mode=standard", "--metadata-header-required=true", "--prometheus-port=9090"];
    assert_eq!(lines(&of(vec![agent(&unchanged)])), [""; 0]);
}

fn owned(cluster: &mut Cluster, namespace: &str, replica_set: &str, own: &[(&str, &str)]) {
    let mut fact = pod(namespace, &format!("{replica_set}-x"), "", Some("n1"));
    fact.labels = labels(own);
    cluster.pods.as_mut().unwrap().push(Pod { fact, replica_set: Some(replica_set.into()) });
}

#[test]
fn a_controller_that_lives_on_the_short_cut_needs_an_exception() {
    let mut cluster = quiet();
    cluster.workloads.as_mut().unwrap().push(controller(&[]));
    owned(&mut cluster, "default", "mic-6f", &[("component", "mic")]);
    let found = found(&cluster);
    assert_eq!(
        lines(&found),
        ["changes PA-07 Deployment default/mic", "changes PA-08 Deployment default/mic"]
    );
    assert!(found[1].action.contains(r#""podLabels":{"component":"mic"}"#), "{}", found[1].action);
    cluster.exceptions = Some(vec![Exception {
        id: ObjectRef::new("default", "mic-exception"),
        pod_labels: labels(&[("component", "MIC")]),
    }]);
    let lines = lines(&super::found(&cluster));
    assert_eq!(
        lines,
        [
            "changes PA-07 Deployment default/mic",
            "note PA-40 AzurePodIdentityException default/mic-exception"
        ]
    );
}

#[test]
fn w07_a_pod_that_only_looks_like_the_controller_loses_its_way_through() {
    let mut cluster = quiet();
    owned(&mut cluster, "default", "microservice-7c", &[("app", "x")]);
    owned(&mut cluster, "kube-system", "mic-7c", &[("app", "x")]);
    owned(&mut cluster, "default", "web-7c", &[("app", "x")]);
    let lines_of = |cluster: &Cluster| lines(&found(cluster));
    assert_eq!(lines_of(&cluster), ["changes PA-09 Pod default/microservice-7c-x"]);
    cluster.workloads = Some(vec![agent(&["--MICNamespace=Kube-System"])]);
    assert!(lines_of(&cluster).contains(&"changes PA-09 Pod kube-system/mic-7c-x".to_owned()));
    cluster.workloads = Some(vec![agent(&["--operation-mode=managed"])]);
    assert_eq!(lines_of(&cluster), ["note PA-06 DaemonSet default/nmi"]);
}
