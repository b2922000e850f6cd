//! What has to be applied to a cluster?
//!
//! [`all`] gives every generated file under `deploy/`: the definitions of the custom resources, the
//! plain manifests of both modes and the samples. They are committed; a test compares.
//! Names, labels and namespace are those of the original's `deploy/infra`, so that applying ours over
//! an installation of the original replaces its workloads in place (peer contract §7.4).

mod crds;
mod exceptions;
mod mic;
mod nmi;
mod rbac;
mod samples;
mod yaml;

use serde_json::Value;

pub use yaml::Unwritable;

/// An image that is published with this version.
const IMAGE: &str = concat!("ghcr.io/podid/podid:", env!("CARGO_PKG_VERSION"));

/// What can be chosen about an installation.
#[derive(Clone, Debug)]
pub struct Install {
    /// Namespace of the workloads and their service accounts.
    pub namespace: String,
    /// Image of podid.
    pub image: String,
    /// Whether MIC's cloud settings are in a Secret instead of the node's azure.json.
    pub settings_in_secret: bool,
}

/// Path below `deploy/` and content of every generated file.
pub fn all() -> Result<Vec<(&'static str, String)>, Unwritable> {
    let standard = Install::default();
    let managed = Install { namespace: "kube-system".to_owned(), ..Install::default() };
    let secret = Install { settings_in_secret: true, ..Install::default() };
    let mut files = crds::files()?;
    files.extend([
        ("infra/deployment-rbac.yaml", yaml::file(&standard.standard()?)?),
        ("infra/managed-mode-deployment.yaml", yaml::file(&managed.managed()?)?),
        ("infra/mic-exception.yaml", yaml::file(&exceptions::objects(&standard.namespace))?),
        ("infra/noazurejson/deployment-rbac.yaml", yaml::file(&secret.standard()?)?),
        ("infra/secret-access.yaml", yaml::file(&nmi::secret_access(&standard))?),
    ]);
    files.extend(samples::files()?);
    Ok(files)
}

// === impl Install ===

impl Default for Install {
    fn default() -> Self {
        Self { namespace: "default".to_owned(), image: IMAGE.to_owned(), settings_in_secret: false }
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
}
