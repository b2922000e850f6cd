//! Which programs does `KUBEBUILDER_ASSETS` give us?
//!
//! The variable is that of controller-runtime's envtest: a folder with some or all of the programs. Who asks for a
//! version of Kubernetes gets that version, so its programs are then built and the folder gives only the others.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::program::{Kubernetes, Program};

/// The variable that names the folder.
const VARIABLE: &str = "KUBEBUILDER_ASSETS";

/// A folder of programs that somebody gave us, if any.
#[derive(Debug)]
pub(crate) struct Given {
    folder: Option<PathBuf>,
    /// Whether the programs of Kubernetes are taken from it.
    with_kubernetes: bool,
}

// === impl Given ===

impl Given {
    /// What the environment says. A folder that is not there is an error: somebody meant it to be used.
    pub(crate) fn from_env(wanted: Option<Kubernetes>) -> anyhow::Result<Self> {
        let folder = std::env::var_os(VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
        Self::new(folder, wanted)
    }

    fn new(folder: Option<PathBuf>, wanted: Option<Kubernetes>) -> anyhow::Result<Self> {
        if let Some(folder) = &folder {
            anyhow::ensure!(
                folder.is_dir(),
                "{VARIABLE} names {}, which is not a folder; unset it to build the programs",
                folder.display()
            );
        }
        Ok(Self { folder, with_kubernetes: wanted.is_none() })
    }

    /// Whether there is a folder at all.
    pub(crate) fn is_used(&self) -> bool {
        self.folder.is_some()
    }

    /// The program, if it is given.
    pub(crate) fn path(&self, program: Program) -> Option<PathBuf> {
        let path = self.folder.as_ref()?.join(program.name());
        let allowed = self.with_kubernetes || !program.is_of_kubernetes();
        (allowed && is_program(&path)).then(|| fs::canonicalize(path).ok())?
    }
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    /// A folder in which `names` can be run and `plain` is a file like any other.
    fn folder(names: &[&str], plain: &str) -> TempDir {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join(plain), "").unwrap();
        for name in names {
            let path = folder.path().join(name);
            fs::write(&path, "").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        folder
    }

    fn names(given: &Given) -> Vec<&'static str> {
        Program::ALL.into_iter().filter(|&program| given.path(program).is_some()).map(Program::name).collect()
    }

    #[test]
    fn each_program_that_can_be_run_is_taken() {
        let folder = folder(&["etcd", "kube-apiserver"], "kubectl");
        let given = Given::new(Some(folder.path().to_path_buf()), None).unwrap();
        assert!(given.is_used());
        assert_eq!(names(&given), ["etcd", "kube-apiserver"]);
    }

    #[test]
    fn who_asks_for_a_version_gets_it() {
        let folder = folder(&["etcd", "kube-apiserver", "kubectl"], "helm");
        let given = Given::new(Some(folder.path().to_path_buf()), Some(Kubernetes::V1_30)).unwrap();
        assert_eq!(names(&given), ["etcd"]);
    }

    #[test]
    fn nothing_is_given_without_the_variable() {
        let given = Given::new(None, None).unwrap();
        assert!(!given.is_used());
        assert_eq!(names(&given), [""; 0]);
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        let error = Given::new(Some("/no/such/folder".into()), None).unwrap_err().to_string();
        assert!(error.contains(VARIABLE) && error.contains("/no/such/folder"), "{error}");
    }
}
