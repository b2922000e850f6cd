//! Do the add-on's commands do on a real API server what `az aks` did, beside a simulated ARM?
#![allow(clippy::unwrap_used, clippy::panic, reason = "these are tests")]

mod azure;
mod enable;
mod tutorial;

use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use podid_testbed::{ControlPlane, Kubelets, Programs};
use serde_json::Value;

use azure::SimulatedAzure;

/// How long anything may take on a slow machine.
const PATIENCE: Duration = Duration::from_mins(2);

/// A cluster of AKS: nodes on a scale set, and the resources in Azure.
pub(crate) struct World {
    pub(crate) cluster: ControlPlane,
    pub(crate) azure: SimulatedAzure,
    _kubelets: Kubelets,
}

// === impl World ===

impl World {
    /// A new one, or nothing where its programs are missing, which is said.
    pub(crate) fn new(test: &str) -> Option<Self> {
        let programs = Programs::find_or_skip(test)?;
        let (cluster, azure) = (ControlPlane::start(&programs).unwrap(), SimulatedAzure::start());
        for (name, provider_id) in azure.nodes() {
            let node = serde_json::json!({
                "apiVersion": "v1", "kind": "Node",
                "metadata": {"name": name, "labels": {"kubernetes.io/os": "linux"}},
                "spec": {"providerID": provider_id},
            });
            cluster.kubectl_with(&["create", "--filename=-"], &node.to_string()).ok();
        }
        let names: Vec<&str> = azure.nodes().iter().map(|(name, _)| *name).collect();
        let kubelets = cluster.kubelets(&names).unwrap();
        Some(Self { cluster, azure, _kubelets: kubelets })
    }

    /// podid with these arguments, as somebody who is logged in.
    pub(crate) fn podid(&self, arguments: &[&str]) -> Command {
        let mut command = self.stranger(arguments);
        command.envs(self.azure.login());
        command
    }

    /// The same, as somebody who is not.
    pub(crate) fn stranger(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_podid"));
        for variable in
            ["AZURE_CLIENT_SECRET", "AZURE_SUBSCRIPTION_ID", "HTTPS_PROXY", "https_proxy", "PODID_IMAGE"]
        {
            command.env_remove(variable);
        }
        command
            .args(arguments)
            .envs(self.azure.place())
            .env("KUBECONFIG", self.cluster.admin_kubeconfig())
            // An az of this machine is not part of the test, and nor is its IMDS.
            .env("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
            .stdin(Stdio::null());
        command
    }

    /// Runs podid to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        Ended::of(&self.podid(arguments).output().unwrap())
    }

    /// Objects, as `kubectl get … --output=json` has them; none of a kind that is not defined.
    pub(crate) fn get(&self, arguments: &[&str]) -> Vec<Value> {
        let answer =
            self.cluster.kubectl(&[&["get", "--output=json", "--ignore-not-found"], arguments].concat());
        let value: Value = serde_json::from_str(&answer.stdout).unwrap_or_default();
        match value["items"].as_array() {
            Some(items) => items.clone(),
            None if value.is_null() => Vec::new(),
            None => vec![value],
        }
    }
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

// === impl Ended ===

impl Ended {
    pub(crate) fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// That it did what it should.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    /// That it ended with this code, and said this.
    #[track_caller]
    pub(crate) fn refused(self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, code, "{self:?}");
        for part in parts {
            assert!(self.stderr.contains(part), "{part}: {self:?}");
        }
    }
}

/// Waits until `holds` does.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "it never came true that {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}
