//! What happens to one pod, from its node to its end?

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

use super::logs::Log;
use super::program::{self, Program};
use super::status::{self, Container, Containers, Ended, State};
use super::{NodeSite, Order, Printed, Shared, events, text};
use crate::api::PODS;
use crate::net::Namespace;

/// A container that ran at least this long starts again without a pause.
const STEADY: Duration = Duration::from_secs(10);
/// What a shell says of a command that it cannot start.
const NOT_FOUND: i32 = 127;
/// Longest pause before a container starts again.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// One pod's life. Returns when it has ended and everything that it had was given back.
pub(super) async fn live(shared: Arc<Shared>, pod: Arc<Value>, mut orders: watch::Receiver<Order>) {
    let Some(site) = scheduled(&shared, &pod, &mut orders).await else {
        let _ = shared.store.finalize(&pod);
        return;
    };
    let name = (text(&pod["metadata"]["namespace"]).to_owned(), text(&pod["metadata"]["name"]).to_owned());
    match joined(&shared, &pod, site) {
        Ok((network, address)) => {
            shared.write_network(&pod, site, address.map_or(site.node.address(), |own| own).into());
            shared.announce(&pod, &network);
            run(&shared, &pod, &network, &mut orders).await;
            shared.home.forget_pod(&name.0, &name.1);
            if let Some(address) = address {
                drop(network);
                if let Err(error) = site.node.remove_pod(address) {
                    tracing::warn!(%error, pod = %name.1, "the pod's link could not be removed");
                }
                shared.places.give_back(address);
            }
        }
        Err(why) => {
            events::record(&shared.store, &pod, "Warning", "FailedCreatePodSandBox", &why);
            shared.write_status(&pod, |status| {
                status["phase"] = json!("Failed");
                status["message"] = json!(why);
            });
            let _ = orders.wait_for(|order| *order != Order::Run).await;
        }
    }
    shared.drop_logs(&name.0, &name.1);
    let _ = shared.store.finalize(&pod);
}

/// Finds a node, and writes it into the pod. None when the pod is to stop before there is one.
async fn scheduled<'a>(
    shared: &'a Shared,
    pod: &Value,
    orders: &mut watch::Receiver<Order>,
) -> Option<&'a NodeSite> {
    let site = match shared.bind(pod) {
        Ok(site) => site,
        Err(why) => {
            events::record(&shared.store, pod, "Warning", "FailedScheduling", &why);
            shared.write_status(pod, |status| status["phase"] = json!("Pending"));
            let _ = orders.wait_for(|order| *order != Order::Run).await;
            return None;
        }
    };
    let metadata = &pod["metadata"];
    let bound =
        shared.store.modify(&PODS, text(&metadata["namespace"]), text(&metadata["name"]), |current| {
            current["spec"]["nodeName"] = json!(site.name);
            current["status"]["phase"] = json!("Pending");
        });
    let message = format!(
        "Successfully assigned {}/{} to {}",
        text(&metadata["namespace"]),
        text(&metadata["name"]),
        site.name
    );
    events::record(&shared.store, pod, "Normal", "Scheduled", &message);
    bound.ok().map(|_| site)
}

/// The pod's network, and its own address unless it shares its node's.
fn joined(shared: &Shared, pod: &Value, site: &NodeSite) -> Result<(Namespace, Option<Ipv4Addr>), String> {
    if pod["spec"]["hostNetwork"].as_bool().unwrap_or(false) {
        return Ok((site.node.namespace().clone(), None));
    }
    let address = shared.places.take(site.number).ok_or("the node has no free address")?;
    match site.node.add_pod(address) {
        Ok(network) => Ok((network, Some(address))),
        Err(error) => {
            shared.places.give_back(address);
            Err(error.to_string())
        }
    }
}

/// Runs the containers until they have ended and the pod is told to stop.
async fn run(shared: &Arc<Shared>, pod: &Value, network: &Namespace, orders: &mut watch::Receiver<Order>) {
    let containers =
        |field: &str| -> Vec<Value> { pod["spec"][field].as_array().cloned().unwrap_or_default() };
    let (init, main) = (containers("initContainers"), containers("containers"));
    let restart = Restart::of(pod);
    let runner = Runner {
        shared: shared.clone(),
        record: Record::new(shared, pod, &init, &main),
        network: network.clone(),
        orders: orders.clone(),
    };
    for (index, spec) in init.iter().enumerate() {
        if runner.clone().run((Part::Init, index), spec, restart.of_init()).await != Some(0) {
            let _ = orders.wait_for(|order| *order != Order::Run).await;
            return;
        }
    }
    let all =
        main.iter().enumerate().map(|(index, spec)| runner.clone().run((Part::Main, index), spec, restart));
    futures::future::join_all(all).await;
    let _ = orders.wait_for(|order| *order != Order::Run).await;
}

/// When a container that ended starts again (`spec.restartPolicy`).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Restart {
    Always,
    OnFailure,
    Never,
}

/// What running a container of a pod takes.
#[derive(Clone)]
struct Runner {
    shared: Arc<Shared>,
    record: Record,
    network: Namespace,
    orders: watch::Receiver<Order>,
}

// === impl Restart ===

impl Restart {
    fn of(pod: &Value) -> Self {
        match pod["spec"]["restartPolicy"].as_str() {
            Some("Never") => Self::Never,
            Some("OnFailure") => Self::OnFailure,
            _ => Self::Always,
        }
    }

    /// Init containers run to their end, so one that succeeded never starts again.
    fn of_init(self) -> Self {
        if self == Self::Always { Self::OnFailure } else { self }
    }

    fn again(self, code: i32) -> bool {
        self == Self::Always || (self == Self::OnFailure && code != 0)
    }
}

// === impl Runner ===

impl Runner {
    /// Runs one container, again and again if it shall; its last exit code, none if it never started.
    async fn run(mut self, which: (Part, usize), spec: &Value, restart: Restart) -> Option<i32> {
        let program = match self.record.program(&self.shared, spec) {
            Ok(program) => program,
            Err(why) => {
                self.tell("Warning", "Failed", &why.to_string());
                self.record.set(which, |one| one.state = waiting("ErrImageNeverPull", why.to_string()));
                return None;
            }
        };
        let log = self.record.log(&self.shared, text(&spec["name"]));
        let mut pause = Duration::ZERO;
        loop {
            let (started, since) = (Timestamp::now(), Instant::now());
            log.reopen();
            let ran = self.once(which, &program, &log, started).await;
            log.close();
            let code = ran?;
            let end = Ended { code, started, finished: Timestamp::now() };
            if !restart.again(code) {
                self.record.set(which, |one| one.state = State::Ended(end));
                return Some(code);
            }
            pause = if since.elapsed() >= STEADY { Duration::ZERO } else { pause };
            self.record.set(which, |one| {
                one.last = Some(end);
                one.restarts += 1;
                one.state = waiting("CrashLoopBackOff", format!("starts again in {} s", pause.as_secs()));
            });
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = stop_order(&mut self.orders) => return Some(code),
            }
            pause = (pause * 2).clamp(Duration::from_secs(1), LONGEST_PAUSE);
        }
    }

    /// Runs the program once; its exit code, none when the pod was told to stop meanwhile.
    async fn once(
        &mut self,
        which: (Part, usize),
        program: &Program,
        log: &Log,
        started: Timestamp,
    ) -> Option<i32> {
        let printer = self.record.printer(&self.shared, log);
        let mut process = match self.shared.surroundings.start(&self.network, program, printer) {
            Ok(process) => process,
            Err(error) => {
                let message = format!("cannot start {}: {error}", program.argv.join(" "));
                self.tell("Warning", "Failed", &message);
                log.push(message.into());
                return Some(NOT_FOUND);
            }
        };
        self.record.set(which, |one| one.state = State::Running(started));
        self.tell("Normal", "Started", &format!("Started container {}", self.record.name(which)));
        tokio::select! {
            code = process.wait() => Some(code),
            grace = stop_order(&mut self.orders) => {
                process.stop(Duration::from_secs(grace)).await;
                None
            }
        }
    }

    fn tell(&self, kind: &str, reason: &str, message: &str) {
        events::record(&self.shared.store, &self.record.pod, kind, reason, message);
    }
}

/// Waits until the pod is to stop; the grace in seconds.
async fn stop_order(orders: &mut watch::Receiver<Order>) -> u64 {
    match orders.wait_for(|order| *order != Order::Run).await.as_deref() {
        Ok(Order::Stop { grace }) => *grace,
        _ => 0,
    }
}

fn waiting(reason: &'static str, message: String) -> State {
    State::Waiting { reason, message }
}

/// Where the containers of one pod write what they do.
#[derive(Clone)]
struct Record {
    shared: Arc<Shared>,
    pod: Arc<Value>,
    containers: Arc<std::sync::Mutex<Containers>>,
}

#[derive(Clone, Copy)]
enum Part {
    Init,
    Main,
}

// === impl Record ===

impl Record {
    fn new(shared: &Arc<Shared>, pod: &Value, init: &[Value], main: &[Value]) -> Self {
        let fresh = |spec: &Value| Container {
            name: text(&spec["name"]).to_owned(),
            image: text(&spec["image"]).to_owned(),
            restarts: 0,
            state: waiting("ContainerCreating", String::new()),
            last: None,
        };
        let containers =
            Containers { init: init.iter().map(fresh).collect(), main: main.iter().map(fresh).collect() };
        // The pod as stored now, with its node and addresses.
        let metadata = &pod["metadata"];
        let stored = shared.store.get(&PODS, text(&metadata["namespace"]), text(&metadata["name"]));
        let pod = stored.unwrap_or_else(|_| Arc::new(pod.clone()));
        let record =
            Self { shared: shared.clone(), pod, containers: Arc::new(std::sync::Mutex::new(containers)) };
        record.publish();
        record
    }

    fn program(&self, shared: &Shared, spec: &Value) -> Result<Program, program::NotRunnable> {
        let namespace = text(&self.pod["metadata"]["namespace"]);
        program::program(&self.pod, spec, &|kind, name, key| shared.look_up(namespace, kind, name, key))
    }

    fn log(&self, shared: &Shared, container: &str) -> Log {
        let metadata = &self.pod["metadata"];
        shared.log(text(&metadata["namespace"]), text(&metadata["name"]), container)
    }

    fn printer(&self, shared: &Shared, log: &Log) -> impl Fn(Bytes) + Clone + Send + 'static {
        let metadata = &self.pod["metadata"];
        let (namespace, pod) = (text(&metadata["namespace"]).to_owned(), text(&metadata["name"]).to_owned());
        let (log, printed) = (log.clone(), shared.printed.clone());
        move |line| {
            log.push(line.clone());
            // Nobody listens outside a story.
            let _ = printed.send(Printed { namespace: namespace.clone(), pod: pod.clone(), text: line });
        }
    }

    fn name(&self, which: (Part, usize)) -> String {
        let mut name = String::new();
        self.edit(which, |container| name.clone_from(&container.name));
        name
    }

    fn set(&self, which: (Part, usize), edit: impl FnOnce(&mut Container)) {
        self.edit(which, edit);
        self.publish();
    }

    fn edit(&self, (part, index): (Part, usize), edit: impl FnOnce(&mut Container)) {
        let mut containers = self.containers.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let list = match part {
            Part::Init => &mut containers.init,
            Part::Main => &mut containers.main,
        };
        if let Some(container) = list.get_mut(index) {
            edit(container);
        }
    }

    fn publish(&self) {
        let containers = self.containers.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        self.shared.write_status(&self.pod, |pod_status| status::render(&containers, pod_status));
    }
}
