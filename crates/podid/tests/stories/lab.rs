//! How does a story start a lab, act in it, and look at what happened?

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use kube::api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, PostParams};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::server::Server;

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
    server: Server,
    home: PathBuf,
    kubeconfig: PathBuf,
    /// Where the lab's directory is in.
    _place: TempDir,
    lines: Arc<Mutex<Vec<String>>>,
    _turn: MutexGuard<'static, ()>,
}

// === impl Lab ===

impl Lab {
    /// Starts `podid lab up` with further arguments and waits until it is ready.
    pub(crate) fn up(server: Server, arguments: &[&str]) -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let place = TempDir::new().unwrap();
        let mut command = podid();
        command.args(["lab", "up"]).args(server.arguments()).args(arguments).env("TMPDIR", place.path());
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
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
        // A directory for this user, and in it one for this lab.
        let home = only(&only(place.path()));
        Self { process, server, home, kubeconfig, lines, _place: place, _turn: turn }
    }

    /// Does something while no lab runs.
    pub(crate) fn alone<T>(act: impl FnOnce() -> T) -> T {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        act()
    }

    /// The API server that it has.
    pub(crate) fn server(&self) -> Server {
        self.server
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
        let object: DynamicObject = serde_json::from_value(object.clone()).unwrap();
        self.on(&serde_json::to_value(&object).unwrap(), async |api| {
            api.create(&PostParams::default(), &object).await.map(drop)
        })
    }

    /// An object as it is now, by `apiVersion`, `kind`, namespace and name.
    pub(crate) fn get(&self, object: &Value) -> Option<Value> {
        let name = object["metadata"]["name"].as_str().unwrap();
        let found = self.on(object, async |api| api.get_opt(name).await).unwrap();
        found.map(|object| serde_json::to_value(object).unwrap())
    }

    /// Deletes an object; `grace` is for pods.
    pub(crate) fn delete(&self, object: &Value, grace: Option<u32>) {
        let name = object["metadata"]["name"].as_str().unwrap();
        let how = DeleteParams { grace_period_seconds: grace, ..DeleteParams::default() };
        self.on(object, async |api| api.delete(name, &how).await.map(drop)).unwrap();
    }

    /// The assignments in the cluster.
    pub(crate) fn assignments(&self) -> Vec<Value> {
        self.try_assignments().unwrap()
    }

    /// The same; none where the API server does not answer.
    pub(crate) fn try_assignments(&self) -> Option<Vec<Value>> {
        let kind = json!({"apiVersion": "aadpodidentity.k8s.io/v1", "kind": "AzureAssignedIdentity"});
        let list = self.on(&kind, async |api| api.list(&ListParams::default()).await).ok()?;
        Some(list.items.iter().map(|object| serde_json::to_value(object).unwrap()).collect())
    }

    /// Sends an empty POST to the API server.
    pub(crate) fn post(&self, path: &str) {
        let request = http::Request::post(path).body(Vec::new()).unwrap();
        self.run(async |client| client.request_text(request).await.map(drop)).unwrap();
    }

    fn on<T>(
        &self,
        object: &Value,
        act: impl AsyncFnOnce(kube::Api<DynamicObject>) -> Result<T, kube::Error>,
    ) -> Result<T, kube::Error> {
        let (group, version) = object["apiVersion"].as_str().unwrap().rsplit_once('/').unwrap_or(("", "v1"));
        let kind = GroupVersionKind::gvk(group, version, object["kind"].as_str().unwrap());
        let resource = ApiResource::from_gvk(&kind);
        self.run(async |client| {
            act(match object["metadata"]["namespace"].as_str() {
                Some(namespace) => kube::Api::namespaced_with(client, namespace, &resource),
                None => kube::Api::all_with(client, &resource),
            })
            .await
        })
    }

    fn run<T>(
        &self,
        act: impl AsyncFnOnce(kube::Client) -> Result<T, kube::Error>,
    ) -> Result<T, kube::Error> {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            act(podid_kube::client::connect(Some(&self.kubeconfig), "stories").await.unwrap()).await
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
        let (id, client) = (self.variable("IDENTITY_RESOURCE_ID"), self.variable("IDENTITY_CLIENT_ID"));
        self.bind_to(namespace, name, name, (&id, &client));
    }

    /// Creates an identity with this resource id and client id and a binding to it, both called `name`.
    pub(crate) fn bind_to(&self, namespace: &str, name: &str, selector: &str, (id, client): (&str, &str)) {
        let meta = json!({"name": name, "namespace": namespace});
        self.create(&json!({
            "apiVersion": "aadpodidentity.k8s.io/v1", "kind": "AzureIdentity", "metadata": meta,
            "spec": {"type": 0, "resourceID": id, "clientID": client},
        }))
        .unwrap();
        self.create(&json!({
            "apiVersion": "aadpodidentity.k8s.io/v1", "kind": "AzureIdentityBinding", "metadata": meta,
            "spec": {"azureIdentity": name, "selector": selector},
        }))
        .unwrap();
    }

    /// The cluster's own identity, which is on the scale set from the beginning: resource id and client id.
    pub(crate) fn own_identity(&self) -> (String, String) {
        let file: Value = serde_json::from_slice(&fs::read(self.home.join("azure.json")).unwrap()).unwrap();
        let application = self.variable("IDENTITY_RESOURCE_ID");
        let id = application
            .replace("myIdentityResourceGroup", "MC_podid-lab")
            .replace("application-identity", "podid-lab-agentpool");
        assert_ne!(id, application);
        (id, file["userAssignedIdentityID"].as_str().unwrap().to_owned())
    }

    /// Sends a request from a pod, exactly as written; the whole answer.
    pub(crate) fn ask(&self, namespace: &str, pod: &str, target: &str, headers: &[&str]) -> String {
        let output = self.asking(namespace, pod, target, headers).wait_with_output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Begins such a request and does not wait for its answer.
    pub(crate) fn asking(&self, namespace: &str, pod: &str, target: &str, headers: &[&str]) -> Child {
        self.request(namespace, pod, "169.254.169.254:80", target, headers)
    }

    /// Whether such a request has no answer after three seconds.
    pub(crate) fn holds(&self, namespace: &str, pod: &str, target: &str, headers: &[&str]) -> bool {
        let mut command = self.exec(namespace, pod);
        command.args(["timeout", "3"]).arg(example("get")).args(["169.254.169.254:80", target]).args(headers);
        command.output().unwrap().stdout.is_empty()
    }

    /// What a pod gets from any address; nothing where it cannot connect.
    pub(crate) fn knock(&self, namespace: &str, pod: &str, address: &str) -> String {
        let output = self.request(namespace, pod, address, "/", &[]).wait_with_output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn request(&self, namespace: &str, pod: &str, address: &str, target: &str, headers: &[&str]) -> Child {
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

    /// Runs podid beside the lab, in the name of whom `podid lab env` names; its output.
    pub(crate) fn command(&self, arguments: &[&str]) -> Output {
        let mut command = podid();
        let all = fs::read_to_string(self.home.join("env")).unwrap();
        for line in all.lines() {
            let (name, value) = line.strip_prefix("export ").unwrap().split_once('=').unwrap();
            command.env(name, value.trim_matches('\''));
        }
        command.args(arguments).output().unwrap()
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
        // Where the lab inside is killed nobody is left to clean up; the next lab does.
        if (receiver, signal) != (inside, Signal::SIGKILL) {
            self.server.is_clean();
        }
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
pub(crate) fn demo(mut command: Command, server: Server, arguments: &[&str]) -> Output {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let output = command.args(["lab", "demo"]).args(server.arguments()).args(arguments).output().unwrap();
    server.is_clean();
    output
}

/// The one line with which `podid lab up` ends that does not start.
pub(crate) fn refused(arguments: &[&str]) -> String {
    let output = podid().args(["lab", "up"]).args(arguments).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert_eq!(told.trim().lines().count(), 1, "{told}");
    told
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

/// The only entry of a folder.
fn only(folder: &Path) -> PathBuf {
    let entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(entries.len(), 1, "{entries:?}");
    entries[0].clone()
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
