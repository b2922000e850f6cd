//! What is one broken set-up, and how is it tried?

use std::time::{Duration, Instant};

use podid_core::code::Code;
use serde_json::Value;

use crate::cluster::Cluster;

/// How long anything may take on a slow machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// A broken set-up. Scripts run in bash with the functions of [`crate::cluster::WORDS`]; `$NS` is the case's namespace.
pub(crate) struct Case {
    /// The word that `podid why` has to say.
    pub(crate) code: &'static str,
    /// What is broken.
    pub(crate) about: &'static str,
    /// Makes it so.
    pub(crate) breaks: &'static str,
    /// What `podid why` is asked.
    pub(crate) asks: &'static str,
    /// What a real NMI would do once it is mended, which nobody does here.
    pub(crate) plays: &'static str,
    /// Brings back what the case changed for all.
    pub(crate) after: &'static str,
}

/// A case about the pod `web`.
pub(crate) const CASE: Case = Case { code: "", about: "", breaks: "", asks: "web", plays: "", after: "" };

// === impl Case ===

impl Case {
    /// Breaks, asks, mends and asks again.
    pub(crate) fn run(&self, cluster: &Cluster, number: usize) -> Result<(), String> {
        let namespace = format!("case-{number}");
        let outcome = self.tried(cluster, &namespace);
        let after = cluster.bash(&namespace, self.after);
        let _ = cluster.bash(&namespace, "kubectl delete namespace $NS --wait=false");
        outcome?;
        after
    }

    fn tried(&self, cluster: &Cluster, namespace: &str) -> Result<(), String> {
        assert!(Code::parse(self.code).is_some(), "{} is no code", self.code);
        cluster.bash(namespace, &format!("kubectl create namespace $NS\n{}", self.breaks))?;
        let broken = until(|| {
            let (exit, answer) = cluster.why(namespace, self.asks)?;
            let found = answer["code"].as_str().unwrap_or_default();
            (exit == 1 && found == self.code).then(|| answer.clone()).ok_or(format!("{exit}: {answer:#}"))
        })?;
        let commands: Vec<&str> =
            broken["cross"]["mend"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if commands.is_empty() {
            return Err(format!("no command mends it: {broken:#}"));
        }
        for command in &commands {
            cluster.bash(namespace, command).map_err(|said| format!("{command}\n{said}"))?;
        }
        cluster.bash(namespace, self.plays)?;
        until(|| {
            let (exit, answer) = cluster.why(namespace, self.asks)?;
            let left = format!("after {commands:?}: {exit}: {answer:#}");
            (exit == 0 && answer["code"].is_null()).then_some(()).ok_or(left)
        })
    }
}

/// Tries until it succeeds or patience ends, and gives the last failure.
pub(crate) fn until<T>(attempt: impl Fn() -> Result<T, String>) -> Result<T, String> {
    let end = Instant::now() + PATIENCE;
    loop {
        match attempt() {
            Err(_) if Instant::now() < end => std::thread::sleep(Duration::from_millis(200)),
            outcome => return outcome,
        }
    }
}
