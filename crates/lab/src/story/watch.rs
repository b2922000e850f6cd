//! What happens in the lab, in words? Lines of the timeline from traces, logs and objects.

use futures::StreamExt;
use serde_json::Value;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::task::AbortOnDropHandle;

use crate::azure::{Service, Trace};
use crate::client::{ASSIGNMENTS, Seen};
use crate::cluster::Cluster;
use crate::kubelet::Printed;
use crate::scenario::SYSTEM_NAMESPACE;
use crate::timeline::{Entry, Place, Timeline};

/// Marks a request that came to IMDS from a pod and not through the node agent.
pub(super) const BYPASS: &str = "straight from a pod";

/// Writes what happens into the timeline until the handles are dropped.
pub(crate) fn watch(cluster: &Cluster, timeline: &Timeline) -> [AbortOnDropHandle<()>; 3] {
    let spawn =
        |task: std::pin::Pin<Box<dyn Future<Output = ()> + Send>>| AbortOnDropHandle::new(tokio::spawn(task));
    let traces = relay(cluster.world.azure.subscribe(), timeline.clone(), |trace| of_trace(&trace));
    let lines = relay(cluster.kubelet.printed(), timeline.clone(), |line| of_line(&line));
    let changes = cluster.client.follow(ASSIGNMENTS);
    let timeline = timeline.clone();
    let records = async move {
        let mut changes = std::pin::pin!(changes);
        while let Some(seen) = changes.next().await {
            if let Some(entry) = of_record(&seen) {
                timeline.add(entry);
            }
        }
    };
    [spawn(Box::pin(traces)), spawn(Box::pin(lines)), spawn(Box::pin(records))]
}

async fn relay<T: Clone>(mut from: Receiver<T>, timeline: Timeline, tell: impl Fn(T) -> Option<Entry>) {
    loop {
        match from.recv().await {
            Ok(one) => {
                if let Some(entry) = tell(one) {
                    timeline.add(entry);
                }
            }
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}

/// Polls of a running operation say nothing new; all else is shown.
fn of_trace(trace: &Trace) -> Option<Entry> {
    if trace.what.contains("/operations/") {
        return None;
    }
    let took = if trace.took.as_millis() > 0 {
        format!(" after {} ms", trace.took.as_millis())
    } else {
        String::new()
    };
    let bypass = if trace.service == Service::Imds && trace.from_pod { BYPASS } else { "" };
    let text = format!("{} → {}{took}  {}{bypass}", shortened(&trace.what), trace.status, trace.detail);
    let place = Place::Azure(trace.service.name());
    // A vault asks every caller for its token first.
    let expected = trace.service == Service::Vault && trace.status == 401;
    let refused = (trace.status >= 400 && !expected) || !bypass.is_empty();
    Some(if refused { Entry::refusal(place, text) } else { Entry::new(place, text.trim_end().to_owned()) })
}

/// A method and path with the long ids of ARM left out.
fn shortened(what: &str) -> String {
    let (method, path) = what.split_once(' ').unwrap_or(("", what));
    match path.rfind("/providers/") {
        Some(at) => format!("{method} …{}", &path[at + "/providers".len()..]),
        None => what.to_owned(),
    }
}

fn of_line(line: &Printed) -> Option<Entry> {
    let text = String::from_utf8_lossy(&line.text).into_owned();
    if line.namespace != SYSTEM_NAMESPACE {
        let place = Place::Pod(line.pod.clone());
        let failed = text.starts_with("failed");
        return Some(if failed { Entry::refusal(place, text) } else { Entry::new(place, text) });
    }
    let logged: Value = serde_json::from_str(&text).ok()?;
    let part = |name: &str| logged[name].as_str().unwrap_or_default().to_owned();
    if part("msg") != "token request" {
        return None;
    }
    let (pod, status, outcome) =
        (part("pod"), logged["status"].as_u64().unwrap_or_default(), part("outcome"));
    let time = match logged["duration_ms"].as_f64().unwrap_or_default() {
        time if time < 1.0 => "at once".to_owned(),
        time => format!("after {time:.0} ms"),
    };
    Some(match outcome.as_str() {
        "served" => {
            let text = format!("{pod} gets {} for {} {time}", part("identity"), part("resource"));
            Entry::new(Place::Nmi, text)
        }
        "passed through" => Entry::new(
            Place::Nmi,
            format!("{pod} is on the exception list: passed through to IMDS, {status} {time}"),
        ),
        _ => Entry::refusal(Place::Nmi, format!("{pod} {outcome}, {status} {time}: {}", part("reason"))),
    })
}

fn of_record(seen: &Seen) -> Option<Entry> {
    let (record, gone) = match seen {
        Seen::Changed(record) => (record, false),
        Seen::Gone(record) => (record, true),
        // What was there before the story, and marks in between.
        Seen::Listed(_) | Seen::Listing | Seen::Complete => return None,
    };
    let name = record["metadata"]["name"].as_str()?;
    let state = record["status"]["status"].as_str().unwrap_or_default();
    let text = if gone {
        format!("assignment {name}: removed")
    } else if record["metadata"]["deletionTimestamp"].is_null() {
        format!("assignment {name}: {state}")
    } else {
        return None;
    };
    Some(Entry::new(Place::Mic, text))
}
