//! What may be wrong with NMI on the pod's node?

use crate::case::{CASE, Case};

pub(crate) const CASES: &[Case] = &[
    Case {
        code: "nmi-absent",
        about: "NMI was removed",
        breaks: "well; kubectl delete daemonset nmi -n default --cascade=foreground",
        after: "standard",
        ..CASE
    },
    Case {
        code: "nmi-not-on-node",
        about: "NMI goes to labelled nodes only",
        breaks: r#"well; kubectl patch daemonset nmi -n default --type merge -p '{"spec": {"template": {"spec": {"nodeSelector": {"pool": "a"}}}}}'
                   kubectl wait pods -n default -l component=nmi --field-selector spec.nodeName=node-2 --for=delete --timeout=60s"#,
        after: r#"kubectl patch daemonset nmi -n default --type json -p '[{"op": "remove", "path": "/spec/template/spec/nodeSelector/pool"}]'
                  kubectl label node node-2 pool-; kubectl rollout status daemonset nmi -n default --timeout=60s"#,
        ..CASE
    },
    Case {
        code: "nmi-not-on-node",
        about: "NMI tolerates no taint and the node has one",
        breaks: r#"well; kubectl patch daemonset nmi -n default --type merge -p '{"spec": {"template": {"spec": {"tolerations": null}}}}'
                   kubectl taint node node-2 pool=a:NoExecute; kubectl delete pod -n default -l component=nmi --field-selector spec.nodeName=node-2
                   kubectl rollout status daemonset nmi -n default --timeout=60s
                   pod web '{"aadpodidbinding": "web"}' '{"nodeName": "node-2", "tolerations": [{"operator": "Exists"}]}'"#,
        after: "kubectl taint node node-2 pool-; standard; kubectl rollout status daemonset nmi -n default --timeout=60s",
        ..CASE
    },
    Case {
        code: "nmi-not-running",
        about: "NMI crashes again and again",
        breaks: r#"well; nmi_says False '{"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s"}}' \
                     '{"terminated": {"exitCode": 1, "message": "podid: cannot listen on 127.0.0.1:2579: Address already in use"}}'"#,
        plays: "nmi_ready",
        ..CASE
    },
    Case {
        code: "kubenet",
        about: "NMI does not start on kubenet",
        breaks: r#"well; nmi_says False '{"waiting": {"reason": "CrashLoopBackOff"}}' \
                     '{"terminated": {"exitCode": 1, "message": "podid: AAD Pod Identity is not supported for Kubenet: pods on one bridge can take each other'"'"'s address."}}'"#,
        plays: "kubectl rollout status daemonset nmi -n default --timeout=60s",
        after: "standard; kubectl rollout status daemonset nmi -n default --timeout=60s",
        ..CASE
    },
    Case {
        code: "nmi-not-ready",
        about: "NMI runs and has not read the cluster's objects",
        breaks: r#"well; nmi_says False '{"running": {"startedAt": "2026-01-01T00:00:00Z"}}'"#,
        plays: "nmi_ready",
        ..CASE
    },
    Case {
        code: "redirect-broken",
        about: "connections of pods do not reach NMI",
        breaks: r#"well; nmi_says False '{"running": {"startedAt": "2026-01-01T00:00:00Z"}}' \
                     '{"terminated": {"exitCode": 1, "message": "E1201 07:00:00.000001 7 proof.rs:1] the redirect does not work; this agent is not ready error=\"no answer\""}}'"#,
        plays: "nmi_ready",
        ..CASE
    },
    Case {
        code: "nmi-forbidden",
        about: "NMI lost its rights and is no longer ready",
        breaks: r#"well; kubectl delete clusterrolebinding aad-pod-id-nmi-binding
                   nmi_says False '{"running": {"startedAt": "2026-01-01T00:00:00Z"}}'"#,
        plays: r#"nmi_says True '{"running": {"startedAt": "2026-01-01T00:00:00Z"}}'"#,
        after: "standard; kubectl delete pod $(nmi node-2) -n default; nmi_ready",
        ..CASE
    },
    Case {
        code: "original-agent",
        about: "the node still has NMI of aad-pod-identity",
        breaks: r#"kubectl label node node-1 podid.dev/agent=podid
                   kubectl patch daemonset nmi -n default --type merge -p '{"spec": {"template": {"spec": {"nodeSelector": {"podid.dev/agent": "podid"}}}}}'
                   kubectl wait pods -n default -l component=nmi --field-selector spec.nodeName=node-2 --for=delete --timeout=60s
                   apply <<END
{"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "old-nmi", "namespace": "$NS"}, "spec": {
 "selector": {"matchLabels": {"app": "old-nmi"}}, "template": {"metadata": {"labels": {"app": "old-nmi"}}, "spec": {
  "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
   {"matchExpressions": [{"key": "podid.dev/agent", "operator": "DoesNotExist"}]}]}}},
  "containers": [{"name": "nmi", "image": "mcr.microsoft.com/oss/azure/aad-pod-identity/nmi:v1.8.17"}]}}}}
END
                   kubectl rollout status daemonset old-nmi -n $NS --timeout=60s; well"#,
        after: r#"kubectl delete daemonset old-nmi -n $NS
                  kubectl patch daemonset nmi -n default --type json -p '[{"op": "remove", "path": "/spec/template/spec/nodeSelector/podid.dev~1agent"}]'
                  kubectl label nodes --all podid.dev/agent-; kubectl rollout status daemonset nmi -n default --timeout=60s"#,
        ..CASE
    },
];
