//! How does a command get into a pod's network from outside?
//!
//! The caller joins the lab's user and PID namespace and the pod's network namespace, gets the
//! lab's `/etc/hosts`, and runs the command there with its own terminal. Being in the lab's PID
//! namespace, the command ends when the lab does.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};

use crate::enter::{EnterError, denied};
use crate::home::{Home, HomeError, PodEntry};

/// How long a pod that was just applied may take to get its network.
const PATIENCE: Duration = Duration::from_secs(2);
/// Pause between looks for it.
const LOOK: Duration = Duration::from_millis(20);

/// Which pod, and which command.
#[derive(Clone, Debug)]
pub struct Exec {
    /// Directory of the lab, if several run.
    pub lab: Option<PathBuf>,
    /// Namespace of the pod.
    pub namespace: String,
    /// Name of the pod.
    pub pod: String,
    /// The command and its arguments.
    pub command: Vec<String>,
}

/// Why a command could not be run in a pod.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExecError {
    /// The lab or the pod was not found.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The kernel refused the pod's namespaces.
    #[error(transparent)]
    Enter(#[from] EnterError),
    /// The lab ended meanwhile, or belongs to somebody else.
    #[error("cannot step into the lab; is it still running, and yours?")]
    Gone(#[source] std::io::Error),
    /// The command itself could not be started.
    #[error("cannot run {command:?} in the pod")]
    Start {
        /// The command's first word.
        command: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// No command was given.
    #[error("no command given; write it after two dashes: podid lab exec POD -- COMMAND")]
    NoCommand,
}

/// Runs the command and returns its exit code. Must be called while the process has one thread.
pub(crate) fn exec(request: &Exec) -> Result<ExitCode, ExecError> {
    let (program, arguments) = request.command.split_first().ok_or(ExecError::NoCommand)?;
    let (home, running) = Home::find(request.lab.clone())?;
    let pod = entry(&home, request)?;
    let of_lab = |what: &str| File::open(format!("/proc/{}/{what}", running.pid)).map_err(ExecError::Gone);
    let network = of_lab(&format!("fd/{}", pod.network))?;
    let (user, processes) = (of_lab("ns/user")?, of_lab("ns/pid")?);

    // Joining one's own user namespace is refused, and not needed: the lab runs as root then.
    let same_user = same(&user, Path::new("/proc/self/ns/user"));
    if !same_user {
        setns(&user, CloneFlags::CLONE_NEWUSER)
            .map_err(|errno| denied("a process in the lab's user namespace", errno))?;
    }
    setns(&processes, CloneFlags::CLONE_NEWPID).map_err(|errno| denied("a process in the lab", errno))?;
    setns(&network, CloneFlags::CLONE_NEWNET)
        .map_err(|errno| denied("a process in the pod's network", errno))?;
    private_hosts(&home.file("hosts")).map_err(|errno| denied("mounts", errno))?;

    let status = Command::new(program)
        .args(arguments)
        .envs(pod.environment)
        .status()
        .map_err(|source| ExecError::Start { command: program.clone(), source })?;
    Ok(crate::enter::exit_code(status))
}

/// How to step into the pod, which may have been applied only a moment ago.
fn entry(home: &Home, request: &Exec) -> Result<PodEntry, HomeError> {
    let begun = Instant::now();
    loop {
        match home.pod(&request.namespace, &request.pod) {
            Err(HomeError::NoSuchPod { .. }) if begun.elapsed() < PATIENCE => std::thread::sleep(LOOK),
            found => return found,
        }
    }
}

/// Gives this process, or this thread, a mount namespace in which `/etc/hosts` is `hosts`.
pub(crate) fn private_hosts(hosts: &Path) -> Result<(), nix::Error> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)?;
    mount(Some(hosts), "/etc/hosts", None::<&str>, MsFlags::MS_BIND, None::<&str>)
}

fn same(file: &File, path: &Path) -> bool {
    match (file.metadata(), path.metadata()) {
        (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}
