//! How does a program start in a pod's network, and how does it end?

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};

use super::program::Program;
use crate::net::Namespace;

/// What every program in the lab finds around it.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    /// File that takes the place of `/etc/hosts`.
    pub hosts: PathBuf,
    /// Environment of every program; a container's own comes on top.
    pub environment: Vec<(String, String)>,
}

/// A program that runs, in a process group of its own.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    group: Pid,
}

// === impl Surroundings ===

impl Surroundings {
    /// Starts `program` in `namespace`; each line that it prints goes to `line`.
    ///
    /// A mount and a network namespace belong to a thread, and a child inherits them from the
    /// thread that starts it; so a thread enters them, starts the child, and ends.
    pub(crate) fn start(
        &self,
        namespace: &Namespace,
        program: &Program,
        line: impl Fn(Bytes) + Clone + Send + 'static,
    ) -> io::Result<Process> {
        let runtime = tokio::runtime::Handle::current();
        let mut command = self.command(program)?;
        let mut child = namespace.run(move || {
            let _inside = runtime.enter();
            crate::exec::private_hosts(&self.hosts)?;
            command.spawn()
        })??;
        let group = Pid::from_raw(child.id().and_then(|id| i32::try_from(id).ok()).unwrap_or_default());
        if let Some(output) = child.stdout.take() {
            tokio::spawn(read_lines(output, line.clone()));
        }
        if let Some(output) = child.stderr.take() {
            tokio::spawn(read_lines(output, line));
        }
        Ok(Process { child, group })
    }

    fn command(&self, program: &Program) -> io::Result<Command> {
        let (first, arguments) =
            program.argv.split_first().ok_or_else(|| io::Error::other("the command is empty"))?;
        // The running binary itself, also when the file at its path was replaced meanwhile.
        let file: OsString = if first == "podid" { "/proc/self/exe".into() } else { first.into() };
        let mut command = std::process::Command::new(file);
        std::os::unix::process::CommandExt::arg0(&mut command, first);
        command
            .args(arguments)
            .env_clear()
            .envs(self.environment.iter().cloned())
            .envs(program.environment.iter().cloned());
        command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut command = Command::from(command);
        command.kill_on_drop(true);
        Ok(command)
    }
}

// === impl Process ===

impl Process {
    /// Waits for its end; the exit code, or 128 and the number of the signal that ended it.
    pub(crate) async fn wait(&mut self) -> i32 {
        use std::os::unix::process::ExitStatusExt;
        let code = match self.child.wait().await {
            Ok(status) => status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1),
            Err(_) => 1,
        };
        // What it left behind must not outlive it.
        let _ = killpg(self.group, Signal::SIGKILL);
        code
    }

    /// Asks it to end, and makes it after `grace`.
    pub(crate) async fn stop(&mut self, grace: Duration) -> i32 {
        let _ = killpg(self.group, Signal::SIGTERM);
        if let Ok(code) = tokio::time::timeout(grace, self.wait()).await {
            return code;
        }
        let _ = killpg(self.group, Signal::SIGKILL);
        self.wait().await
    }
}

async fn read_lines(output: impl AsyncRead + Unpin, line: impl Fn(Bytes)) {
    let mut lines = BufReader::new(output).split(b'\n');
    while let Ok(Some(text)) = lines.next_segment().await {
        line(text.into());
    }
}
