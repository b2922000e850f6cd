//! How does podid get into a cluster, and out of it?
//!
//! The objects are those of [`crate::manifests`], with a mark that says who put them there; only what
//! carries the mark is removed. Everything is applied by the server, so that it can be done again at any
//! time and from any point.

mod found;
mod object;
mod rollout;

use serde_json::Value;

pub use found::found;
pub use object::{Change, apply, remove};
pub use rollout::{Rollout, rollout};

use podid_core::addon::state::Mode;

use crate::crd;
use crate::definitions::CustomResourceDefinition;
use crate::manifests::{Install, Part, Unwritable};

/// The exception of MIC, which managed mode has no use for.
const MIC_EXCEPTION: &str = "mic-exception";

/// Everything that an installation consists of, in the order in which it is applied.
#[derive(Clone, Debug)]
pub struct Objects {
    /// The kinds.
    pub definitions: Vec<CustomResourceDefinition>,
    /// Pods that talk to the metadata service themselves; before any agent, so that none is cut off.
    pub exceptions: Vec<Value>,
    /// Service accounts and their rights.
    pub access: Vec<Value>,
    /// The agents, and the controller.
    pub workloads: Vec<Value>,
}

// === impl Objects ===

impl Objects {
    /// Those of `mode`, with these choices.
    pub fn new(install: &Install, mode: Mode) -> Result<Self, Unwritable> {
        let (part, plurals): (Part, &[&str]) = match mode {
            Mode::Standard => (Part::Standard, &crd::STANDARD),
            Mode::Managed => (Part::Managed, &crd::MANAGED),
        };
        let is_needed = |exception: &Value| mode == Mode::Standard || name(exception) != MIC_EXCEPTION;
        let exceptions: Vec<Value> =
            install.objects(Part::Exceptions)?.into_iter().filter(is_needed).collect();
        let mut objects =
            Self { definitions: Vec::new(), exceptions, access: Vec::new(), workloads: Vec::new() };
        for object in install.objects(part)? {
            match kind(&object) {
                "CustomResourceDefinition" => {}
                "DaemonSet" | "Deployment" => objects.workloads.push(object),
                _ => objects.access.push(object),
            }
        }
        let needed =
            |definition: &CustomResourceDefinition| plurals.contains(&definition.spec.names.plural.as_str());
        objects.definitions = crd::definitions().into_iter().filter(needed).collect();
        Ok(objects)
    }
}

/// How people name an object: `DaemonSet kube-system/nmi`.
pub fn title(object: &Value) -> String {
    match namespace(object) {
        "" => format!("{} {}", kind(object), name(object)),
        namespace => format!("{} {namespace}/{}", kind(object), name(object)),
    }
}

fn kind(object: &Value) -> &str {
    object["kind"].as_str().unwrap_or_default()
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

fn namespace(object: &Value) -> &str {
    object["metadata"]["namespace"].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects(mode: Mode) -> Objects {
        let install = Install { namespace: "kube-system".into(), kubenet: true, ..Install::default() };
        Objects::new(&install, mode).unwrap()
    }

    fn titles(objects: &[Value]) -> Vec<String> {
        objects.iter().map(title).collect()
    }

    #[test]
    fn managed_mode_is_the_agent_and_the_exception_of_the_add_ons() {
        let managed = objects(Mode::Managed);
        assert_eq!(titles(&managed.workloads), ["DaemonSet kube-system/nmi"]);
        let exception = ["AzurePodIdentityException kube-system/aks-addon-exception"];
        assert_eq!(titles(&managed.exceptions), exception);
        assert_eq!(managed.exceptions[0]["spec"]["podLabels"]["kubernetes.azure.com/managedby"], "aks");
        assert_eq!(managed.definitions.len(), crd::MANAGED.len());
        assert!(managed.access.iter().all(|object| !title(object).contains("mic")));
    }

    #[test]
    fn standard_mode_has_the_controller_and_its_exception_as_well() {
        let standard = objects(Mode::Standard);
        assert_eq!(titles(&standard.workloads), ["Deployment kube-system/mic", "DaemonSet kube-system/nmi"]);
        assert_eq!(standard.exceptions.len(), 2);
        assert_eq!(standard.definitions.len(), crd::STANDARD.len());
    }

    #[test]
    fn consent_to_kubenet_reaches_the_agent() {
        let arguments =
            objects(Mode::Managed).workloads[0]["spec"]["template"]["spec"]["containers"][0].to_string();
        assert!(arguments.contains("--allow-network-plugin-kubenet"), "{arguments}");
        let plain = Objects::new(&Install::default(), Mode::Managed).unwrap();
        assert!(!plain.workloads[0].to_string().contains("kubenet\""));
    }
}
