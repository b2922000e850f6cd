//! How is a pod kept from taking a neighbour's address?
//!
//! NMI finds a pod by its address. On a bridge a pod that may write raw packets (`NET_RAW`, which
//! runtimes give by default) or configure its own link (`NET_ADMIN`) answers for the address of another
//! pod, and is taken for it. One file for each way of keeping such pods out: the API server itself
//! ([`mod@admission`]), Gatekeeper ([`mod@gatekeeper`]), Azure Policy ([`mod@azure`]) and Pod Security
//! ([`mod@pod_security`]). None has an exemption by image: whoever writes a pod chooses the image's name.

mod admission;
mod azure;
mod gatekeeper;
mod pod_security;

use serde_json::Value;

use super::Action;
use crate::manifests::{Unwritable, notes, yaml};

/// The capabilities by which a pod takes a neighbour's address, as a runtime calls them.
const HARMFUL: [&str; 2] = ["NET_RAW", "NET_ADMIN"];

/// The namespace of what runs a cluster.
const SYSTEM: &str = "kube-system";

/// What reads the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Gatekeeper, with the templates of its library.
    Gatekeeper,
    /// Azure Policy for Kubernetes.
    AzurePolicy,
    /// The API server: a `ValidatingAdmissionPolicy`.
    Admission,
    /// The API server: labels of Pod Security on namespaces.
    PodSecurity,
}

/// What can be chosen about the policy.
#[derive(Clone, Debug)]
pub struct NetRaw {
    /// The namespace that podid runs in; its agent is on the host's network and needs `NET_ADMIN`.
    pub podid: String,
    /// Further namespaces that are left alone, besides `kube-system`.
    pub exempt: Vec<String>,
    /// What happens to a pod that is at fault.
    pub action: Action,
    /// The namespaces that get labels of Pod Security; a placeholder if there are none.
    pub labelled: Vec<String>,
}

// === impl NetRaw ===

impl Default for NetRaw {
    fn default() -> Self {
        Self { podid: "podid".to_owned(), exempt: Vec::new(), action: Action::Deny, labelled: Vec::new() }
    }
}

impl NetRaw {
    /// The objects of the policy; for Azure Policy, the parameters of its assignment.
    pub fn objects(&self, form: Form) -> Vec<Value> {
        match form {
            Form::Gatekeeper => gatekeeper::objects(self),
            Form::AzurePolicy => vec![azure::parameters(self)],
            Form::Admission => admission::objects(self),
            Form::PodSecurity => pod_security::objects(self),
        }
    }

    /// The policy as text, with what its reader has to know above it where the format has comments.
    pub fn render(&self, form: Form) -> Result<String, Unwritable> {
        self.below(&[], form)
    }

    /// The same below the lines `head`.
    pub(in crate::manifests) fn below(&self, head: &[&str], form: Form) -> Result<String, Unwritable> {
        if form == Form::AzurePolicy {
            // Alternate formatting of a value indents it, and cannot fail.
            return Ok(format!("{:#}\n", azure::parameters(self)));
        }
        let notes: Vec<String> =
            head.iter().map(|&line| line.to_owned()).chain(notes::net_raw(self, form)).collect();
        let notes: Vec<&str> = notes.iter().map(String::as_str).collect();
        yaml::file(&notes, &self.objects(form))
    }

    /// The namespaces that are left alone, each once.
    pub fn left_alone(&self) -> Vec<String> {
        let mut names = vec![SYSTEM.to_owned()];
        for name in std::iter::once(&self.podid).chain(&self.exempt) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_the_cluster_and_podid_are_always_left_alone_and_nothing_is_twice() {
        let all = |podid: &str, exempt: &[&str]| {
            let exempt = exempt.iter().map(|&name| name.to_owned()).collect();
            NetRaw { podid: podid.into(), exempt, ..NetRaw::default() }.left_alone()
        };
        assert_eq!(all("podid", &[]), ["kube-system", "podid"]);
        assert_eq!(all("kube-system", &["mesh", "kube-system", "mesh"]), ["kube-system", "mesh"]);
    }

    #[test]
    fn no_form_exempts_by_the_name_of_an_image() {
        for form in [Form::Gatekeeper, Form::AzurePolicy, Form::Admission, Form::PodSecurity] {
            let text = NetRaw::default().render(form).unwrap();
            assert!(!text.contains("mages"), "{text}");
        }
    }
}
