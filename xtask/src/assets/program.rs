//! Which programs are these, what is each built from, and with which version stamped in?

use std::fmt;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

/// A program of another project that the tests run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Program {
    Etcd,
    KubeApiserver,
    KubeControllerManager,
    Kubectl,
    Helm,
    /// Our program that asks for tokens with azidentity of Go.
    Azidentity,
    /// A Python that has today's azure-identity.
    PythonToday,
    /// A Python that has the azure-identity of 2020.
    Python2020,
}

/// A version of Kubernetes that `testassets/` can build.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kubernetes {
    /// What the tests use unless told otherwise
    #[default]
    #[value(name = "1.34")]
    V1_34,
    /// The oldest that podid promises to work with
    #[value(name = "1.30")]
    V1_30,
}

/// What a program is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A module of Go.
    Go(Module),
    /// Packages that the `requirements.txt` in this folder under `testassets/` pins.
    Pip(&'static str),
}

/// A module that a program is built from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Module {
    /// Its folder under `testassets/`.
    pub(crate) folder: String,
    /// The path under which `go.mod` requires it; its version is the program's.
    pub(crate) path: &'static str,
    /// The package of the program's `main`.
    pub(crate) package: &'static str,
}

// === impl Program ===

impl Program {
    /// Every program, the quickest to build first.
    pub(crate) const ALL: [Self; 8] = [
        Self::Azidentity,
        Self::PythonToday,
        Self::Python2020,
        Self::Etcd,
        Self::Helm,
        Self::Kubectl,
        Self::KubeApiserver,
        Self::KubeControllerManager,
    ];

    /// The name of its file.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::KubeApiserver => "kube-apiserver",
            Self::KubeControllerManager => "kube-controller-manager",
            Self::Kubectl => "kubectl",
            Self::Helm => "helm",
            Self::Azidentity => "azidentity",
            Self::PythonToday => "python-today",
            Self::Python2020 => "python-2020",
        }
    }

    /// Whether it differs between versions of Kubernetes.
    pub(crate) const fn is_of_kubernetes(self) -> bool {
        matches!(self, Self::KubeApiserver | Self::KubeControllerManager | Self::Kubectl)
    }

    /// Whether it is an Azure SDK with what it needs to run.
    pub(crate) const fn is_sdk(self) -> bool {
        matches!(self, Self::Azidentity | Self::PythonToday | Self::Python2020)
    }

    /// What it is made from.
    pub(crate) fn source(self, kubernetes: Kubernetes) -> Source {
        let (folder, path, package) = match self {
            Self::PythonToday => return Source::Pip("python/today"),
            Self::Python2020 => return Source::Pip("python/2020"),
            Self::Etcd => ("etcd".to_owned(), "go.etcd.io/etcd/server/v3", "go.etcd.io/etcd/server/v3"),
            Self::Helm => ("helm".to_owned(), "helm.sh/helm/v3", "helm.sh/helm/v3/cmd/helm"),
            Self::KubeApiserver => of_kubernetes(kubernetes, "k8s.io/kubernetes/cmd/kube-apiserver"),
            Self::KubeControllerManager => {
                of_kubernetes(kubernetes, "k8s.io/kubernetes/cmd/kube-controller-manager")
            }
            Self::Kubectl => of_kubernetes(kubernetes, "k8s.io/kubernetes/cmd/kubectl"),
            Self::Azidentity => {
                ("azidentity".to_owned(), "github.com/Azure/azure-sdk-for-go/sdk/azidentity", ".")
            }
        };
        Source::Go(Module { folder, path, package })
    }

    /// Stamps what a plain build would leave at a version of nowhere, as each project's own build does.
    ///
    /// `version` begins with a `v`; `go_mod` says which Kubernetes helm was made with.
    pub(crate) fn linker_flags(self, version: &str, go_mod: &str) -> String {
        let stamps = match self {
            // They have their version in their source.
            Self::Etcd | Self::Azidentity | Self::PythonToday | Self::Python2020 => Vec::new(),
            Self::Helm => {
                let client = required(go_mod, "k8s.io/client-go").unwrap_or("v0.0.0");
                let places = ["helm.sh/helm/v3/pkg/lint/rules", "helm.sh/helm/v3/pkg/chartutil"];
                let mut stamps = vec![format!("helm.sh/helm/v3/internal/version.version={version}")];
                for place in places {
                    stamps.push(format!("{place}.k8sVersionMajor=1"));
                    stamps.push(format!("{place}.k8sVersionMinor={}", minor(client)));
                }
                stamps
            }
            Self::KubeApiserver | Self::KubeControllerManager | Self::Kubectl => {
                let places = ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"];
                let stamp = |place: &str| {
                    [
                        format!("{place}.gitVersion={version}"),
                        format!("{place}.gitMajor=1"),
                        format!("{place}.gitMinor={}", minor(version)),
                        format!("{place}.gitTreeState=clean"),
                    ]
                };
                places.into_iter().flat_map(stamp).collect()
            }
        };
        stamps.iter().fold("-s -w".to_owned(), |flags, stamp| format!("{flags} -X {stamp}"))
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

// === impl Kubernetes ===

impl Kubernetes {
    /// The folder of its programs. Those of the default version lie where one looks first.
    pub(crate) fn folder(self, target: &Path) -> PathBuf {
        if self == Self::default() { target.to_path_buf() } else { target.join(self.to_string()) }
    }
}

impl fmt::Display for Kubernetes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1_34 => "1.34",
            Self::V1_30 => "1.30",
        })
    }
}

/// The version that a `go.mod` requires of `module`, or says that it takes instead.
pub(crate) fn required<'a>(go_mod: &'a str, module: &str) -> Option<&'a str> {
    go_mod.lines().find_map(|line| {
        let mut words = line.trim().trim_start_matches("require ").split_whitespace();
        (words.next()? == module).then(|| words.next())?.filter(|version| version.starts_with('v'))
    })
}

fn of_kubernetes(kubernetes: Kubernetes, package: &'static str) -> (String, &'static str, &'static str) {
    (format!("kubernetes-{kubernetes}"), "k8s.io/kubernetes", package)
}

/// 34 of v1.34.4, and of v0.34.4, which is what modules of Kubernetes say.
fn minor(version: &str) -> &str {
    version.split('.').nth(1).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_version_is_what_go_mod_requires() {
        let go_mod = "module x\n\nrequire (\n\tk8s.io/api-extra v0.1.2\n\tk8s.io/api v0.34.4 // indirect\n)\n\
            replace (\n\tk8s.io/cri => k8s.io/cri v0.34.4\n)\nrequire helm.sh/helm/v3 v3.19.5\n";
        assert_eq!(required(go_mod, "k8s.io/api"), Some("v0.34.4"));
        assert_eq!(required(go_mod, "helm.sh/helm/v3"), Some("v3.19.5"));
        assert_eq!(required(go_mod, "k8s.io/cri"), None);
        assert_eq!(required(go_mod, "k8s.io/client-go"), None);
    }

    #[test]
    fn every_program_is_a_tool_of_a_module_that_is_there() {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("testassets");
        for &kubernetes in Kubernetes::value_variants() {
            for program in Program::ALL {
                let Source::Go(module) = program.source(kubernetes) else { continue };
                let go_mod = fs::read_to_string(sources.join(&module.folder).join("go.mod")).unwrap();
                let version = required(&go_mod, module.path).unwrap_or_else(|| panic!("{program}: {go_mod}"));
                assert!(go_mod.contains(module.package), "{program}: {go_mod}");
                if program.is_of_kubernetes() {
                    assert!(version.starts_with(&format!("v{kubernetes}.")), "{program}: {version}");
                }
            }
        }
    }

    #[test]
    fn every_python_has_azure_identity_and_the_client_of_key_vault_pinned_by_hashes() {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("testassets");
        let folders = Program::ALL.map(|program| program.source(Kubernetes::default()));
        let pinned = folders.into_iter().filter_map(|source| match source {
            Source::Pip(folder) => Some(fs::read_to_string(sources.join(folder).join("requirements.txt"))),
            Source::Go(_) => None,
        });
        let pinned: Vec<_> = pinned.map(Result::unwrap).collect();
        assert_eq!(pinned.len(), 2);
        for text in pinned {
            for package in ["azure-identity==", "azure-keyvault-secrets=="] {
                assert!(text.lines().any(|line| line.starts_with(package)), "{package}");
            }
            assert!(text.contains("--hash=sha256:"));
        }
    }

    #[test]
    fn versions_are_stamped() {
        let flags = Program::Kubectl.linker_flags("v1.34.4", "");
        assert!(flags.starts_with("-s -w -X "), "{flags}");
        assert!(flags.contains(" -X k8s.io/component-base/version.gitVersion=v1.34.4 "), "{flags}");
        assert!(flags.contains("-X k8s.io/client-go/pkg/version.gitMinor=34"), "{flags}");
        let flags = Program::Helm.linker_flags("v3.19.5", "\tk8s.io/client-go v0.34.2 // indirect\n");
        assert!(flags.contains("internal/version.version=v3.19.5"), "{flags}");
        assert!(flags.contains("chartutil.k8sVersionMinor=34"), "{flags}");
    }
}
