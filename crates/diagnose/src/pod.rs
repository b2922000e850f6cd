//! Which pod does a person mean?

use podid_core::ids::ObjectRef;
use podid_kube::scene::Family;

/// A pod, or what keeps it, without its namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    name: String,
    family: Option<Family>,
}

/// A pod, or what keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Namespace and name.
    pub id: ObjectRef,
    /// What it is, if not a pod itself.
    pub family: Option<Family>,
}

/// A text that names no pod.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// There is something before the slash that has no pods.
    #[error("{0:?} has no pods that could be looked at; use POD, pod/NAME, deploy/NAME, sts/NAME or ds/NAME")]
    Kind(String),
    /// It cannot be the name of an object.
    #[error("{0:?} cannot be the name of a pod: lower-case letters, digits, hyphens and dots")]
    Name(String),
}

// === impl Named ===

impl Named {
    /// Reads `POD`, `pod/NAME`, `deploy/NAME` and the like, as kubectl does.
    pub fn parse(text: &str) -> Result<Given, BadName> {
        let (kind, name) = text.split_once('/').unwrap_or(("pod", text));
        let family = match kind.split('.').next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "pod" | "pods" | "po" => None,
            "deploy" | "deployment" | "deployments" => Some(Family::Deployment),
            "sts" | "statefulset" | "statefulsets" => Some(Family::StatefulSet),
            "ds" | "daemonset" | "daemonsets" => Some(Family::DaemonSet),
            _ => return Err(BadName::Kind(kind.to_owned())),
        };
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
        if name.is_empty() || name.len() > 253 || !name.chars().all(fits) {
            return Err(BadName::Name(name.to_owned()));
        }
        Ok(Given { name: name.to_owned(), family })
    }

    /// The kind as Kubernetes spells it.
    pub fn kind(&self) -> &'static str {
        match self.family {
            None => "Pod",
            Some(Family::Deployment) => "Deployment",
            Some(Family::StatefulSet) => "StatefulSet",
            Some(Family::DaemonSet) => "DaemonSet",
        }
    }
}

// === impl Given ===

impl Given {
    /// The one in `namespace`.
    pub fn within(self, namespace: &str) -> Named {
        Named { id: ObjectRef::new(namespace, self.name), family: self.family }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_is_named_as_for_kubectl() {
        let kinds = [
            ("web-1", "Pod"),
            ("pod/web-1", "Pod"),
            ("deploy/web", "Deployment"),
            ("deployment.apps/web", "Deployment"),
            ("sts/web", "StatefulSet"),
            ("daemonset/web", "DaemonSet"),
        ];
        for (text, kind) in kinds {
            assert_eq!(Named::parse(text).unwrap().within("shop").kind(), kind, "{text}");
        }
        assert!(matches!(Named::parse("svc/web"), Err(BadName::Kind(_))));
        for bad in ["", "pod/", "Web", "a b", "a/b/c", "../x"] {
            assert!(Named::parse(bad).is_err(), "{bad}");
        }
    }
}
