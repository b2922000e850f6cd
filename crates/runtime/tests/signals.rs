//! Does a process that listens for signals drain on the first and exit at once on the second?
//!
//! Signals are for a whole process, so each test starts this test program again and plays its part in it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use podid_runtime::shutdown::Shutdown;
use podid_runtime::tasks::Tasks;

const PART: &str = "PODID_TEST_DRAIN_SECONDS";

/// The child: one task that needs the given time to drain. Does nothing in an ordinary test run.
#[test]
fn part_of_the_child() {
    let Ok(seconds) = std::env::var(PART) else { return };
    let drain = Duration::from_secs(seconds.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let shutdown = Shutdown::on_signals().unwrap();
        let tasks = Tasks::new(shutdown.clone());
        tasks.spawn("slow to drain", async move {
            println!("listening");
            shutdown.begun().await;
            println!("draining");
            tokio::time::sleep(drain).await;
        });
        tasks.finished(drain * 2).await.unwrap();
    });
    std::process::exit(7);
}

struct Part {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Part {
    fn start(drain_seconds: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "part_of_the_child", "--nocapture"])
            .env(PART, drain_seconds)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut part = Self { child, lines };
        part.wait_for("listening");
        part
    }

    fn wait_for(&mut self, line: &str) {
        assert!(
            self.lines.any(|read| read.unwrap().ends_with(line)),
            "the child ended without saying {line:?}"
        );
    }

    fn send(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        kill(pid, signal).unwrap();
    }

    fn status(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

#[test]
fn the_first_signal_drains_and_the_process_ends_in_its_own_way() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut part = Part::start("0");
        part.send(signal);
        part.wait_for("draining");
        assert_eq!(part.status(), Some(7));
    }
}

#[test]
fn the_second_signal_exits_at_once_with_130() {
    let mut part = Part::start("600");
    part.send(Signal::SIGTERM);
    part.wait_for("draining");
    part.send(Signal::SIGINT);
    assert_eq!(part.status(), Some(130));
}
