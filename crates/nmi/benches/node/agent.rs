//! How is a server started on a node, and what does it use?

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

use crate::bare;
use crate::stage::{Place, Stage, binary};

/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_mins(1);

/// A server in a process of its own; killed when this is dropped.
pub(crate) struct Agent {
    process: Child,
    /// When it was started.
    pub(crate) began: Instant,
    lines: Arc<AtomicUsize>,
}

/// What a process has in memory, in KiB.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    pub(crate) resident: f64,
    /// What no other process has, too.
    pub(crate) private: f64,
}

// === impl Agent ===

impl Agent {
    /// The shipped agent, as ready as it gets. With `log`, as `RUST_LOG` says.
    pub(crate) fn start(stage: &Stage, place: &Place, log: Option<&str>) -> Self {
        let agent = Self::exec(stage, place, log);
        agent.wait_until_ready(place);
        agent
    }

    /// The shipped agent, just started.
    pub(crate) fn exec(stage: &Stage, place: &Place, log: Option<&str>) -> Self {
        let mut command = Command::new(binary());
        command.args(["nmi", "--log-format=json", "--allow-network-plugin-kubenet", "--node", &place.name()]);
        command.arg("--kubeconfig").arg(stage.cluster.kubeconfig());
        command.env_remove("RUST_LOG").envs(log.map(|filter| ("RUST_LOG", filter)));
        Self::spawn(place, command)
    }

    /// A bare server that sends `body`, behind the redirect.
    pub(crate) fn bare(place: &Place, body: &[u8]) -> Self {
        let mut command = Command::new("/proc/self/exe");
        command.args([bare::FLAG, &place.node.address().to_string()]).stdin(Stdio::piped());
        let mut agent = Self::spawn(place, command.stdout(Stdio::piped()));
        agent.process.stdin.take().unwrap().write_all(body).unwrap();
        let mut ready = [0; 1];
        agent.process.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
        agent
    }

    fn spawn(place: &Place, mut command: impl std::borrow::BorrowMut<Command> + Send) -> Self {
        let command = command.borrow_mut();
        command.stderr(Stdio::piped());
        let began = Instant::now();
        let mut process = place.node.namespace().run(|| command.spawn()).unwrap().unwrap();
        let lines = Arc::new(AtomicUsize::new(0));
        let (output, counted) = (process.stderr.take().unwrap(), lines.clone());
        // A container runtime reads, too.
        thread::spawn(move || {
            for line in BufReader::with_capacity(64 * 1024, output).split(b'\n') {
                line.unwrap();
                counted.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self { process, began, lines }
    }

    /// Waits for `/readyz`, and says how long after the start it was.
    pub(crate) fn wait_until_ready(&self, place: &Place) -> Duration {
        let probes = SocketAddr::from((Ipv4Addr::LOCALHOST, 8080));
        let ready = || -> std::io::Result<bool> {
            let mut stream = TcpStream::connect(probes)?;
            stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer.starts_with("HTTP/1.1 200"))
        };
        let waited = || {
            while !ready().unwrap_or(false) {
                assert!(self.began.elapsed() < PATIENCE, "the agent is not ready");
                thread::sleep(Duration::from_micros(300));
            }
            self.began.elapsed()
        };
        place.node.namespace().run(waited).unwrap()
    }

    /// CPU time of all its threads so far, kernel time included.
    pub(crate) fn cpu(&self) -> Duration {
        let clock = clock_getcpuclockid(Pid::from_raw(self.pid())).unwrap();
        clock_gettime(clock).unwrap().into()
    }

    pub(crate) fn memory(&self) -> Memory {
        let text = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.pid())).unwrap();
        let value = |key: &str| -> f64 {
            let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap();
            line.split_whitespace().next().unwrap().parse().unwrap()
        };
        Memory { resident: value("Rss:"), private: value("Private_Clean:") + value("Private_Dirty:") }
    }

    /// Lines that it logged so far.
    pub(crate) fn lines(&self) -> usize {
        self.lines.load(Ordering::Relaxed)
    }

    fn pid(&self) -> i32 {
        i32::try_from(self.process.id()).unwrap()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}
