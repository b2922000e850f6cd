//! Where does a running lab keep its files, and how is it found again?
//!
//! One directory per lab, readable by its owner only, gone when the lab is gone. Tokens are never
//! written to a disk; the kubeconfig holds the lab's own random credential, and tokens of a given
//! cluster are in a folder that is in memory and exists inside the lab only.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::Uid;
use serde::{Deserialize, Serialize};

/// Folder for what must not reach a disk.
const PRIVATE: &str = "private";

/// The directory of one lab.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    path: PathBuf,
}

/// What others need to know to step into a running lab.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Running {
    /// Process id, as seen from the host, of the process that holds the lab's namespaces.
    pub pid: i32,
}

/// How to step into a pod's network.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PodEntry {
    /// Number of the file descriptor, in the lab's process, of the pod's network namespace.
    pub network: i32,
    /// Environment that the lab gives to programs in the pod.
    pub environment: Vec<(String, String)>,
}

/// Why a lab's directory cannot be used or found.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HomeError {
    /// The directory cannot be made safely.
    #[error("cannot create {path}; set TMPDIR to a directory that you may write to")]
    Create {
        /// Which directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Somebody else owns the directory that ours would be in.
    #[error(
        "{0} belongs to another user or is open to others; remove it, or set TMPDIR to another directory"
    )]
    NotOurs(PathBuf),
    /// A file could not be written.
    #[error("cannot write {path}")]
    Write {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// No lab of this user runs.
    #[error("no lab is running; start one with: podid lab up")]
    NoneRunning,
    /// More than one runs, so the caller must choose.
    #[error("{} labs are running; choose one with --lab, which takes one of: {}", .0.len(), list(.0))]
    Several(Vec<PathBuf>),
    /// The running lab has no such pod.
    #[error("the lab has no running pod {namespace}/{name}; see: kubectl get pods -A")]
    NoSuchPod {
        /// Namespace asked for.
        namespace: String,
        /// Name asked for.
        name: String,
    },
}

// === impl Home ===

impl Home {
    /// Makes a new directory, and removes those of labs that were killed.
    pub(crate) fn create() -> Result<Self, HomeError> {
        let parent = parent();
        for dead in homes(&parent).into_iter().filter(Self::is_abandoned) {
            dead.remove();
        }
        private_directory(&parent)?;
        let path = parent.join(std::process::id().to_string());
        let _ = fs::remove_dir_all(&path);
        private_directory(&path)?;
        for folder in ["bin", "pods"] {
            private_directory(&path.join(folder))?;
        }
        Ok(Self { path })
    }

    /// The directory at `path`, which another process made.
    pub(crate) fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// The lab that runs: the one at `choice`, else the only one of this user.
    pub(crate) fn find(choice: Option<PathBuf>) -> Result<(Self, Running), HomeError> {
        let candidates = match choice {
            Some(path) => vec![Self { path }],
            None => homes(&parent()),
        };
        let mut running: Vec<_> =
            candidates.into_iter().filter_map(|home| home.running().map(|running| (home, running))).collect();
        match running.len() {
            0 => Err(HomeError::NoneRunning),
            1 => Ok(running.remove(0)),
            _ => Err(HomeError::Several(running.into_iter().map(|(home, _)| home.path).collect())),
        }
    }

    /// The directory itself.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A file or folder in it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file that only its owner can read, whole or not at all.
    pub(crate) fn write(&self, name: &str, content: &[u8]) -> Result<PathBuf, HomeError> {
        let path = self.path.join(name);
        let new = self.path.join(format!("{name}.new"));
        write_private(&new, content)
            .and_then(|()| fs::rename(&new, &path))
            .map_err(|source| HomeError::Write { path: path.clone(), source })?;
        Ok(path)
    }

    /// A folder in memory, which only processes of the lab see. Call it once, inside.
    pub(crate) fn private(&self) -> Result<PathBuf, HomeError> {
        let path = self.path.join(PRIVATE);
        private_directory(&path)?;
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        mount(Some("tmpfs"), &path, Some("tmpfs"), flags, Some("mode=0700,size=1m"))
            .map_err(|errno| HomeError::Create { path: path.clone(), source: errno.into() })?;
        Ok(path)
    }

    /// Says that the lab runs, and in which process.
    pub(crate) fn announce(&self, running: &Running) -> Result<(), HomeError> {
        self.write_json("lab.json", running)
    }

    /// Says how to step into a pod.
    pub(crate) fn announce_pod(
        &self,
        namespace: &str,
        name: &str,
        entry: &PodEntry,
    ) -> Result<(), HomeError> {
        self.write_json(&pod_file(namespace, name), entry)
    }

    /// Takes that back.
    pub(crate) fn forget_pod(&self, namespace: &str, name: &str) {
        let _ = fs::remove_file(self.path.join(pod_file(namespace, name)));
    }

    /// How to step into a pod of this lab.
    pub(crate) fn pod(&self, namespace: &str, name: &str) -> Result<PodEntry, HomeError> {
        self.read_json(&pod_file(namespace, name))
            .ok_or_else(|| HomeError::NoSuchPod { namespace: namespace.to_owned(), name: name.to_owned() })
    }

    /// Removes the directory and all that is in it.
    pub(crate) fn remove(&self) {
        // Only mounted inside, and only where a cluster was given.
        let _ = umount2(&self.path.join(PRIVATE), MntFlags::MNT_DETACH);
        let _ = fs::remove_dir_all(&self.path);
        // Only succeeds when no other lab of this user is left.
        if let Some(parent) = self.path.parent() {
            let _ = fs::remove_dir(parent);
        }
    }

    fn running(&self) -> Option<Running> {
        let running: Running = self.read_json("lab.json")?;
        Path::new(&format!("/proc/{}/ns/net", running.pid)).exists().then_some(running)
    }

    /// Neither the process that made it (its name) nor the one that it announces is alive.
    pub(crate) fn is_abandoned(&self) -> bool {
        let maker = self.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        !Path::new("/proc").join(maker).exists() && self.running().is_none()
    }

    fn write_json(&self, name: &str, value: &impl Serialize) -> Result<(), HomeError> {
        let text = serde_json::to_vec(value).unwrap_or_default();
        self.write(name, &text).map(drop)
    }

    fn read_json<T: for<'de> Deserialize<'de>>(&self, name: &str) -> Option<T> {
        serde_json::from_slice(&fs::read(self.path.join(name)).ok()?).ok()
    }
}

fn parent() -> PathBuf {
    std::env::temp_dir().join(format!("podid-lab-{}", Uid::effective()))
}

fn homes(parent: &Path) -> Vec<Home> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    entries.map(|entry| Home { path: entry.path() }).filter(|home| home.path.is_dir()).collect()
}

fn pod_file(namespace: &str, name: &str) -> String {
    // Neither part can hold an underscore: both are DNS names.
    format!("pods/{namespace}_{name}.json")
}

fn private_directory(path: &Path) -> Result<(), HomeError> {
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let ours = fs::symlink_metadata(path).is_ok_and(|found| {
                found.is_dir() && found.uid() == Uid::effective().as_raw() && found.mode() & 0o077 == 0
            });
            if ours { Ok(()) } else { Err(HomeError::NotOurs(path.to_owned())) }
        }
        Err(source) => Err(HomeError::Create { path: path.to_owned(), source }),
    }
}

/// Writes a file that only its owner can read.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> std::io::Result<()> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?.write_all(content)
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}
