//! Does a real API server refuse what `docs/corrections.md` calls wrong, and take what it calls right?

use podid_testbed::ControlPlane;

use crate::cluster::{namespace, podid, shared};

const PAGE: &str = include_str!("../../../../docs/corrections.md");
const NAMESPACE: &str = "corrections";

/// The objects below each comment `<!-- MARK -->`, with what the comment says.
fn marked() -> Vec<(&'static str, &'static str)> {
    let parts = PAGE.split("<!-- ").skip(1);
    let found: Vec<_> = parts
        .map(|part| {
            let (mark, rest) =
                part.split_once(" -->\n```yaml\n").unwrap_or_else(|| panic!("no block below {part}"));
            (mark, rest.split("\n```").next().unwrap())
        })
        .collect();
    assert!(found.len() > 6, "only {} objects are marked", found.len());
    found
}

fn create(cluster: &ControlPlane, object: &str) -> podid_testbed::Output {
    let into = format!("--namespace={NAMESPACE}");
    let arguments = ["create", "--validate=ignore", "--dry-run=server", &into, "--filename=-"];
    cluster.kubectl_with(&arguments, object)
}

#[test]
fn what_the_page_calls_wrong_is_refused_and_what_it_calls_right_is_taken() {
    let Some(cluster) = shared() else { return };
    namespace(cluster, NAMESPACE);
    for (mark, object) in marked() {
        let output = create(cluster, object);
        if let Some(reason) = mark.strip_prefix("refused: ") {
            assert!(output.code != Some(0) && output.stderr.contains(reason), "{object}\n{output:?}");
        } else {
            assert_eq!(mark, "right");
            output.ok();
        }
    }
}

/// A5.
#[test]
fn the_exceptions_that_podid_prints_are_for_the_namespaces_in_which_their_pods_are() {
    let Some(cluster) = shared() else { return };
    let printed = podid(cluster, &["manifests", "exceptions", "--namespace", NAMESPACE]);
    for said in ["app: mic", "component: mic", "namespace: corrections", "namespace: kube-system"] {
        assert!(printed.contains(said), "no {said:?} in {printed}");
    }
}

/// C5.
#[test]
fn a_restricted_namespace_takes_no_pod_with_net_raw() {
    let Some(cluster) = shared() else { return };
    let restricted = "restricted-corrections";
    namespace(cluster, restricted);
    let label = "pod-security.kubernetes.io/enforce=restricted";
    cluster.kubectl(&["label", "namespace", restricted, label]).ok();
    let into = format!("--namespace={restricted}");
    let pod = |security: &str| {
        format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: a}}, spec: {{containers: [{{name: a, image: a, \
             securityContext: {{allowPrivilegeEscalation: false, runAsNonRoot: true, \
             seccompProfile: {{type: RuntimeDefault}}, {security}}}}}]}}}}"
        )
    };
    let create = |security: &str| {
        cluster.kubectl_with(&["create", "--dry-run=server", &into, "--filename=-"], &pod(security))
    };
    for refused in ["", "capabilities: {drop: [NET_RAW]}", "capabilities: {drop: [ALL], add: [NET_RAW]}"] {
        let output = create(refused);
        assert!(output.code != Some(0) && output.stderr.contains("PodSecurity"), "{refused}: {output:?}");
    }
    create("capabilities: {drop: [ALL]}").ok();
}
