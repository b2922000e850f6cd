//! What does a pod's status say, given what its containers do?

use jiff::Timestamp;
use serde_json::{Value, json};

/// What one container does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Container {
    /// Its name.
    pub name: String,
    /// Its image, which the lab only shows.
    pub image: String,
    /// How often it was started again.
    pub restarts: u32,
    /// What it does now.
    pub state: State,
    /// How it ended last time, if it was started again.
    pub last: Option<Ended>,
}

/// What a container does now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It waits, for a reason.
    Waiting {
        /// One word.
        reason: &'static str,
        /// A sentence; may be empty.
        message: String,
    },
    /// It runs since then.
    Running(Timestamp),
    /// It has ended and stays so.
    Ended(Ended),
}

/// How a container ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    /// Its exit code; 128 and the signal's number if a signal ended it.
    pub code: i32,
    /// When it had started.
    pub started: Timestamp,
    /// When it ended.
    pub finished: Timestamp,
}

/// What a pod's containers do, in the order of its spec.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Containers {
    /// Init containers: one after the other, before the others.
    pub init: Vec<Container>,
    /// Main containers.
    pub main: Vec<Container>,
}

/// Writes phase, conditions and container statuses into a pod's status.
pub(super) fn render(containers: &Containers, status: &mut Value) {
    let phase = phase(containers);
    let initialised =
        containers.init.iter().all(|one| matches!(one.state, State::Ended(end) if end.code == 0));
    let ready = containers.main.iter().all(|one| matches!(one.state, State::Running(_)));
    let condition =
        |kind: &str, holds: bool| json!({"type": kind, "status": if holds { "True" } else { "False" }});
    status["phase"] = json!(phase);
    status["conditions"] = json!([
        condition("PodScheduled", true),
        condition("Initialized", initialised),
        condition("ContainersReady", ready),
        condition("Ready", ready),
    ]);
    status["initContainerStatuses"] = containers.init.iter().map(container_status).collect();
    status["containerStatuses"] = containers.main.iter().map(container_status).collect();
}

fn phase(containers: &Containers) -> &'static str {
    let init_failed =
        containers.init.iter().any(|one| matches!(one.state, State::Ended(end) if end.code != 0));
    if init_failed {
        return "Failed";
    }
    let ends: Option<Vec<i32>> = containers
        .main
        .iter()
        .map(|one| if let State::Ended(end) = one.state { Some(end.code) } else { None })
        .collect();
    match ends {
        Some(codes) if !codes.is_empty() => {
            if codes.iter().all(|code| *code == 0) {
                "Succeeded"
            } else {
                "Failed"
            }
        }
        _ if containers
            .main
            .iter()
            .any(|one| one.restarts > 0 || matches!(one.state, State::Running(_) | State::Ended(_))) =>
        {
            "Running"
        }
        _ => "Pending",
    }
}

fn container_status(container: &Container) -> Value {
    let ended = |end: &Ended| {
        json!({"terminated": {
            "exitCode": end.code, "reason": if end.code == 0 { "Completed" } else { "Error" },
            "startedAt": seconds(end.started), "finishedAt": seconds(end.finished),
        }})
    };
    let (running, state) = match &container.state {
        State::Waiting { reason, message } => {
            (false, json!({"waiting": {"reason": reason, "message": message}}))
        }
        State::Running(since) => (true, json!({"running": {"startedAt": seconds(*since)}})),
        State::Ended(end) => (false, ended(end)),
    };
    json!({
        "name": container.name, "image": container.image, "imageID": "", "restartCount": container.restarts,
        "ready": running, "started": running, "state": state,
        "lastState": container.last.as_ref().map_or_else(|| json!({}), ended),
    })
}

/// A time as Kubernetes writes it: RFC 3339, whole seconds.
pub(crate) fn seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(state: State) -> Container {
        Container { name: "a".into(), image: String::new(), restarts: 0, state, last: None }
    }

    fn ended(code: i32) -> State {
        State::Ended(Ended { code, started: Timestamp::UNIX_EPOCH, finished: Timestamp::UNIX_EPOCH })
    }

    fn waiting() -> State {
        State::Waiting { reason: "ContainerCreating", message: String::new() }
    }

    #[test]
    fn the_phase_follows_from_what_the_containers_do() {
        let running = State::Running(Timestamp::UNIX_EPOCH);
        let cases = [
            (vec![], vec![waiting()], "Pending"),
            (vec![], vec![running.clone(), waiting()], "Running"),
            (vec![], vec![running, ended(0)], "Running"),
            (vec![], vec![ended(0), ended(0)], "Succeeded"),
            (vec![], vec![ended(0), ended(1)], "Failed"),
            (vec![ended(1)], vec![waiting()], "Failed"),
            (vec![ended(0)], vec![waiting()], "Pending"),
        ];
        for (init, main, expected) in cases {
            let containers = Containers {
                init: init.into_iter().map(one).collect(),
                main: main.into_iter().map(one).collect(),
            };
            assert_eq!(phase(&containers), expected, "{containers:?}");
        }
    }

    #[test]
    fn a_pod_is_ready_when_all_its_containers_run() {
        let mut status = json!({});
        let containers = Containers { init: vec![], main: vec![one(State::Running(Timestamp::UNIX_EPOCH))] };
        render(&containers, &mut status);
        assert_eq!(status["conditions"][3], json!({"type": "Ready", "status": "True"}));
    }
}
