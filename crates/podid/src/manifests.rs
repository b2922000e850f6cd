//! The arguments of `podid manifests`.

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use anyhow::Context;
use clap::ValueEnum;
use podid_kube::manifests::{Install, Part};

/// Flags of the printed manifests.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
podid manifests standard --image REGISTRY/podid:TAG | kubectl apply -f -\n  \
podid manifests exceptions | kubectl apply -f -\n  \
podid manifests policies | kubectl apply -f -\n  \
podid manifests secret-access | kubectl apply -n NAMESPACE -f -\n\n\
Nothing is sent to a cluster. Matching is namespaced here; the files under deploy/ are cluster-wide, as \
aad-pod-identity was.\n\nExit codes: 0 success, 1 the output could not be written, 2 wrong usage.")]
pub struct Args {
    /// What to print
    #[arg(value_enum, default_value_t = What::Standard)]
    what: What,
    /// Namespace of the workloads [default: kube-system for managed, else default]
    #[arg(short, long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// Image of podid; needed for standard, managed and demo
    #[arg(long, value_name = "IMAGE")]
    image: Option<String>,
    /// Let an identity serve the pods of its own namespace only; this is the default
    #[arg(long)]
    namespaced: bool,
    /// Let an identity serve pods of every namespace, as aad-pod-identity did
    #[arg(long, conflicts_with = "namespaced")]
    cluster_wide: bool,
    /// Take MIC's cloud settings from the Secret aadpodidentity-admin-secret instead of the node's azure.json
    #[arg(long)]
    no_azure_json: bool,
    /// A further user who may write AzureAssignedIdentity objects, such as
    /// system:serviceaccount:NAMESPACE:NAME of another MIC during a migration; may be repeated
    #[arg(long, value_name = "USER")]
    assignment_writer: Vec<String>,
    /// Key of a taint that new nodes are made with; NMI removes it when it is ready, and may patch nodes for that
    #[arg(long, value_name = "KEY", value_parser = crate::taint::key)]
    startup_taint: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// Definitions, MIC and NMI
    Standard,
    /// Definitions and NMI, for identities that are on the nodes already
    Managed,
    /// Policies for the API server: complete objects only, assignments by MIC only
    Policies,
    /// Pods that talk to IMDS as their node does; apply them after the definitions
    Exceptions,
    /// NMI's right to read Secrets, for each namespace with service principals
    SecretAccess,
    /// An identity, a binding and a pod to try out
    Demo,
    /// Objects of Cilium that bring pods to NMI on nodes with eBPF host routing
    Cilium,
    /// The definitions of the custom resources
    Crds,
}

/// Said instead of printing manifests that cannot run.
const NO_IMAGE: &str = "\
podid: no image is given, and none is published yet, so there is no default.
Build one, make it known to the cluster, and name it (docs/reference/image.md says more):
  cargo xtask image                                  # writes archives and says where
  kind load image-archive ARCHIVE                    # for a local cluster, or push it:
  skopeo copy --all oci-archive:ARCHIVE docker://REGISTRY/podid:TAG
  podid manifests ... --image REGISTRY/podid:TAG";

/// Prints what the arguments ask for.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let Some(install) = args.install() else {
        anstream::eprintln!("{NO_IMAGE}");
        return Ok(ExitCode::from(2));
    };
    let text = install.render(args.what.part())?;
    match std::io::stdout().write_all(text.as_bytes()) {
        // Whoever reads has enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        result => result.map(|()| ExitCode::SUCCESS).context("cannot write the manifests"),
    }
}

// === impl Args ===

impl Args {
    /// The choices; none if an image is needed and not given.
    fn install(&self) -> Option<Install> {
        let needed = matches!(self.what, What::Standard | What::Managed | What::Demo);
        let image = match self.image.clone().filter(|image| !image.trim().is_empty()) {
            None if needed => return None,
            image => image.unwrap_or_default(),
        };
        let usual = if self.what == What::Managed { "kube-system" } else { "default" };
        Some(Install {
            namespace: self.namespace.clone().unwrap_or_else(|| usual.to_owned()),
            image,
            settings_in_secret: self.no_azure_json,
            namespaced: !self.cluster_wide,
            assignment_writers: self.assignment_writer.clone(),
            kubenet: false,
            startup_taint: self.startup_taint.clone().filter(|key| !key.is_empty()),
        })
    }
}

// === impl What ===

impl What {
    fn part(self) -> Part {
        match self {
            Self::Standard => Part::Standard,
            Self::Managed => Part::Managed,
            Self::Policies => Part::Policies,
            Self::Exceptions => Part::Exceptions,
            Self::SecretAccess => Part::SecretAccess,
            Self::Demo => Part::Demo,
            Self::Cilium => Part::Cilium,
            Self::Crds => Part::Crds,
        }
    }
}
