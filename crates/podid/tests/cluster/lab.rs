//! How do MIC and NMI run on the control plane, beside a simulated Azure? In a lab that is a guest there.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use podid_testbed::ControlPlane;
use tempfile::TempDir;

/// How long anything may take on a slow machine.
const PATIENCE: Duration = Duration::from_mins(2);

/// A lab that runs until it is stopped or dropped. Its roles have the rights that the plain manifests grant.
pub(crate) struct Lab {
    process: Child,
    place: TempDir,
}

// === impl Lab ===

impl Lab {
    pub(crate) fn up(cluster: &ControlPlane, mode: &str) -> Self {
        let place = TempDir::new().unwrap();
        let mut process = podid(&place)
            .args(["lab", "up", "--mode", mode, "--kubeconfig"])
            .arg(cluster.admin_kubeconfig())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let (tell, told) = mpsc::channel();
        // Reads on to the end, so that the lab never waits for a reader.
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if line.starts_with("export KUBECONFIG=") {
                    let _ = tell.send(());
                }
            }
        });
        let lab = Self { process, place };
        told.recv_timeout(PATIENCE)
            .unwrap_or_else(|_| panic!("the lab did not start; its messages are above"));
        lab
    }

    /// A variable that the lab gives to those who follow the tutorial.
    pub(crate) fn variable(&self, name: &str) -> String {
        let output = podid(&self.place).args(["lab", "env"]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let value = text.lines().find_map(|line| line.strip_prefix(&format!("export {name}=")));
        value.unwrap_or_else(|| panic!("no {name} in {text}")).trim_matches('\'').to_owned()
    }

    /// The first line of the answer to a pod that asks for a token.
    pub(crate) fn ask(&self, namespace: &str, pod: &str) -> String {
        let target =
            "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fvault.azure.net";
        let script = format!(
            "exec 3<>/dev/tcp/169.254.169.254/80; printf 'GET {} HTTP/1.1\\r\\nHost: imds\\r\\nMetadata: true\\r\\nConnection: close\\r\\n\\r\\n' >&3; head -1 <&3",
            target.replace('%', "%%")
        );
        let output = podid(&self.place)
            .args(["lab", "exec", "--namespace", namespace, pod, "--", "bash", "-c", &script])
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    }

    /// Ends it as Ctrl-C does.
    pub(crate) fn stop(mut self) {
        self.interrupt();
    }

    fn interrupt(&mut self) {
        if let Ok(None) = self.process.try_wait() {
            let _ = kill(Pid::from_raw(self.process.id().cast_signed()), Signal::SIGINT);
            let _ = self.process.wait();
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.interrupt();
    }
}

fn podid(place: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_podid"));
    command.env("TMPDIR", place.path());
    command
}

/// Waits until `holds` does.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "it never came true that {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}
