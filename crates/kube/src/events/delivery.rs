//! How does an event get to the API server?

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event as EventObject, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::budget::Budget;
use super::{COMPONENT, Event, LIMIT, Severity, Subject};
use crate::call::{CallError, bounded};
use crate::crd::API_VERSION;

/// How long a repeated event is counted on the object that was written first.
const COUNTED: Duration = Duration::from_mins(10);

/// Events that are remembered for counting.
const REMEMBERED: usize = 1024;

/// Characters of an object's name that fit into the name of an event.
const LONGEST_PREFIX: usize = 230;

/// The task that writes what was recorded.
pub struct Deliveries {
    client: Client,
    instance: String,
    events: mpsc::Receiver<Event>,
    written: HashMap<Event, Written>,
    budget: Budget,
}

#[derive(Debug)]
struct Written {
    name: String,
    count: i32,
    at: Instant,
}

// === impl Deliveries ===

impl Deliveries {
    pub(super) fn new(client: Client, instance: &str, events: mpsc::Receiver<Event>) -> Self {
        let instance = instance.to_owned();
        Self { client, instance, events, written: HashMap::new(), budget: Budget::default() }
    }

    /// Writes until the last recorder is gone. A failure is logged: events are a courtesy.
    pub async fn run(mut self) {
        while let Some(event) = self.events.recv().await {
            if let Err(error) = self.deliver(event).await {
                tracing::debug!(error = %error, "event not written");
            }
        }
    }

    async fn deliver(&mut self, event: Event) -> Result<(), CallError> {
        let now = Instant::now();
        self.written.retain(|_, written| now.duration_since(written.at) < COUNTED);
        if !self.budget.spend(event.subject, &event.id, now) {
            tracing::debug!(object = %event.id, reason = event.reason, "too many events on one object");
            return Ok(());
        }
        let api: Api<EventObject> = Api::namespaced(self.client.clone(), &event.id.namespace);
        let what = || format!("write event of {}", event.id);
        if let Some(written) = self.written.get_mut(&event) {
            let count = written.count + 1;
            let patch = Patch::Merge(json!({"count": count, "lastTimestamp": Time(Timestamp::now())}));
            match bounded(what, LIMIT, api.patch(&written.name, &PatchParams::default(), &patch)).await {
                // It has expired on the server: write a new one.
                Err(CallError::Absent { .. }) => {}
                Err(error) => return Err(error),
                Ok(_) => {
                    written.count = count;
                    return Ok(());
                }
            }
        }
        let object = object(&event, &self.instance, Timestamp::now());
        bounded(what, LIMIT, api.create(&PostParams::default(), &object)).await?;
        if self.written.len() < REMEMBERED {
            let name = object.metadata.name.unwrap_or_default();
            self.written.insert(event, Written { name, count: 1, at: now });
        }
        Ok(())
    }
}

fn object(event: &Event, instance: &str, now: Timestamp) -> EventObject {
    let kind = event.subject.kind();
    let api_version = match event.subject {
        Subject::Identity | Subject::Binding | Subject::Assignment => API_VERSION,
        Subject::Pod | Subject::Node => "v1",
    };
    let severity = match event.severity {
        Severity::Normal => "Normal",
        Severity::Warning => "Warning",
    };
    // Names are of ASCII letters and may be 253 long, this one's with the time.
    let prefix: String = event.id.name.chars().take(LONGEST_PREFIX).collect();
    EventObject {
        metadata: ObjectMeta {
            name: Some(format!("{prefix}.{:x}", now.as_nanosecond())),
            namespace: Some(event.id.namespace.to_string()),
            ..ObjectMeta::default()
        },
        involved_object: ObjectReference {
            api_version: Some(api_version.to_owned()),
            kind: Some(kind.to_owned()),
            namespace: (event.subject != Subject::Node).then(|| event.id.namespace.to_string()),
            name: Some(event.id.name.to_string()),
            uid: event.uid.as_ref().map(|uid| uid.as_str().to_owned()),
            ..ObjectReference::default()
        },
        type_: Some(severity.to_owned()),
        reason: Some(event.reason.to_owned()),
        message: Some(event.message.clone()),
        source: Some(EventSource { component: Some(COMPONENT.to_owned()), host: None }),
        reporting_component: Some(COMPONENT.to_owned()),
        reporting_instance: Some(instance.to_owned()),
        count: Some(1),
        first_timestamp: Some(Time(now)),
        last_timestamp: Some(Time(now)),
        ..EventObject::default()
    }
}

#[cfg(test)]
mod tests {
    use podid_core::ids::{ObjectRef, Uid};
    use serde_json::Value;

    use super::super::recorder;
    use super::*;
    use crate::testing::Store;

    fn event(message: &str) -> Event {
        Event {
            subject: Subject::Binding,
            id: ObjectRef::new("shop", "web"),
            uid: Some(Uid::new("u2")),
            severity: Severity::Normal,
            reason: "binding applied",
            message: message.to_owned(),
        }
    }

    #[tokio::test]
    async fn a_repeated_event_is_counted_not_written_again() {
        let store = Store::default();
        let (recorder, deliveries) = recorder(store.client(), "mic-0");
        for message in ["one", "one", "two", "one"] {
            recorder.record(event(message));
        }
        drop(recorder);
        deliveries.run().await;
        let calls = store.calls();
        let verbs: Vec<&str> = calls.iter().map(|call| call.split_once(' ').unwrap().0).collect();
        assert_eq!(verbs, ["POST", "PATCH", "POST", "PATCH"]);
        let counted = store.get(calls[1].split_once(' ').unwrap().1).unwrap();
        assert_eq!(counted["count"], 3);
    }

    /// W-50.
    #[test]
    fn an_event_names_its_object_and_component_as_the_original_did() {
        let now = "2026-11-24T10:00:00Z".parse().unwrap();
        let object: Value =
            serde_json::to_value(object(&event("Binding web applied"), "mic-0", now)).unwrap();
        insta::assert_json_snapshot!(object);
    }

    #[test]
    fn an_event_on_a_node_is_found_by_those_who_describe_the_node() {
        let node = Event {
            subject: Subject::Node,
            id: ObjectRef::new("default", "node-1"),
            uid: Some(Uid::new("node-1")),
            ..event("x")
        };
        let object = object(&node, "nmi", Timestamp::now());
        let about = object.involved_object;
        assert_eq!((about.kind.as_deref(), about.name.as_deref()), (Some("Node"), Some("node-1")));
        assert_eq!((about.namespace, about.uid.as_deref()), (None, Some("node-1")));
        assert_eq!(object.metadata.namespace.as_deref(), Some("default"));
    }

    #[test]
    fn an_events_name_fits_however_long_the_objects_is() {
        let mut event = event("x");
        event.id = ObjectRef::new("shop", "n".repeat(253));
        let object = object(&event, "mic-0", Timestamp::now());
        assert!(object.metadata.name.unwrap().len() <= 253);
    }
}
