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
    let record = Record::new(shared, pod, &init, &main);
    let policy = pod["spec"]["restartPolicy"].as_str().unwrap_or("Always");
    let one = |part: Part, index: usize, spec: Value, policy: &'static str| {
        run_container(
            shared.clone(),
            record.clone(),
            network.clone(),
            part,
            index,
            spec,
            policy,
            orders.clone(),
        )
    };
    for (index, spec) in init.into_iter().enumerate() {
        let policy = if policy == "Never" { "Never" } else { "OnFailure" };
        if one(Part::Init, index, spec, policy).await != Some(0) {
            let _ = orders.wait_for(|order| *order != Order::Run).await;
            return;
        }
    }
    let policy = match policy {
        "Never" => "Never",
        "OnFailure" => "OnFailure",
        _ => "Always",
    };
    let all = main.into_iter().enumerate().map(|(index, spec)| one(Part::Main, index, spec, policy));
    futures::future::join_all(all).await;
    let _ = orders.wait_for(|order| *order != Order::Run).await;
}

/// Runs one container, again and again if it shall; its last exit code, none if it never started.
#[expect(clippy::too_many_arguments, reason = "a container's whole surroundings, in one place")]
async fn run_container(
    shared: Arc<Shared>,
    record: Record,
    network: Namespace,
    part: Part,
    index: usize,
    spec: Value,
    policy: &'static str,
    mut orders: watch::Receiver<Order>,
) -> Option<i32> {
    let program = match record.program(&shared, &spec) {
        Ok(program) => program,
        Err(why) => {
            events::record(&shared.store, &record.pod, "Warning", "Failed", &why.to_string());
            record.set(part, index, |one| one.state = waiting("ErrImageNeverPull", why.to_string()));
            return None;
        }
    };
    let log = record.log(&shared, text(&spec["name"]));
    let mut pause = Duration::ZERO;
    loop {
        let (started, since) = (Timestamp::now(), Instant::now());
        log.reopen();
        let code = match shared.surroundings.start(&network, &program, record.printer(&shared, &log)) {
            Ok(mut process) => {
                record.set(part, index, |one| one.state = State::Running(started));
                let message = format!("Started container {}", text(&spec["name"]));
                events::record(&shared.store, &record.pod, "Normal", "Started", &message);
                tokio::select! {
                    code = process.wait() => code,
                    order = stop_order(&mut orders) => {
                        process.stop(Duration::from_secs(order)).await;
                        log.close();
                        return Some(143);
                    }
                }
            }
            Err(error) => {
                let message = format!("cannot start {}: {error}", program.argv.join(" "));
                events::record(&shared.store, &record.pod, "Warning", "Failed", &message);
                log.push(message.into());
                127
            }
        };
        log.close();
        let end = Ended { code, started, finished: Timestamp::now() };
        let again = policy == "Always" || (policy == "OnFailure" && code != 0);
        if !again {
            record.set(part, index, |one| one.state = State::Ended(end));
            return Some(code);
        }
        pause = if since.elapsed() >= STEADY { Duration::ZERO } else { pause };
        record.set(part, index, |one| {
            one.last = Some(end);
            one.restarts += 1;
            one.state = waiting("CrashLoopBackOff", format!("starts again in {} s", pause.as_secs()));
        });
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stop_order(&mut orders) => return Some(code),
        }
        pause = (pause * 2).clamp(Duration::from_secs(1), LONGEST_PAUSE);
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

    fn set(&self, part: Part, index: usize, edit: impl FnOnce(&mut Container)) {
        let mut containers = self.containers.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let list = match part {
            Part::Init => &mut containers.init,
            Part::Main => &mut containers.main,
        };
        if let Some(container) = list.get_mut(index) {
            edit(container);
        }
        drop(containers);
        self.publish();
    }

    fn publish(&self) {
        let containers = self.containers.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        self.shared.write_status(&self.pod, |pod_status| status::render(&containers, pod_status));
    }
}
