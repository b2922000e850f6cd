//! How does a story start a lab, act in it, and look at what happened?

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use kube::api::{ApiResource, DynamicObject, GroupVersionKind, PostParams};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

/// How long anything may take on a slow machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);
/// The tutorial's namespace, which every lab has.
pub(crate) const NAMESPACE: &str = "my-app";
/// Where a token is asked for.
pub(crate) const TOKEN: &str =
    "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fvault.azure.net";

/// One lab at a time: two cores are few.
static TURN: Mutex<()> = Mutex::new(());

/// A lab that runs, until it is stopped or dropped.
pub(crate) struct Lab {
    process: Child,
    home: PathBuf,
    lines: Arc<Mutex<Vec<String>>>,
    _turn: MutexGuard<'static, ()>,
}

// === impl Lab ===

impl Lab {
    /// Starts `podid lab up` with further arguments and waits until it is ready.
    pub(crate) fn up(arguments: &[&str]) -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let mut process = podid().args(["lab", "up"]).args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (tell, told) = mpsc::channel();
        let (output, kept) = (BufReader::new(process.stdout.take().unwrap()), lines.clone());
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if let Some(kubeconfig) = line.strip_prefix("export KUBECONFIG=") {
                    let _ = tell.send(PathBuf::from(kubeconfig));
                }
                kept.lock().unwrap().push(line);
            }
        });
        let Ok(kubeconfig) = told.recv_timeout(PATIENCE) else {
            let _ = kill(pid(&process), Signal::SIGTERM);
            let _ = process.wait();
            panic!("the lab did not start; its messages are above");
        };
        let home = kubeconfig.parent().unwrap().to_path_buf();
        Self { process, home, lines, _turn: turn }
    }

    /// Process ids of the supervisor, which the user started, and of the lab inside.
    pub(crate) fn processes(&self) -> [i32; 2] {
        let running: Value = serde_json::from_slice(&fs::read(self.home.join("lab.json")).unwrap()).unwrap();
        [pid(&self.process).as_raw(), i32::try_from(running["pid"].as_i64().unwrap()).unwrap()]
    }

    /// Sends a signal to the process of a role whose command line has `part`.
    pub(crate) fn signal(&self, role: &str, part: &str, signal: Signal) {
        let [_, inside] = self.processes();
        let wanted = format!("podid\0{role}\0");
        let found = below(inside).into_iter().find(|id| {
            let line = fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap_or_default();
            line.starts_with(&wanted) && line.contains(part)
        });
        kill(Pid::from_raw(found.unwrap()), signal).unwrap();
    }

    /// Creates an object.
    pub(crate) fn create(&self, object: &Value) -> Result<(), kube::Error> {
        let (group, version) = object["apiVersion"].as_str().unwrap().rsplit_once('/').unwrap_or(("", "v1"));
        let kind = object["kind"].as_str().unwrap();
        let kind = GroupVersionKind::gvk(group, version, kind);
        let resource = ApiResource::from_gvk(&kind);
        let object: DynamicObject = serde_json::from_value(object.clone()).unwrap();
        let namespace = object.metadata.namespace.clone();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let client =
                podid_kube::client::connect(Some(&self.home.join("kubeconfig")), "stories").await.unwrap();
            let api: kube::Api<DynamicObject> = match namespace {
                Some(namespace) => kube::Api::namespaced_with(client, &namespace, &resource),
                None => kube::Api::all_with(client, &resource),
            };
            api.create(&PostParams::default(), &object).await.map(drop)
        })
    }

    /// Creates a pod that only holds a network, with the label `aadpodidbinding`.
    pub(crate) fn pod(&self, namespace: &str, name: &str, label: &str) {
        self.pod_with(namespace, name, label, &["sleep", "100000"], &json!({}));
    }

    /// Creates a pod that runs a command; what `spec` has is added to its spec.
    pub(crate) fn pod_with(&self, namespace: &str, name: &str, label: &str, command: &[&str], spec: &Value) {
        let mut pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": namespace, "labels": {"aadpodidbinding": label}},
            "spec": {
                "terminationGracePeriodSeconds": 0,
                "containers": [{"name": "main", "image": "none", "command": command}],
            },
        });
        for (field, value) in spec.as_object().unwrap() {
            pod["spec"][field] = value.clone();
        }
        self.create(&pod).unwrap();
    }

    /// Creates the application's identity and a binding to it, both called `name`.
    pub(crate) fn bind(&self, namespace: &str, name: &str) {
        let meta = json!({"name": name, "namespace": namespace});
        self.create(&json!({
            "apiVersion": "aadpodidentity.k8s.io/v1", "kind": "AzureIdentity", "metadata": meta,
            "spec": {
                "type": 0, "resourceID": self.variable("IDENTITY_RESOURCE_ID"),
                "clientID": self.variable("IDENTITY_CLIENT_ID"),
            },
        }))
        .unwrap();
        self.create(&json!({
            "apiVersion": "aadpodidentity.k8s.io/v1", "kind": "AzureIdentityBinding", "metadata": meta,
            "spec": {"azureIdentity": name, "selector": name},
        }))
        .unwrap();
    }

    /// Sends a request from a pod, exactly as written; the whole answer.
    pub(crate) fn ask(&self, namespace: &str, pod: &str, target: &str, headers: &[&str]) -> String {
        let output = self.asking(namespace, pod, target, headers).wait_with_output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Begins such a request and does not wait for its answer.
    pub(crate) fn asking(&self, namespace: &str, pod: &str, target: &str, headers: &[&str]) -> Child {
        self.get(namespace, pod, "169.254.169.254:80", target, headers)
    }

    /// What a pod gets from any address; nothing where it cannot connect.
    pub(crate) fn knock(&self, namespace: &str, pod: &str, address: &str) -> String {
        let output = self.get(namespace, pod, address, "/", &[]).wait_with_output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn get(&self, namespace: &str, pod: &str, address: &str, target: &str, headers: &[&str]) -> Child {
        self.exec(namespace, pod).arg(example("get")).args([address, target]).args(headers).spawn().unwrap()
    }

    /// A command in the network of a pod, whose words are still to be added.
    pub(crate) fn exec(&self, namespace: &str, pod: &str) -> Command {
        let mut command = podid();
        command.args(["lab", "exec", "--lab"]).arg(&self.home).args(["--namespace", namespace, pod, "--"]);
        command.stdout(Stdio::piped());
        command
    }

    /// A variable that the lab gives to those who follow the tutorial.
    pub(crate) fn variable(&self, name: &str) -> String {
        let all = fs::read_to_string(self.home.join("env")).unwrap();
        let value = all.lines().find_map(|line| line.strip_prefix(&format!("export {name}='")));
        value.unwrap().trim_end_matches('\'').to_owned()
    }

    /// The lines of the timeline that contain `part`.
    pub(crate) fn lines_with(&self, part: &str) -> Vec<String> {
        self.lines.lock().unwrap().iter().filter(|line| line.contains(part)).cloned().collect()
    }

    /// Sends a signal to the supervisor or the lab inside, and waits until nothing of the lab is left.
    pub(crate) fn end(mut self, receiver: i32, signal: Signal) -> Option<i32> {
        let [outside, inside] = self.processes();
        kill(Pid::from_raw(receiver), signal).unwrap();
        let code = self.process.wait().unwrap().code();
        for id in [outside, inside] {
            eventually("the lab's processes have ended", || !alive(id));
        }
        eventually("the lab's directory is gone", || !self.home.exists());
        for line in self.lines.lock().unwrap().iter() {
            assert!(!line.contains("straight from a pod"), "a pod reached IMDS itself: {line}");
            assert!(!holds_a_token(line), "a line holds a token");
        }
        code
    }

    /// Stops the lab as Ctrl-C does.
    pub(crate) fn stop(self) {
        let [outside, _] = self.processes();
        assert_eq!(self.end(outside, Signal::SIGINT), Some(0));
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if let Ok(None) = self.process.try_wait() {
            let _ = kill(pid(&self.process), Signal::SIGTERM);
            let _ = self.process.wait();
        }
    }
}

/// Runs `podid lab demo` with further arguments, alone on this machine.
pub(crate) fn demo(mut command: Command, arguments: &[&str]) -> Output {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    command.args(["lab", "demo"]).args(arguments).output().unwrap()
}

/// The binary under test.
pub(crate) fn podid() -> Command {
    Command::new(env!("CARGO_BIN_EXE_podid"))
}

/// Waits for something to come true.
pub(crate) fn eventually(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Whether a text holds what the head of every signed token looks like.
pub(crate) fn holds_a_token(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric() && !"-_.".contains(c))
        .any(|word| word.starts_with("eyJ") && word.len() > 60)
}

/// An example program, built beside the binary under test.
pub(crate) fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_podid")).parent().unwrap().join("examples").join(name)
}

fn pid(process: &Child) -> Pid {
    Pid::from_raw(i32::try_from(process.id()).unwrap())
}

fn alive(id: i32) -> bool {
    // A zombie has ended; its parent has only not looked yet.
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

/// The processes whose parent is `id`.
fn below(id: i32) -> Vec<i32> {
    let all = fs::read_dir("/proc").unwrap().flatten();
    let ids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    ids.filter(|child| {
        let stat = fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)) == Some(&id.to_string())
    })
    .collect()
}
