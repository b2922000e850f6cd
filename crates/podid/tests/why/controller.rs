//! What may be wrong with MIC, and with what the cluster knows of podid?

use crate::case::{CASE, Case};

pub(crate) const CASES: &[Case] = &[
    Case {
        code: "crds-missing",
        about: "a definition was deleted",
        breaks: "kubectl delete crd azurepodidentityexceptions.aadpodidentity.k8s.io; well",
        ..CASE
    },
    Case {
        code: "mic-absent",
        about: "MIC was removed",
        // Dead before anything is wanted of it, or it would do that at the last moment.
        breaks: "kubectl get pods -n default -l component=mic -o name >@FREEZE@
                 until [ -e @FREEZE@.done ]; do sleep 0.1; done; kubectl delete deployment mic -n default --cascade=foreground; well",
        after: "rm -f @FREEZE@ @FREEZE@.done; standard",
        ..CASE
    },
    Case {
        code: "mic-not-ready",
        about: "MIC is scaled to nothing",
        breaks: "kubectl get pods -n default -l component=mic -o name >@FREEZE@
                 until [ -e @FREEZE@.done ]; do sleep 0.1; done; kubectl scale deployment mic -n default --replicas=0; kubectl wait pods -n default -l component=mic --for=delete; well",
        after: "rm -f @FREEZE@ @FREEZE@.done",
        ..CASE
    },
    Case {
        code: "mic-no-leader",
        about: "MIC's pods run and do nothing",
        breaks: "kubectl get pods -n default -l component=mic -o name >@FREEZE@
                 until [ -e @FREEZE@.done ]; do sleep 0.1; done; well",
        after: "rm -f @FREEZE@ @FREEZE@.done",
        ..CASE
    },
    Case {
        code: "original-leads",
        about: "a controller of aad-pod-identity holds the lock",
        breaks: r#"kubectl scale deployment mic -n default --replicas=0; kubectl wait pods -n default -l component=mic --for=delete
                   kubectl delete lease/aad-pod-identity-mic endpoints/aad-pod-identity-mic -n default --ignore-not-found
                   apply <<END
{"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "aad-pod-identity-mic", "namespace": "default", "annotations": {
 "control-plane.alpha.kubernetes.io/leader": "{\"holderIdentity\":\"old-mic\",\"leaseDurationSeconds\":3600,\"renewTime\":\"$(date -u +%FT%TZ)\"}"}}}
END
                   kubectl scale deployment mic -n default --replicas=2; well"#,
        ..CASE
    },
    Case {
        code: "mic-forbidden",
        about: "MIC lost its rights",
        breaks: "kubectl delete clusterrolebinding aad-pod-id-mic-binding; well",
        after: "standard",
        ..CASE
    },
    Case {
        code: "reach-differs",
        about: "NMI matches across namespaces and MIC does not",
        breaks: r#"kubectl create namespace $NS-other; identity app "$MANAGED" $NS-other; binding app app web $NS-other
                   podid manifests standard --cluster-wide --image r.example/podid:1 --no-azure-json \
                     | sed -n '/^kind: DaemonSet/,/^---/p' >/dev/null
                   args=$(kubectl get daemonset nmi -n default -o jsonpath='{.spec.template.spec.containers[0].args}')
                   kubectl patch daemonset nmi -n default --type merge -p "$(kubectl get daemonset nmi -n default -o json \
                     | sed 's/"--forceNamespaced=true"/"--v=2"/')"
                   kubectl rollout status daemonset nmi -n default --timeout=60s
                   pod web '{"aadpodidbinding": "web"}' '{"nodeName": "node-2"}'"#,
        after: "standard; kubectl rollout status daemonset nmi -n default --timeout=60s; kubectl delete namespace $NS-other --wait=false",
        ..CASE
    },
];
