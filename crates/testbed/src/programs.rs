//! Where are the programs that a control plane is made of?

use std::io::Write;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

/// The programs' names, as their files are called.
pub const NAMES: [&str; 5] = ["etcd", "kube-apiserver", "kube-controller-manager", "kubectl", "helm"];

/// Variables that name a folder with the programs; the first that is set counts.
const VARIABLES: [&str; 2] = ["PODID_ASSETS", "KUBEBUILDER_ASSETS"];

/// The paths of the five programs.
#[derive(Clone, Debug)]
pub struct Programs {
    /// Keeps the objects.
    pub etcd: PathBuf,
    /// Serves them.
    pub kube_apiserver: PathBuf,
    /// Runs the controllers: deployments, garbage collection, service accounts and so on.
    pub kube_controller_manager: PathBuf,
    /// The client that users have.
    pub kubectl: PathBuf,
    /// The package manager that users have.
    pub helm: PathBuf,
}

/// A program is not where it should be, or may not be run.
#[derive(Debug, thiserror::Error)]
#[error("{program} cannot be run: {problem}; `cargo xtask test` builds it, or set PODID_ASSETS to a folder with {}", NAMES.join(", "))]
pub struct Missing {
    program: &'static str,
    problem: String,
}

// === impl Programs ===

impl Programs {
    /// Looks into the folder of `PODID_ASSETS`, else of `KUBEBUILDER_ASSETS`, else into `target/testassets`.
    pub fn find() -> Result<Self, Missing> {
        let named =
            VARIABLES.iter().find_map(|name| std::env::var_os(name).filter(|folder| !folder.is_empty()));
        Self::inside(&named.map_or_else(built, PathBuf::from))
    }

    /// The programs of `folder`; all of them must be there.
    pub fn inside(folder: &Path) -> Result<Self, Missing> {
        let find = |program: &'static str| {
            let path = folder.join(program);
            match access(&path, AccessFlags::X_OK) {
                Ok(()) if path.is_file() => Ok(path),
                Ok(()) => Err(Missing { program, problem: format!("{} is no file", path.display()) }),
                Err(error) => {
                    Err(Missing { program, problem: format!("{}: {}", path.display(), error.desc()) })
                }
            }
        };
        Ok(Self {
            etcd: find("etcd")?,
            kube_apiserver: find("kube-apiserver")?,
            kube_controller_manager: find("kube-controller-manager")?,
            kubectl: find("kubectl")?,
            helm: find("helm")?,
        })
    }

    /// The programs, or nothing and one loud line on standard error that says what `test` did not show.
    ///
    /// # Panics
    ///
    /// With `CI=true`, where nothing may be skipped.
    #[allow(clippy::panic, reason = "a test without its programs fails in CI")]
    pub fn find_or_skip(test: &str) -> Option<Self> {
        match Self::find() {
            Ok(programs) => Some(programs),
            Err(missing) if in_ci() => panic!("{test}: {missing}"),
            Err(missing) => {
                // Past `eprintln!`, which the test harness keeps to itself when a test passes.
                let _ = writeln!(std::io::stderr(), "SKIPPED: {test}: {missing}");
                None
            }
        }
    }
}

/// Where `cargo xtask test` builds them.
fn built() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"));
    target.join("testassets")
}

fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| value.eq_ignore_ascii_case("true") || value == "1")
}
