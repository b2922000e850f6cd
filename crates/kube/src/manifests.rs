//! What has to be applied to a cluster?
//!
//! [`all`] gives every generated file under `deploy/`: the definitions of the custom resources, the
//! plain manifests of both modes, the policies and the samples. They are committed; a test compares.
//! [`Install::render`] gives the same for other choices. Names, labels and namespace are those of the
//! original's `deploy/infra`, so that applying ours over an installation of the original replaces its
//! workloads in place (peer contract §7.4).

mod cilium;
mod crds;
mod exceptions;
mod mic;
mod nmi;
mod notes;
mod policies;
mod rbac;
mod samples;
mod yaml;

use serde_json::Value;

pub use policies::{Action, Form, NetRaw};
pub use yaml::{Unwritable, document};

/// The image of manifests for which nobody has chosen one. Nothing is published, and `.invalid` is
/// the domain that no registry can have.
pub const UNSET_IMAGE: &str = concat!("registry.invalid/podid:", env!("CARGO_PKG_VERSION"));

/// What can be chosen about an installation.
#[derive(Clone, Debug)]
pub struct Install {
    /// Namespace of the workloads and their service accounts.
    pub namespace: String,
    /// Image of podid.
    pub image: String,
    /// Whether MIC's cloud settings are in a Secret instead of the node's azure.json.
    pub settings_in_secret: bool,
    /// Whether an identity serves the pods of its own namespace only. The original matches across
    /// namespaces; managed mode never does.
    pub namespaced: bool,
    /// User names, besides that of MIC's service account, that may write assignments: that of the
    /// original's MIC during a migration, `system:serviceaccount:NAMESPACE:NAME`.
    pub assignment_writers: Vec<String>,
    /// Whether somebody agreed to kubenet, on which NMI refuses to start otherwise.
    pub kubenet: bool,
    /// Key of the taint that NMI takes off its node when it is ready. With it NMI may patch nodes.
    pub startup_taint: Option<String>,
}

/// What can be applied in one piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Definitions, MIC and NMI.
    Standard,
    /// Definitions and NMI for identities that are on the nodes already.
    Managed,
    /// Policies for the API server.
    Policies,
    /// Pods that talk to IMDS as their node does; to be applied after the definitions.
    Exceptions,
    /// The right of NMI to read Secrets, for each namespace with service principals.
    SecretAccess,
    /// An identity, a binding and a pod to try out.
    Demo,
    /// Objects of Cilium that bring pods to NMI where their packets bypass the kernel's rules.
    Cilium,
    /// The definitions of the custom resources.
    Crds,
}

/// Path below `deploy/` and content of every generated file.
pub fn all() -> Result<Vec<(&'static str, String)>, Unwritable> {
    let standard = Install::default();
    let managed = Install { namespace: "kube-system".to_owned(), ..Install::default() };
    let secret = Install { settings_in_secret: true, ..Install::default() };
    let generated = |install: &Install, part| {
        let notes = notes::of(install, part);
        yaml::file(&notes::generated(&notes), &install.objects(part)?)
    };
    let mut files = vec![("README.md", notes::readme())];
    files.extend(crds::files()?);
    files.extend([
        ("cilium/local-redirect.yaml", generated(&standard, Part::Cilium)?),
        ("infra/deployment-rbac.yaml", generated(&standard, Part::Standard)?),
        ("infra/managed-mode-deployment.yaml", generated(&managed, Part::Managed)?),
        ("infra/mic-exception.yaml", generated(&standard, Part::Exceptions)?),
        ("infra/noazurejson/deployment-rbac.yaml", generated(&secret, Part::Standard)?),
        ("infra/secret-access.yaml", generated(&standard, Part::SecretAccess)?),
        ("policies/identity-fields.yaml", yaml::file(&notes::generated(&[]), &policies::fields())?),
        (
            "policies/assignment-writers.yaml",
            yaml::file(&notes::generated(&[]), &policies::writers(&standard))?,
        ),
    ]);
    files.extend(optional_policies()?);
    files.extend(samples::files(&standard)?);
    Ok(files)
}

/// Policies that refuse what worked before. Those for pods only warn in these files, as a folder is soon
/// applied, and they would refuse podid's own agent where it is not in the namespace that they exempt.
fn optional_policies() -> Result<[(&'static str, String); 5], Unwritable> {
    let choice = NetRaw { action: Action::Warn, ..NetRaw::default() };
    let net_raw = |form| choice.below(&notes::generated(&[]), form);
    Ok([
        (
            "policies/optional/identity-users.yaml",
            yaml::file(&notes::generated(&[notes::USERS]), &policies::users(Action::Deny))?,
        ),
        ("policies/optional/net-raw.azure-policy.json", net_raw(Form::AzurePolicy)?),
        ("policies/optional/net-raw.gatekeeper.yaml", net_raw(Form::Gatekeeper)?),
        ("policies/optional/net-raw.pod-security.yaml", net_raw(Form::PodSecurity)?),
        ("policies/optional/net-raw.yaml", net_raw(Form::Admission)?),
    ])
}

/// The policies on who may give an identity to pods, as YAML: the author has to have the right to use it.
pub fn identity_users(action: Action) -> Result<String, Unwritable> {
    yaml::file(&[notes::USERS], &policies::users(action))
}

// === impl Install ===

impl Default for Install {
    fn default() -> Self {
        Self {
            namespace: "default".to_owned(),
            image: UNSET_IMAGE.to_owned(),
            settings_in_secret: false,
            namespaced: false,
            assignment_writers: Vec::new(),
            kubenet: false,
            startup_taint: None,
        }
    }
}

impl Install {
    /// Everything that standard mode needs, but the exceptions: they can be applied only when their
    /// kind is defined.
    pub fn standard(&self) -> Result<Vec<Value>, Unwritable> {
        let mut objects = crds::standard()?;
        objects.extend(mic::objects(self));
        objects.extend(nmi::objects(self, nmi::Mode::Standard));
        Ok(objects)
    }

    /// Everything that managed mode needs.
    pub fn managed(&self) -> Result<Vec<Value>, Unwritable> {
        let mut objects = crds::managed()?;
        objects.extend(nmi::objects(self, nmi::Mode::Managed));
        Ok(objects)
    }

    /// The policies for the API server: whether objects are complete, and who writes assignments.
    pub fn policies(&self) -> Vec<Value> {
        [policies::fields(), policies::writers(self)].concat()
    }

    /// The objects of one part.
    pub fn objects(&self, part: Part) -> Result<Vec<Value>, Unwritable> {
        Ok(match part {
            Part::Standard => self.standard()?,
            Part::Managed => self.managed()?,
            Part::Policies => self.policies(),
            Part::Exceptions => exceptions::objects(&self.namespace),
            Part::SecretAccess => nmi::secret_access(self),
            Part::Demo => samples::objects(self),
            Part::Cilium => cilium::objects(&self.namespace),
            Part::Crds => crds::standard()?,
        })
    }

    /// One part as YAML, with what its reader has to know above it.
    pub fn render(&self, part: Part) -> Result<String, Unwritable> {
        yaml::file(&notes::of(self, part), &self.objects(part)?)
    }
}
