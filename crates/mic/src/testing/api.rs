//! An API server in memory: versions, lists, watches, patches, finalizers. Enough for a controller.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use futures::StreamExt;
use futures::channel::mpsc;
use http::{Method, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Bytes;
use kube::client::Body;
use podid_kube::Client;
use serde_json::{Value, json};

type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// The server. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Api(Arc<Mutex<State>>);

/// Decides which calls fail, and with which status.
type Fault = Box<dyn Fn(&Method, &str) -> Option<u16> + Send>;

#[derive(Default)]
struct State {
    version: u64,
    objects: BTreeMap<Key, Value>,
    log: Vec<(u64, Key, Value)>,
    watchers: Vec<(String, mpsc::UnboundedSender<Value>)>,
    calls: Vec<String>,
    fault: Option<Fault>,
}

/// Collection below `/api…/`, namespace and name.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    collection: String,
    namespace: String,
    name: String,
}

// === impl Api ===

impl Api {
    /// A client whose calls get no answer and have no effect once `cut` is set.
    pub(crate) fn client(&self, cut: &Arc<AtomicBool>) -> Client {
        let (api, cut) = (self.clone(), cut.clone());
        let service = tower::service_fn(move |request: Request<Body>| {
            let (api, cut) = (api.clone(), cut.clone());
            async move {
                if cut.load(Ordering::Relaxed) {
                    std::future::pending::<()>().await;
                }
                Ok::<_, Infallible>(api.serve(request).await)
            }
        });
        Client::new(service, "default")
    }

    /// Applies an object as a user would, keeping its uid.
    pub(crate) fn apply(&self, collection: &str, object: Value) {
        let key = Key::of(collection, &object);
        self.lock().store(key, object);
    }

    /// Deletes an object as a user would.
    pub(crate) fn delete(&self, collection: &str, namespace: &str, name: &str) {
        let key = Key { collection: collection.into(), namespace: namespace.into(), name: name.into() };
        self.lock().delete(&key, &Value::Null);
    }

    pub(crate) fn get(&self, collection: &str, namespace: &str, name: &str) -> Option<Value> {
        let key = Key { collection: collection.into(), namespace: namespace.into(), name: name.into() };
        self.lock().objects.get(&key).cloned()
    }

    /// All objects of a collection, in the order of their names.
    pub(crate) fn list(&self, collection: &str) -> Vec<Value> {
        let state = self.lock();
        let all = state.objects.iter().filter(|(key, _)| key.collection == collection);
        all.map(|(_, object)| object.clone()).collect()
    }

    /// Method and path of the writes so far; lock and events left out.
    pub(crate) fn writes(&self) -> Vec<String> {
        self.lock().calls.clone()
    }

    pub(crate) fn forget_writes(&self) {
        self.lock().calls.clear();
    }

    /// From now on `fault` decides which calls fail.
    pub(crate) fn fail(&self, fault: impl Fn(&Method, &str) -> Option<u16> + Send + 'static) {
        self.lock().fault = Some(Box::new(fault));
    }

    pub(crate) fn recover(&self) {
        self.lock().fault = None;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    async fn serve(&self, request: Request<Body>) -> Answer {
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let path = head.uri.path();
        let query = head.uri.query().unwrap_or_default();
        let mut state = self.lock();
        if head.method != Method::GET
            && !["leases", "endpoints", "events"].iter().any(|quiet| path.contains(quiet))
        {
            state.calls.push(format!("{} {path}", head.method));
        }
        if let Some(code) = state.fault.as_ref().and_then(|fault| fault(&head.method, path)) {
            return failure(code, "told to fail");
        }
        let key = Key::parse(path);
        match head.method {
            Method::GET if key.name.is_empty() && query.contains("watch=true") => state.watch(&key, query),
            Method::GET if key.name.is_empty() => state.list(&key),
            Method::GET => match state.objects.get(&key) {
                Some(object) => answer(200, object),
                None => failure(404, "not found"),
            },
            Method::POST => state.create(key, body),
            Method::PUT => state.replace(&key, body),
            Method::PATCH => {
                let kind = head.headers.get("content-type").map_or("", |value| value.to_str().unwrap());
                state.patch(&key, kind, &body)
            }
            Method::DELETE => state.delete(&key, &body["preconditions"]["uid"]),
            _ => failure(405, "no such method"),
        }
    }
}

// === impl State ===

impl State {
    fn list(&self, key: &Key) -> Answer {
        let mine = self.objects.iter().filter(|(other, _)| other.collection == key.collection);
        let items: Vec<_> = mine.map(|(_, object)| object.clone()).collect();
        let metadata = json!({"resourceVersion": self.version.to_string()});
        answer(200, &json!({"apiVersion": "v1", "kind": "List", "metadata": metadata, "items": items}))
    }

    fn watch(&mut self, key: &Key, query: &str) -> Answer {
        let version = query.split('&').find_map(|pair| pair.strip_prefix("resourceVersion="));
        let since: u64 = version.and_then(|text| text.parse().ok()).unwrap_or_default();
        let (sender, events) = mpsc::unbounded();
        for (version, other, event) in &self.log {
            if *version > since && other.collection == key.collection {
                sender.unbounded_send(event.clone()).unwrap();
            }
        }
        self.watchers.push((key.collection.clone(), sender));
        let lines =
            events.map(|event| Ok::<_, Infallible>(hyper::body::Frame::data(format!("{event}\n").into())));
        Response::new(StreamBody::new(lines).boxed_unsync())
    }

    fn create(&mut self, mut key: Key, mut object: Value) -> Answer {
        key.name = object["metadata"]["name"].as_str().unwrap_or("generated").to_owned();
        object["metadata"]["namespace"] = key.namespace.as_str().into();
        if self.objects.contains_key(&key) {
            return failure(409, "exists");
        }
        answer(201, &self.store(key, object))
    }

    fn replace(&mut self, key: &Key, object: Value) -> Answer {
        match self.objects.get(key) {
            None => failure(404, "not found"),
            Some(old) if old["metadata"]["resourceVersion"] != object["metadata"]["resourceVersion"] => {
                failure(409, "modified")
            }
            Some(_) => answer(200, &self.store(key.clone(), object)),
        }
    }

    fn patch(&mut self, key: &Key, kind: &str, change: &Value) -> Answer {
        let Some(mut object) = self.objects.get(key).cloned() else { return failure(404, "not found") };
        let uid = object["metadata"]["uid"].clone();
        if kind == "application/json-patch+json" {
            let steps: json_patch::Patch = serde_json::from_value(change.clone()).unwrap();
            if json_patch::patch(&mut object, &steps).is_err() {
                return failure(422, "does not apply");
            }
        } else {
            json_patch::merge(&mut object, change);
        }
        if object["metadata"]["uid"] != uid {
            return failure(409, "another uid");
        }
        answer(200, &self.store(key.clone(), object))
    }

    fn delete(&mut self, key: &Key, uid: &Value) -> Answer {
        let Some(mut object) = self.objects.get(key).cloned() else { return failure(404, "not found") };
        if !uid.is_null() && *uid != object["metadata"]["uid"] {
            return failure(409, "another uid");
        }
        object["metadata"]["deletionTimestamp"] = json!("2026-11-24T10:00:00Z");
        answer(200, &self.store(key.clone(), object))
    }

    /// Keeps the object, or drops it when it is being deleted and no finalizer holds it.
    fn store(&mut self, key: Key, mut object: Value) -> Value {
        self.version += 1;
        let old = self.objects.get(&key);
        let uid =
            old.map_or_else(|| format!("uid-{}", self.version).into(), |old| old["metadata"]["uid"].clone());
        object["metadata"]["uid"] = uid;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        let held = object["metadata"]["finalizers"].as_array().is_some_and(|held| !held.is_empty());
        let kept = object["metadata"]["deletionTimestamp"].is_null() || held;
        let kind = match (kept, old) {
            (false, _) => "DELETED",
            (true, None) => "ADDED",
            (true, Some(_)) => "MODIFIED",
        };
        let event = json!({"type": kind, "object": object});
        self.watchers.retain(|(collection, watcher)| {
            *collection != key.collection || watcher.unbounded_send(event.clone()).is_ok()
        });
        self.log.push((self.version, key.clone(), event));
        if kept {
            self.objects.insert(key, object.clone());
        } else {
            self.objects.remove(&key);
        }
        object
    }
}

// === impl Key ===

impl Key {
    fn parse(path: &str) -> Self {
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let rest = if parts[0] == "api" { &parts[2..] } else { &parts[3..] };
        let (namespace, rest) = match rest {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (*namespace, rest),
            rest => ("", rest),
        };
        let part = |n: usize| rest.get(n).copied().unwrap_or_default().to_owned();
        Self { collection: part(0), namespace: namespace.to_owned(), name: part(1) }
    }

    fn of(collection: &str, object: &Value) -> Self {
        let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
        Self { collection: collection.to_owned(), namespace: text("namespace"), name: text("name") }
    }
}

fn answer(code: u16, body: &Value) -> Answer {
    Response::builder().status(code).body(Full::new(Bytes::from(body.to_string())).boxed_unsync()).unwrap()
}

fn failure(code: u16, message: &str) -> Answer {
    let reason = match code {
        404 => "NotFound",
        409 => "Conflict",
        _ => "Unknown",
    };
    let status = json!({
        "apiVersion": "v1", "kind": "Status", "status": "Failure",
        "code": code, "reason": reason, "message": message,
    });
    answer(code, &status)
}
