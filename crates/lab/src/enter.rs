//! How does the lab get a network of its own, as an ordinary user or as root?
//!
//! A new user namespace can only be entered by a process with one thread, so this runs before any
//! runtime starts. The process that the user started stays outside as supervisor: it owns the
//! files, passes signals on, and cleans up whatever way the lab inside ends. The lab inside is
//! the first process of a new PID namespace, so the kernel ends all others with it.

use std::fs;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::{Gid, Pid, Uid};

use crate::doors::Doors;
use crate::home::{Home, Running};

/// What to say when the kernel granted the namespaces but denies what happens inside them.
pub(crate) const LATE_DENIAL: &str = "this machine lets you create namespaces but not a network inside them; \
     load the module or allow the operation named below, or run as root: sudo target/debug/podid lab demo";

/// Why the lab could not get namespaces, with what to change on this machine.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EnterError {
    /// The kernel refused the namespaces.
    #[error(
        "this machine does not let you create {what} ({errno}).\n\
         Either allow it:   {setting}\n\
         or run as root:    sudo {program} lab demo"
    )]
    Denied {
        /// Which kind of namespace or operation.
        what: &'static str,
        /// What the kernel said.
        errno: nix::Error,
        /// The setting that usually forbids it.
        setting: &'static str,
        /// This program's path.
        program: String,
    },
    /// A file or process operation failed on the way.
    #[error("cannot {what}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// The lab's directory could not be made.
    #[error(transparent)]
    Home(#[from] crate::home::HomeError),
}

/// Enters new namespaces and runs the lab there: this binary again, with `arguments` and the sockets that
/// listen outside handed over on its standard input.
///
/// Returns when the lab inside has ended and its files are removed. Must be called while the
/// process has one thread.
pub(crate) fn supervise(home: &Home, doors: &Doors, arguments: &[String]) -> Result<ExitCode, EnterError> {
    let signals = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGCHLD]);
    // Blocked, not handled: they wait until `sigwait` takes them. The lab inside unblocks them.
    signals.thread_block().map_err(system("block signals"))?;
    let result = new_namespaces().and_then(|()| {
        let mut child = Command::new("/proc/self/exe")
            .arg0("podid")
            .args(arguments)
            .stdin(Stdio::from(doors.hand_over().map_err(system("hand over sockets"))?))
            .process_group(0)
            .spawn()
            .map_err(system("start the lab"))?;
        let pid = i32::try_from(child.id()).unwrap_or_default();
        home.announce(&Running { pid })?;
        wait(&mut child, &signals)
    });
    home.remove();
    result.map(exit_code)
}

fn new_namespaces() -> Result<(), EnterError> {
    let (user, group) = (Uid::effective(), Gid::effective());
    let own = CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID;
    if user.is_root() {
        unshare(own).map_err(|errno| denied("network namespaces", errno))?;
    } else {
        unshare(CloneFlags::CLONE_NEWUSER).map_err(|errno| denied("user namespaces", errno))?;
        map("/proc/self/setgroups", "deny")?;
        map("/proc/self/uid_map", &format!("0 {user} 1"))?;
        map("/proc/self/gid_map", &format!("0 {group} 1"))?;
        unshare(own).map_err(|errno| denied("network namespaces in a user namespace", errno))?;
    }
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>).map_err(|errno| denied("mounts", errno))
}

/// Passes signals on until the lab has ended. Only the child's end ends the wait.
fn wait(child: &mut Child, signals: &SigSet) -> Result<ExitStatus, EnterError> {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap_or_default());
    loop {
        match signals.wait() {
            Ok(Signal::SIGCHLD) => {
                if let Some(status) = child.try_wait().map_err(system("wait for the lab"))? {
                    return Ok(status);
                }
            }
            Ok(signal) => {
                let _ = kill(pid, signal);
            }
            Err(errno) => return Err(system("wait for signals")(errno)),
        }
    }
}

/// A command that was ended by a signal exits as a shell would say it: 128 and the signal's number.
pub(crate) fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

fn map(path: &str, content: &str) -> Result<(), EnterError> {
    fs::write(path, content).map_err(|source| {
        let errno = nix::Error::from_raw(source.raw_os_error().unwrap_or_default());
        denied("a mapping of your user into a new namespace", errno)
    })
}

/// The message that names the setting for what the kernel refused.
pub(crate) fn denied(what: &'static str, errno: nix::Error) -> EnterError {
    let apparmor = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns";
    let setting = if fs::read_to_string(apparmor).is_ok_and(|value| value.trim() == "1") {
        "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
    } else if fs::read_to_string("/proc/sys/kernel/unprivileged_userns_clone")
        .is_ok_and(|value| value.trim() == "0")
    {
        "sudo sysctl -w kernel.unprivileged_userns_clone=1"
    } else if fs::read_to_string("/proc/sys/user/max_user_namespaces").is_ok_and(|value| value.trim() == "0")
    {
        "sudo sysctl -w user.max_user_namespaces=15000"
    } else {
        "in a container, start it with --privileged or --security-opt seccomp=unconfined"
    };
    let program = std::env::current_exe()
        .map_or_else(|_| "target/debug/podid".to_owned(), |path| path.display().to_string());
    EnterError::Denied { what, errno, setting, program }
}

fn system<E: Into<std::io::Error>>(what: &'static str) -> impl FnOnce(E) -> EnterError {
    move |source| EnterError::System { what, source: source.into() }
}
