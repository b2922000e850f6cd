//! How is the controller started, and what does it use?

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

use crate::stage::{Stage, binary};

/// How long it may take to lead.
const PATIENCE: Duration = Duration::from_mins(1);

/// The shipped controller with its defaults, in a process of its own; killed when this is dropped.
pub(crate) struct Controller {
    process: Child,
    probes: u16,
}

// === impl Controller ===

impl Controller {
    /// Starts it and waits until it leads.
    pub(crate) fn start(stage: &Stage) -> Self {
        let (probes, metrics) = (free_port(), free_port());
        let mut command = Command::new(binary());
        command.args(["mic", "--leader-election-instance=bench"]);
        command.arg("--kubeconfig").arg(stage.cluster.kubeconfig());
        command.arg(format!("--http-probe-port={probes}")).arg(format!("--prometheus-port={metrics}"));
        command.env("MIC_POD_NAMESPACE", "default").env_remove("RUST_LOG");
        stage.cloud.introduce(&mut command);
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let controller = Self { process, probes };
        let began = Instant::now();
        while !controller.leads() {
            assert!(began.elapsed() < PATIENCE, "the controller does not lead");
            std::thread::sleep(Duration::from_millis(20));
        }
        controller
    }

    fn leads(&self) -> bool {
        let ask = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect(("127.0.0.1", self.probes))?;
            stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).map(|_| answer)
        };
        ask().is_ok_and(|answer| answer.ends_with("\r\n\r\nActive"))
    }

    /// CPU time of all its threads so far, kernel time included.
    pub(crate) fn cpu(&self) -> Duration {
        let clock = clock_getcpuclockid(Pid::from_raw(i32::try_from(self.process.id()).unwrap())).unwrap();
        clock_gettime(clock).unwrap().into()
    }

    /// The most that it ever had in memory, in MiB.
    pub(crate) fn peak(&self) -> f64 {
        self.status("VmHWM:")
    }

    /// What it has in memory now, in MiB.
    pub(crate) fn resident(&self) -> f64 {
        self.status("VmRSS:")
    }

    fn status(&self, key: &str) -> f64 {
        let text = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap();
        line.split_whitespace().next().unwrap().parse::<f64>().unwrap() / 1024.0
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
