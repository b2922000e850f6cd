//! What does a manifest say about its container?

use std::fs;
use std::path::Path;

use rustix::thread::CapabilitySet;
use serde_json::Value;

/// The name that the test's node has in the cluster.
pub(crate) const NODE: &str = "node-1";

/// What is run, as whom, and with which rights.
#[derive(Clone, Debug)]
pub(crate) struct Container {
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) user: u32,
    pub(crate) capabilities: CapabilitySet,
    /// Paths of files that the pod gets from its node.
    pub(crate) files: Vec<String>,
    /// Port that tells whether it is ready.
    pub(crate) probes: u16,
}

// === impl Container ===

impl Container {
    /// That of the only workload of this kind in a file under `deploy/infra`. It must drop every right that it does
    /// not name.
    pub(crate) fn of(file: &str, kind: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/infra").join(file);
        let objects: Vec<Value> = serde_saphyr::from_multiple(&fs::read_to_string(path).unwrap()).unwrap();
        let workload = objects.iter().find(|object| object["kind"] == kind).unwrap();
        let container = &workload["spec"]["template"]["spec"]["containers"][0];
        let security = &container["securityContext"];
        assert_eq!(security["readOnlyRootFilesystem"], true);
        assert_eq!(security["allowPrivilegeEscalation"], false);
        assert_eq!(security["capabilities"]["drop"], serde_json::json!(["ALL"]));
        let environment: Vec<_> = list(&container["env"]).iter().map(variable).collect();
        let expand = |text: &str| {
            environment
                .iter()
                .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("$({name})"), value))
        };
        Self {
            arguments: list(&container["args"]).iter().map(|it| expand(it.as_str().unwrap())).collect(),
            user: u32::try_from(security["runAsUser"].as_u64().unwrap()).unwrap(),
            capabilities: list(&security["capabilities"]["add"]).iter().map(capability).collect(),
            files: list(&container["volumeMounts"])
                .iter()
                .map(|mount| mount["mountPath"].as_str().unwrap().to_owned())
                .collect(),
            probes: u16::try_from(container["readinessProbe"]["httpGet"]["port"].as_u64().unwrap()).unwrap(),
            environment,
        }
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn capability(name: &Value) -> CapabilitySet {
    let name = name.as_str().unwrap();
    CapabilitySet::from_name(name).unwrap_or_else(|| panic!("{name} is no capability"))
}

/// A variable as a kubelet would set it. Values from Secrets are made up.
fn variable(variable: &Value) -> (String, String) {
    let name = variable["name"].as_str().unwrap().to_owned();
    let from = &variable["valueFrom"];
    let value = match (variable["value"].as_str(), from["fieldRef"]["fieldPath"].as_str()) {
        (Some(value), _) => value,
        (None, Some("spec.nodeName")) => NODE,
        (None, Some("metadata.namespace")) => "default",
        (None, Some("metadata.name")) => "podid-0",
        (None, Some(path)) => panic!("say what a kubelet gives for {path}"),
        (None, None) => match from["secretKeyRef"]["key"].as_str().unwrap() {
            "Cloud" => "AzurePublicCloud",
            "VMType" => "vmss",
            _ => "made-up",
        },
    };
    (name, value.to_owned())
}
