//! What may be wrong with a pod, its binding, its identity or its node?

use crate::case::{CASE, Case};

pub(crate) const CASES: &[Case] = &[
    Case {
        code: "no-label",
        about: "a pod of its own without the label",
        breaks: "identity app; binding app app web; pod web '{}'",
        ..CASE
    },
    Case {
        code: "no-label",
        about: "a Deployment that forgot the label",
        breaks: "identity app; binding app app web; deployment web '{}'",
        asks: "deploy/web",
        ..CASE
    },
    Case {
        code: "no-binding",
        about: "the selector differs in a letter's case",
        breaks: r#"identity app; binding app app Web; pod web '{"aadpodidbinding": "web"}'"#,
        ..CASE
    },
    Case {
        code: "no-binding",
        about: "the identity is there and nobody bound it",
        breaks: r#"identity app; pod web '{"aadpodidbinding": "web"}'"#,
        ..CASE
    },
    Case {
        code: "other-namespace",
        about: "identity and binding are in another namespace",
        breaks: r#"kubectl create namespace $NS-other; identity app "$MANAGED" $NS-other; binding app app web $NS-other
                   pod web '{"aadpodidbinding": "web"}'"#,
        after: "kubectl delete namespace $NS-other --wait=false",
        ..CASE
    },
    Case {
        code: "identity-missing",
        about: "the binding misspells the identity's name",
        breaks: r#"identity app; binding app ap web; pod web '{"aadpodidbinding": "web"}'"#,
        ..CASE
    },
    Case {
        code: "identity-invalid",
        about: "the Secret is to be read from another namespace",
        breaks: r#"kubectl create secret generic sp -n $NS --from-literal=clientSecret=1
                   podid manifests secret-access | kubectl apply -n $NS -f -
                   identity app '{"type": 1, "clientID": "c", "tenantID": "t.example",
                     "clientPassword": {"name": "sp", "namespace": "default"}}'
                   binding app app web; pod web '{"aadpodidbinding": "web"}'"#,
        ..CASE
    },
    Case {
        code: "identity-protected",
        about: "the binding gives an identity that no pod may have",
        breaks: r#"identity kubelet '{"type": 0, "clientID": "5fe2fa5e-0000-4000-8000-000000000001",
                     "resourceID": "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/kubelet"}'
                   identity app; binding app kubelet web; pod web '{"aadpodidbinding": "web"}' '{"nodeName": "node-2"}'
                   kubectl patch daemonset nmi -n default --type json -p '[{"op": "add",
                     "path": "/spec/template/spec/containers/0/args/-", "value": "--protected-identity=5fe2fa5e-0000-4000-8000-000000000001"}]'
                   kubectl rollout status daemonset nmi -n default --timeout=60s"#,
        after: "standard; kubectl rollout status daemonset nmi -n default --timeout=60s",
        ..CASE
    },
    Case {
        code: "not-granted",
        about: "the program asks for an identity that is there and not bound",
        breaks: r#"well; identity other '{"type": 0, "clientID": "5fe2fa5e-0000-4000-8000-000000000002",
                     "resourceID": "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/other"}'
                   kubectl patch azureidentity other -n $NS --type merge -p \
                     "{\"spec\": {\"resourceID\": \"$(sed 's/.*resourceID":"//; s/".*//' <<<"$MANAGED")\"}}""#,
        asks: "web --client-id 5fe2fa5e-0000-4000-8000-000000000002",
        ..CASE
    },
    Case {
        code: "identity-unusable",
        about: "the Secret of a service principal does not exist",
        breaks: r#"principal() { echo '{"type": 1, "clientID": "c", "tenantID": "t.example", "clientPassword": {"name": "sp"}}'; }
                   podid manifests secret-access | kubectl apply -n $NS -f -
                   identity app "$(principal)"; binding app app web; pod web '{"aadpodidbinding": "web"}'"#,
        ..CASE
    },
    Case {
        code: "identity-unusable",
        about: "the Secret has two keys of other names",
        breaks: r#"kubectl create secret generic sp -n $NS --from-literal=a=1 --from-literal=b=2
                   podid manifests secret-access | kubectl apply -n $NS -f -
                   identity app '{"type": 1, "clientID": "c", "tenantID": "t.example", "clientPassword": {"name": "sp"}}'
                   binding app app web; pod web '{"aadpodidbinding": "web"}'"#,
        ..CASE
    },
    Case {
        code: "identity-unusable",
        about: "NMI may not read the Secret",
        breaks: r#"kubectl create secret generic sp -n $NS --from-literal=clientSecret=1
                   identity app '{"type": 1, "clientID": "c", "tenantID": "t.example", "clientPassword": {"name": "sp"}}'
                   binding app app web; pod web '{"aadpodidbinding": "web"}'"#,
        ..CASE
    },
    Case {
        code: "identity-unusable",
        about: "the secret would be sent to somebody's own host",
        breaks: r#"kubectl create secret generic sp -n $NS --from-literal=clientSecret=1
                   podid manifests secret-access | kubectl apply -n $NS -f -
                   identity app '{"type": 1, "clientID": "c", "tenantID": "t.example", "clientPassword": {"name": "sp"},
                     "adEndpoint": "https://login.example/"}'
                   binding app app web; pod web '{"aadpodidbinding": "web"}'"#,
        ..CASE
    },
    Case {
        code: "excepted",
        about: "an exception covers the pod",
        breaks: r#"well; apply <<END
{"apiVersion": "aadpodidentity.k8s.io/v1", "kind": "AzurePodIdentityException", "metadata": {"name": "all", "namespace": "$NS"},
 "spec": {"podLabels": {"aadpodidbinding": "web"}}}
END"#,
        ..CASE
    },
    Case {
        code: "host-network",
        about: "a pod of its own in its node's network",
        breaks: r#"identity app; binding app app web
                   pod web '{"aadpodidbinding": "web"}' '{"nodeName": "node-2", "hostNetwork": true}'"#,
        ..CASE
    },
    Case {
        code: "host-network",
        about: "a Deployment in its nodes' network",
        breaks: r#"identity app; binding app app web; deployment web '{"aadpodidbinding": "web"}' '{"hostNetwork": true}'"#,
        asks: "deploy/web",
        ..CASE
    },
    Case {
        code: "pod-finished",
        about: "the pod has ended",
        breaks: r#"well; kubectl wait pod web -n $NS --for=condition=Ready
                   kubectl patch pod web -n $NS --subresource=status --type merge -p '{"status": {"phase": "Succeeded"}}'"#,
        ..CASE
    },
    Case {
        code: "pod-unscheduled",
        about: "every node is cordoned",
        breaks: r#"identity app; binding app app web; kubectl cordon node-1 node-2; deployment web '{"aadpodidbinding": "web"}'"#,
        asks: "deploy/web",
        after: "kubectl uncordon node-1 node-2",
        ..CASE
    },
    Case {
        code: "node-missing",
        about: "the pod's node is gone",
        breaks: r#"identity app; binding app app web; pod web '{"aadpodidbinding": "web"}' '{"nodeName": "node-9"}'"#,
        ..CASE
    },
    Case {
        code: "node-not-linux",
        about: "the pod went to a node with Windows",
        breaks: r#"identity app; binding app app web
                   kubectl cordon node-1 node-2; kubectl uncordon node-win; deployment web '{"aadpodidbinding": "web"}'
                   kubectl rollout status deployment web -n $NS --timeout=60s; kubectl uncordon node-1 node-2"#,
        asks: "deploy/web",
        after: "kubectl uncordon node-1 node-2; kubectl cordon node-win",
        ..CASE
    },
    Case {
        code: "node-not-azure",
        about: "the pod's node is of another cloud",
        breaks: r#"identity app; binding app app web
                   kubectl cordon node-1 node-2; kubectl uncordon node-alien; deployment web '{"aadpodidbinding": "web"}'
                   kubectl rollout status deployment web -n $NS --timeout=60s; kubectl uncordon node-1 node-2"#,
        asks: "deploy/web",
        after: "kubectl uncordon node-1 node-2; kubectl cordon node-alien",
        ..CASE
    },
    Case {
        code: "no-provider-id",
        about: "the pod's node does not say which machine it is",
        breaks: r#"identity app; binding app app web
                   kubectl cordon node-1 node-2; kubectl uncordon node-blank; pod web '{"aadpodidbinding": "web"}'
                   kubectl wait pod web -n $NS --for=condition=Ready; kubectl uncordon node-1 node-2"#,
        after: "kubectl uncordon node-1 node-2; kubectl cordon node-blank",
        ..CASE
    },
    Case {
        code: "caller-ambiguous",
        about: "another pod of the node has the same address",
        breaks: r#"well; pod twin '{}' '{"nodeName": "node-2"}'; kubectl wait pod web twin -n $NS --for=condition=Ready
                   ip=$(kubectl get pod web -n $NS -o jsonpath={.status.podIP})
                   kubectl patch pod twin -n $NS --subresource=status --type merge -p "{\"status\": {\"podIP\": \"$ip\", \"podIPs\": [{\"ip\": \"$ip\"}]}}""#,
        ..CASE
    },
];
