//! Can a cluster that has the original be taken over step by step, and given back? On a real API server.
//!
//! What the original leaves is planted; its controller and its agents are played, because their programs are not here.
//! Commands are those of `docs/how-to/adopt.md`, run as they stand there.
#![cfg(feature = "lab")]
#![allow(clippy::unwrap_used, clippy::unwrap_in_result, clippy::panic, reason = "these are tests")]

mod check;
mod controller;
mod nodes;
mod old_controller;
mod original;
mod page;
mod simulated_azure;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use podid_testbed::{ControlPlane, Programs};
use serde_json::Value;

/// How long anything may take on a slow machine.
const PATIENCE: Duration = Duration::from_mins(2);

/// One control plane at a time: two cores are few.
static TURN: Mutex<()> = Mutex::new(());

/// A control plane of its own for one test, because what is installed has one name per cluster.
struct Cluster {
    plane: ControlPlane,
    programs: Programs,
    _turn: MutexGuard<'static, ()>,
}

// === impl Cluster ===

impl Cluster {
    /// A cluster that has the original's definitions, or nothing where the programs are missing, which is said.
    fn start(test: &str) -> Option<Self> {
        let programs = Programs::find_or_skip(test)?;
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let plane = ControlPlane::start(&programs).unwrap();
        let cluster = Self { plane, programs, _turn: turn };
        cluster.apply(&original::definitions());
        let wait = ["wait", "--for=condition=Established", "crds", "--all", "--timeout=60s"];
        cluster.plane.kubectl(&wait).ok();
        Some(cluster)
    }

    /// Applies objects as an operator would.
    fn apply(&self, objects: &[Value]) {
        let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": objects});
        self.plane.kubectl_with(&["apply", "--filename=-"], &list.to_string()).ok();
    }

    /// An object or a list.
    fn get(&self, arguments: &[&str]) -> Value {
        let printed = self.plane.kubectl(&[&["get", "--output=json"], arguments].concat()).ok();
        serde_json::from_str(&printed).unwrap()
    }

    /// Every record, by name: its resource version.
    fn versions(&self) -> Vec<(String, String)> {
        let list = self.get(&["azureassignedidentities", "--all-namespaces"]);
        let records = list["items"].as_array().unwrap().iter();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        records
            .map(|one| (text(&one["metadata"]["name"]), text(&one["metadata"]["resourceVersion"])))
            .collect()
    }
}

/// Waits for something to come true.
fn eventually(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Asserts that something stays true for so long.
fn always(what: &str, time: Duration, holds: impl Fn() -> bool) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        assert!(holds(), "no longer: {what}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// The root of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}
