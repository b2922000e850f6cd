//! Who runs MIC, whose kubelet is played?
//!
//! A thread that does what the kubelet would: for a pod of MIC that runs it keeps a process of the shipped controller, as
//! the pod says, and ends it with the pod.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use podid_testbed::ControlPlane;
use serde_json::Value;

use crate::azure::SimulatedAzure;

/// The keeper.
pub(crate) struct Mic {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    switch: PathBuf,
    _files: tempfile::TempDir,
}

/// How a controller is started.
struct Recipe {
    kubeconfig: PathBuf,
    admin: PathBuf,
    kubectl: PathBuf,
    environment: Vec<(String, String)>,
    switch: PathBuf,
}

struct Running {
    pod: String,
    process: Child,
}

// === impl Mic ===

impl Mic {
    /// Keeps nothing.
    pub(crate) fn idle() -> Self {
        let files = tempfile::tempdir().unwrap();
        Self { over: Arc::default(), thread: None, switch: files.path().join("switch"), _files: files }
    }

    /// Keeps MIC of a cluster.
    pub(crate) fn keep(plane: &ControlPlane, azure: &SimulatedAzure) -> Self {
        let mut keeper = Self::idle();
        let recipe = Recipe {
            kubeconfig: plane.kubeconfig_for("default", "aad-pod-id-mic-service-account").unwrap(),
            admin: plane.admin_kubeconfig(),
            kubectl: podid_testbed::Programs::find().unwrap().kubectl,
            environment: azure.introduction(),
            switch: keeper.switch.clone(),
        };
        let over = keeper.over.clone();
        keeper.thread = Some(std::thread::spawn(move || recipe.follow(&over)));
        keeper
    }

    /// While this file names a pod of MIC, its process is dead and is not started again; the file with `.done` at its end
    /// says that this has come about.
    pub(crate) fn switch(&self) -> &Path {
        &self.switch
    }
}

impl Drop for Mic {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

// === impl Recipe ===

impl Recipe {
    fn follow(&self, over: &AtomicBool) {
        let mut running: Option<Running> = None;
        while !over.load(Ordering::Relaxed) {
            let frozen = std::fs::read_to_string(&self.switch).unwrap_or_default();
            if let Some(pods) = self.pods() {
                let alive =
                    |name: &str| pods.iter().any(|pod| name_of(pod) == name) && !frozen.contains(name);
                running = running.and_then(|mut one| {
                    // One that lost its lead ends, and a kubelet starts it again.
                    let runs = matches!(one.process.try_wait(), Ok(None));
                    if runs && alive(&one.pod) {
                        return Some(one);
                    }
                    let _ = one.process.kill();
                    let _ = one.process.wait();
                    None
                });
                let next = pods.iter().find(|pod| alive(name_of(pod)));
                if let (None, Some(pod)) = (&running, next) {
                    running = Some(self.start(pod));
                }
            }
            if !frozen.is_empty() && running.is_none() {
                std::fs::write(self.switch.with_extension("done"), "").unwrap();
            }
            std::thread::sleep(Duration::from_millis(300));
        }
        if let Some(mut one) = running {
            let _ = one.process.kill();
            let _ = one.process.wait();
        }
    }

    /// Pods of MIC that run.
    fn pods(&self) -> Option<Vec<Value>> {
        let arguments = ["get", "pods", "-n", "default", "-l", "component=mic", "-o", "json"];
        let output =
            Command::new(&self.kubectl).args(arguments).env("KUBECONFIG", &self.admin).output().ok()?;
        let list: Value = serde_json::from_slice(&output.stdout).ok()?;
        let runs = |pod: &&Value| {
            pod["status"]["phase"] == "Running" && pod["metadata"]["deletionTimestamp"].is_null()
        };
        Some(list["items"].as_array()?.iter().filter(runs).cloned().collect())
    }

    fn start(&self, pod: &Value) -> Running {
        let arguments = pod["spec"]["containers"][0]["args"].as_array().cloned().unwrap_or_default();
        let namespaced = arguments.iter().any(|argument| argument == "--forceNamespaced=true");
        let name = name_of(pod);
        let mut command = Command::new(env!("CARGO_BIN_EXE_podid"));
        command.arg("mic").arg(format!("--kubeconfig={}", self.kubeconfig.display()));
        command.args([&format!("--leader-election-instance={name}"), "--leader-election-duration=8s"]);
        command.args(["--http-probe-port=0", "--prometheus-port=0"]);
        command.arg(format!("--forceNamespaced={namespaced}")).env("MIC_POD_NAMESPACE", "default");
        command.envs(self.environment.iter().map(|(key, value)| (key, value))).env_remove("HTTPS_PROXY");
        let process = command.env_remove("https_proxy").stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Running { pod: name.to_owned(), process: process.unwrap() }
    }
}

fn name_of(pod: &Value) -> &str {
    pod["metadata"]["name"].as_str().unwrap_or_default()
}
