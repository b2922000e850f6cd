//! How does one container of a pod run, again and again if it shall?

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

use super::logs::Log;
use super::program::{self, Program};
use super::report::Report;
use super::status::{self, Container, Containers, Ended, State};
use super::{Order, Printed, Shared, stop_order, text};
use crate::client::{CONFIG_MAPS, SECRETS};
use crate::net::Namespace;

/// A container that ran at least this long starts again without a pause.
const STEADY: Duration = Duration::from_secs(10);
/// What a shell says of a command that it cannot start.
const NOT_FOUND: i32 = 127;
/// Longest pause before a container starts again.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// When a container that ended starts again (`spec.restartPolicy`).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Restart {
    Always,
    OnFailure,
    Never,
}

/// What running a container of a pod takes.
#[derive(Clone)]
pub(super) struct Runner {
    pub(super) shared: Arc<Shared>,
    pub(super) record: Record,
    pub(super) network: Namespace,
    pub(super) orders: watch::Receiver<Order>,
}

// === impl Restart ===

impl Restart {
    pub(super) fn of(pod: &Value) -> Self {
        match pod["spec"]["restartPolicy"].as_str() {
            Some("Never") => Self::Never,
            Some("OnFailure") => Self::OnFailure,
            _ => Self::Always,
        }
    }

    /// Init containers run to their end, so one that succeeded never starts again.
    pub(super) fn of_init(self) -> Self {
        if self == Self::Always { Self::OnFailure } else { self }
    }

    fn again(self, code: i32) -> bool {
        self == Self::Always || (self == Self::OnFailure && code != 0)
    }
}

// === impl Runner ===

impl Runner {
    /// Runs one container, again and again if it shall; its last exit code, none if it never started.
    pub(super) async fn run(mut self, which: (Part, usize), spec: &Value, restart: Restart) -> Option<i32> {
        let program = match self.record.program(&self.shared, spec).await {
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
        let mut process = match self.shared.means.surroundings.start(&self.network, program, printer) {
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
        self.shared.events.record(&self.record.pod, kind, reason, message);
    }
}

fn waiting(reason: &'static str, message: String) -> State {
    State::Waiting { reason, message }
}

/// Where the containers of one pod write what they do.
#[derive(Clone)]
pub(super) struct Record {
    report: Arc<Report>,
    /// The pod, with its node and addresses.
    pod: Arc<Value>,
    containers: Arc<Mutex<Containers>>,
}

#[derive(Clone, Copy)]
pub(super) enum Part {
    Init,
    Main,
}

// === impl Record ===

impl Record {
    pub(super) fn new(pod: &Value, report: &Arc<Report>, init: &[Value], main: &[Value]) -> Self {
        let fresh = |spec: &Value| Container {
            name: text(&spec["name"]).to_owned(),
            image: text(&spec["image"]).to_owned(),
            restarts: 0,
            state: waiting("ContainerCreating", String::new()),
            last: None,
        };
        let containers =
            Containers { init: init.iter().map(fresh).collect(), main: main.iter().map(fresh).collect() };
        let record = Self {
            report: report.clone(),
            pod: Arc::new(pod.clone()),
            containers: Arc::new(Mutex::new(containers)),
        };
        record.edit(|_| {});
        record
    }

    async fn program(&self, shared: &Shared, spec: &Value) -> Result<Program, program::NotRunnable> {
        let namespace = text(&self.pod["metadata"]["namespace"]);
        let mut found: HashMap<(&str, &str), Value> = HashMap::new();
        for (kind, name) in program::references(spec) {
            let resource = if kind == "Secret" { SECRETS } else { CONFIG_MAPS };
            if let Ok(object) = shared.means.client.get(resource, namespace, name).await {
                found.insert((kind, name), object);
            }
        }
        program::program(&self.pod, spec, &|kind, name, key| {
            let value = found.get(&(kind, name))?["data"][key].as_str()?;
            if kind == "Secret" { decoded(value) } else { Some(value.to_owned()) }
        })
    }

    fn log(&self, shared: &Shared, container: &str) -> Log {
        let metadata = &self.pod["metadata"];
        shared.means.logs.open(text(&metadata["namespace"]), text(&metadata["name"]), container)
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

    fn name(&self, (part, index): (Part, usize)) -> String {
        let mut containers = self.containers.lock().unwrap_or_else(PoisonError::into_inner);
        containers.of(part).get(index).map(|one| one.name.clone()).unwrap_or_default()
    }

    fn set(&self, (part, index): (Part, usize), edit: impl FnOnce(&mut Container)) {
        self.edit(|containers| {
            if let Some(container) = containers.of(part).get_mut(index) {
                edit(container);
            }
        });
    }

    fn edit(&self, edit: impl FnOnce(&mut Containers)) {
        let mut containers = self.containers.lock().unwrap_or_else(PoisonError::into_inner);
        edit(&mut containers);
        self.report.edit(|pod_status| status::render(&containers, pod_status));
    }
}

// === impl Containers ===

impl Containers {
    fn of(&mut self, part: Part) -> &mut Vec<Container> {
        match part {
            Part::Init => &mut self.init,
            Part::Main => &mut self.main,
        }
    }
}

fn decoded(value: &str) -> Option<String> {
    String::from_utf8(base64::engine::general_purpose::STANDARD.decode(value).ok()?).ok()
}
