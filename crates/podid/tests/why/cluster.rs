//! In which cluster are set-ups broken?

use std::path::Path;
use std::process::{Command, Stdio};

use podid_testbed::{ControlPlane, Kubelets, Programs};
use serde_json::{Value, json};

use crate::azure::SimulatedAzure;
use crate::mic::Mic;

/// Nodes: two of a scale set, one of another cloud, one that does not say, one that runs Windows.
const NODES: [&str; 5] = ["node-1", "node-2", "node-alien", "node-blank", "node-win"];

/// Functions of the scripts.
pub(crate) const WORDS: &str = r#"
set -euo pipefail
apply() { kubectl apply --validate=ignore -f - >/dev/null; }
# identity NAME [SPEC]
identity() { apply <<END
{"apiVersion": "aadpodidentity.k8s.io/v1", "kind": "AzureIdentity", "metadata": {"name": "$1", "namespace": "${3:-$NS}"},
 "spec": ${2:-$MANAGED}}
END
}
# binding NAME IDENTITY SELECTOR [NAMESPACE]
binding() { apply <<END
{"apiVersion": "aadpodidentity.k8s.io/v1", "kind": "AzureIdentityBinding", "metadata": {"name": "$1", "namespace": "${4:-$NS}"},
 "spec": {"azureIdentity": "$2", "selector": "$3"}}
END
}
# pod NAME LABELS [SPEC]: a pod of its own
pod() { apply <<END
{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "$1", "namespace": "$NS", "labels": $2},
 "spec": $(jsonmerge "${3:-{\}}")}
END
}
jsonmerge() { sed 's/^{/{"containers": [{"name": "main", "image": "none"}], "terminationGracePeriodSeconds": 0, /; s/, }$/}/' <<<"$1"; }
# deployment NAME LABELS [SPEC]
deployment() { apply <<END
{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "$1", "namespace": "$NS"},
 "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "$1"}}, "template": {
  "metadata": {"labels": $(sed "s/^{/{\"app\": \"$1\", /; s/, }\$/}/" <<<"$2")}, "spec": $(jsonmerge "${3:-{\}}")}}}
END
}
# well: an identity, its binding and a pod, as they should be
well() { identity app; binding app app web; pod web '{"aadpodidbinding": "web"}' '{"nodeName": "node-2"}'; }
# nmi NODE: the name of NMI's pod on a node
nmi() { kubectl get pods -n default -l component=nmi --field-selector "spec.nodeName=$1" -o 'jsonpath={.items[0].metadata.name}'; }
# nmi_says READY STATE [LAST]: what the kubelet reports of NMI on node-2
nmi_says() { kubectl patch pod "$(nmi node-2)" -n default --subresource=status --type merge -p "{\"status\": {
  \"conditions\": [{\"type\": \"Ready\", \"status\": \"$1\"}],
  \"containerStatuses\": [{\"name\": \"nmi\", \"image\": \"x\", \"imageID\": \"x\", \"restartCount\": 1, \"ready\": false, \"state\": $2, \"lastState\": ${3:-{\}}}]}}" >/dev/null; }
# nmi_ready: NMI on node-2 is there and ready
nmi_ready() { for _ in $(seq 300); do
  kubectl wait pod -n default -l component=nmi --field-selector spec.nodeName=node-2 --for=condition=Ready --timeout=1s >/dev/null 2>&1 && return
  sleep 0.1; done; echo "NMI is not ready" >&2; return 1; }
standard() { podid manifests standard --image r.example/podid:1 --no-azure-json | kubectl apply -f - >/dev/null; }
"#;

/// A cluster in which podid is installed and well.
pub(crate) struct Cluster {
    pub(crate) plane: ControlPlane,
    path: String,
    managed: String,
    mic: Mic,
    azure: SimulatedAzure,
    _kubelets: Kubelets,
}

// === impl Cluster ===

impl Cluster {
    /// Starts it, or says that the programs are missing.
    pub(crate) fn start(test: &str) -> Option<Self> {
        let programs = Programs::find_or_skip(test)?;
        let plane = ControlPlane::start(&programs).unwrap();
        let azure = SimulatedAzure::start();
        let node = |name: &str, os: &str, provider: Option<String>| {
            json!({
                "apiVersion": "v1", "kind": "Node",
                "metadata": {"name": name, "labels": {"kubernetes.io/os": os, "kubernetes.io/hostname": name}},
                "spec": {"providerID": provider, "unschedulable": !name.ends_with(|c: char| c.is_ascii_digit())},
            })
        };
        let instance =
            |number: u8| Some(format!("azure://{}/virtualMachines/{number}", azure.scale_set.as_str()));
        let nodes = [
            node("node-1", "linux", instance(0)),
            node("node-2", "linux", instance(1)),
            node("node-alien", "linux", Some("aws:///us-west-2a/i-0123".to_owned())),
            node("node-blank", "linux", None),
            node("node-win", "windows", instance(0)),
        ];
        let list = json!({"apiVersion": "v1", "kind": "List", "items": nodes});
        plane.kubectl_with(&["apply", "--filename=-"], &list.to_string()).ok();
        let kubelets = plane.kubelets(&NODES).unwrap();
        let binary = Path::new(env!("CARGO_BIN_EXE_podid")).parent().unwrap();
        let tools = programs.kubectl.parent().unwrap();
        let path = format!("{}:{}:{}", binary.display(), tools.display(), std::env::var("PATH").unwrap());
        let managed = json!({"type": 0, "resourceID": azure.identity.id.as_str(), "clientID": azure.identity.client_id});
        let mut cluster =
            Self { mic: Mic::idle(), path, managed: managed.to_string(), plane, azure, _kubelets: kubelets };
        cluster
            .bash("default", "standard\npodid crds apply\nkubectl rollout status -n default deployment/mic")
            .unwrap();
        cluster.mic = Mic::keep(&cluster.plane, &cluster.azure);
        cluster.bash("default", "nmi_ready").unwrap();
        Some(cluster)
    }

    /// Runs a script as an administrator would; what it printed, if it failed.
    pub(crate) fn bash(&self, namespace: &str, script: &str) -> Result<(), String> {
        let script = script.replace("@FREEZE@", &self.mic.switch().display().to_string());
        let mut command = Command::new("bash");
        command.arg("-c").arg(format!("{WORDS}\n{script}"));
        let output = self.at_home(&mut command).env("NS", namespace).stdin(Stdio::null()).output().unwrap();
        let said = || {
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
        };
        if output.status.success() { Ok(()) } else { Err(said()) }
    }

    /// Exit code and answer of `podid why`.
    pub(crate) fn why(&self, namespace: &str, asks: &str) -> Result<(i32, Value), String> {
        let arguments: Vec<&str> = asks.split(' ').collect();
        self.podid(&[&["why", "--namespace", namespace, "--output=json"], arguments.as_slice()].concat())
    }

    /// Exit code and answer of a command that answers in JSON.
    pub(crate) fn podid(&self, arguments: &[&str]) -> Result<(i32, Value), String> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_podid"));
        let output = self.at_home(command.args(arguments)).output().unwrap();
        let answer = serde_json::from_slice(&output.stdout)
            .map_err(|error| format!("{error}: {}", String::from_utf8_lossy(&output.stderr)))?;
        Ok((output.status.code().unwrap_or(-1), answer))
    }

    fn at_home<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("KUBECONFIG", self.plane.admin_kubeconfig())
            .env("HOME", self.plane.folder())
            .env("PATH", &self.path)
            .env("MANAGED", &self.managed)
            // Nobody's login must be found on the machine that the test runs on.
            .env("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
    }
}
