//! How is a container run here, and what can be seen of it?

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use podid_lab::net::{Fabric, METADATA, Namespace, Node, NodeStyle, node_address, pod_address};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities, set_no_new_privs,
};
use tempfile::TempDir;

use crate::cluster::Cluster;
use crate::container::Container;
use crate::root::Root;

/// How long something that should happen may take on a slow machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(50);

/// A node in a network of its own, with an API server and one pod.
pub(crate) struct Stage {
    pub(crate) cluster: Cluster,
    pub(crate) pod: Namespace,
    node: Node,
    _fabric: Fabric,
    folder: TempDir,
}

/// A container that runs. It ends with this.
pub(crate) struct Running {
    child: Child,
    log: Arc<Mutex<String>>,
}

// === impl Stage ===

impl Stage {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let fabric = Namespace::new().unwrap().run(|| Fabric::build(&[])).unwrap().unwrap();
        let node = fabric.add_node(1, NodeStyle::Routed).unwrap();
        let pod = node.add_pod(pod_address(1, 2)).unwrap();
        let address = SocketAddrV4::new(node_address(1), 6443);
        let cluster = Cluster::start(node.namespace(), address.into(), folder.path());
        Self { cluster, pod, node, _fabric: fabric, folder }
    }

    /// Starts a container on the node, as its manifest wants it.
    pub(crate) fn start(&self, container: &Container) -> Running {
        let mut root = Root::new(self.folder.path().join("root"));
        root.mount(&self.cluster.account, "/var/run/secrets/kubernetes.io/serviceaccount");
        for (number, path) in container.files.iter().enumerate() {
            let file = self.folder.path().join(format!("file-{number}"));
            fs::write(&file, content(path)).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
            chown(&file, Some(geteuid().as_raw()), None).unwrap();
            root.mount(&file, path);
        }
        let mut command = Command::new("/podid");
        command.args(&container.arguments).env_clear().env("PATH", "/");
        command.env("KUBERNETES_SERVICE_HOST", self.cluster.address.ip().to_string());
        command.env("KUBERNETES_SERVICE_PORT", self.cluster.address.port().to_string());
        command.envs(container.environment.iter().cloned());
        run(&self.node, &root, container.user, container.capabilities, command)
    }

    /// Runs podid under `name` to its end, as the image would without any manifest.
    pub(crate) fn call(&self, name: &str, arguments: &[&str], user: u32) -> (ExitStatus, String) {
        self.call_with(CapabilitySet::empty(), name, arguments, user)
    }

    /// The same with these rights.
    pub(crate) fn call_with(
        &self,
        rights: CapabilitySet,
        name: &str,
        arguments: &[&str],
        user: u32,
    ) -> (ExitStatus, String) {
        let root = Root::new(self.folder.path().join(format!("root-{name}-{}", arguments.join("-"))));
        let mut command = Command::new(format!("/{name}"));
        command.args(arguments).env_clear();
        let mut running = run(&self.node, &root, user, rights, command);
        (running.end(), running.log())
    }

    /// The status with which the node answers at `path` of a port.
    pub(crate) fn status(&self, port: u16, path: &str) -> Option<u16> {
        let answer = get(self.node.namespace(), Ipv4Addr::LOCALHOST, port, path)?;
        answer.split(' ').nth(1)?.parse().ok()
    }

    /// What the pod hears from the metadata address, where no IMDS is.
    pub(crate) fn heard_by_pod(&self, path: &str) -> Option<String> {
        get(&self.pod, METADATA, 80, path)
    }
}

/// Starts `command` in the node's network with this root and these rights. All of it belongs to a thread, and what
/// the thread starts inherits it.
fn run(node: &Node, root: &Root, user: u32, rights: CapabilitySet, mut command: Command) -> Running {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if geteuid().as_raw() != user {
        command.uid(user).gid(user);
    }
    let spawned = node.namespace().run(|| {
        root.enter();
        limit(rights);
        command.spawn()
    });
    let mut child = spawned.unwrap().unwrap();
    let log = Arc::new(Mutex::new(String::new()));
    read(child.stdout.take().unwrap(), log.clone());
    read(child.stderr.take().unwrap(), log.clone());
    Running { child, log }
}

/// Leaves a program that is started no capability but `rights`, and no way to more.
fn limit(rights: CapabilitySet) {
    set_no_new_privs(true).unwrap();
    clear_ambient_capability_set().unwrap();
    let own = capabilities(None).unwrap();
    set_capabilities(None, CapabilitySets { inheritable: CapabilitySet::empty(), ..own }).unwrap();
    for bit in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << bit);
        // Those that this kernel does not know cannot be dropped.
        if !rights.contains(capability) && remove_capability_from_bounding_set(capability).is_err() {
            break;
        }
    }
}

fn read(output: impl Read + Send + 'static, log: Arc<Mutex<String>>) {
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let mut log = log.lock().unwrap();
            log.push_str(&line);
            log.push('\n');
        }
    });
}

/// One request, as short as can be.
fn get(from: &Namespace, address: Ipv4Addr, port: u16, path: &str) -> Option<String> {
    let address = SocketAddrV4::new(address, port);
    let connected = from.run(|| TcpStream::connect_timeout(&address.into(), Duration::from_secs(2))).ok()?;
    let mut stream = connected.ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

/// What a node has at `path`.
fn content(path: &str) -> &'static str {
    match path {
        "/etc/default/kubelet" => "",
        "/etc/kubernetes/azure.json" => {
            r#"{"cloud": "AzurePublicCloud", "tenantId": "t", "subscriptionId": "s", "resourceGroup": "g",
                "vmType": "vmss", "useManagedIdentityExtension": true, "userAssignedIdentityID": "i"}"#
        }
        _ => panic!("say what a node has at {path}"),
    }
}

// === impl Running ===

impl Running {
    /// Waits until `happened`; fails with the container's log when it ends before, or takes too long.
    pub(crate) fn until(&mut self, what: &str, mut happened: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !happened() {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("before {what}: {status}\n{}", self.log());
            }
            assert!(begun.elapsed() < PATIENCE, "not {what}\n{}", self.log());
            thread::sleep(LOOK);
        }
    }

    /// Waits for words in its log.
    pub(crate) fn until_it_says(&mut self, words: &str) {
        let log = self.log.clone();
        self.until(words, || log.lock().unwrap().contains(words));
    }

    /// Waits for its end.
    pub(crate) fn end(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                // What it wrote last may still be on its way.
                thread::sleep(LOOK);
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "it does not end\n{}", self.log());
            thread::sleep(LOOK);
        }
    }

    /// Asks it to end, as a kubelet does, and waits.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), Signal::SIGTERM).unwrap();
        self.end()
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// A line of what the kernel says about the process.
    pub(crate) fn status(&self, key: &str) -> String {
        let text = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        line.unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The capabilities that it has (`CapEff`), or could have (`CapBnd`).
    pub(crate) fn rights(&self, which: &str) -> CapabilitySet {
        CapabilitySet::from_bits_retain(u64::from_str_radix(&self.status(which), 16).unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
