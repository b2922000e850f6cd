//! How does an API server keep objects: versions, conflicts, patches, finalizers?

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use http::{Method, Request, Response};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

use super::{answer, failure};

/// Objects by path, such as `/api/v1/namespaces/n/configmaps/x`. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Store(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Value>,
    version: u64,
    calls: Vec<String>,
    after_read: Option<(String, Value)>,
}

/// One client's way to the store.
pub(crate) struct Link {
    pub(crate) client: Client,
    cut: Arc<AtomicBool>,
}

// === impl Link ===

impl Link {
    /// From now on the client's calls get no answer at all.
    pub(crate) fn cut(&self) {
        self.cut.store(true, Ordering::Relaxed);
    }
}

// === impl Store ===

impl Store {
    pub(crate) fn link(&self) -> Link {
        let (store, cut) = (self.clone(), Arc::new(AtomicBool::new(false)));
        let gate = cut.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let (store, gate) = (store.clone(), gate.clone());
            async move {
                if gate.load(Ordering::Relaxed) {
                    std::future::pending::<()>().await;
                }
                Ok::<_, Infallible>(store.serve(request).await)
            }
        });
        Link { client: Client::new(service, "default"), cut }
    }

    pub(crate) fn client(&self) -> Client {
        self.link().client
    }

    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        self.0.lock().unwrap().objects.get(path).cloned()
    }

    /// Puts an object there as if someone else had.
    pub(crate) fn put(&self, path: &str, mut object: Value) {
        let mut state = self.0.lock().unwrap();
        state.stamp(&mut object);
        state.objects.insert(path.to_owned(), object);
    }

    /// Puts an object there as if someone else had, right after it was read the next time.
    pub(crate) fn put_after_read(&self, path: &str, object: Value) {
        self.0.lock().unwrap().after_read = Some((path.to_owned(), object));
    }

    /// Verb and path of the calls so far, such as `PUT /api/…`.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.0.lock().unwrap().calls.clone()
    }

    async fn serve(&self, request: Request<Body>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let path = head.uri.path().to_owned();
        let body = body.collect().await.unwrap().to_bytes();
        let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let kind = head.headers.get("content-type").map_or("", |value| value.to_str().unwrap());
        let mut state = self.0.lock().unwrap();
        state.calls.push(format!("{} {path}", head.method));
        match head.method {
            Method::GET => state.read(&path),
            Method::POST => state.create(&path, body),
            Method::PUT => state.replace(&path, body),
            Method::PATCH => state.patch(&path, kind, &body),
            Method::DELETE => state.delete(&path, &body),
            _ => failure(405, "MethodNotAllowed", "?"),
        }
    }
}

// === impl State ===

impl State {
    fn stamp(&mut self, object: &mut Value) {
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        if object["metadata"]["uid"].is_null() {
            object["metadata"]["uid"] = format!("uid-{}", self.version).into();
        }
    }

    fn read(&mut self, path: &str) -> Response<Body> {
        let found = self.objects.get(path).cloned();
        if let Some((path, mut object)) = self.after_read.take_if(|(other, _)| other == path) {
            self.stamp(&mut object);
            self.objects.insert(path, object);
        }
        match found {
            Some(object) => answer(200, &object),
            None => failure(404, "NotFound", "not found"),
        }
    }

    fn create(&mut self, collection: &str, mut object: Value) -> Response<Body> {
        let path = format!("{collection}/{}", object["metadata"]["name"].as_str().unwrap());
        if self.objects.contains_key(&path) {
            return failure(409, "AlreadyExists", "exists");
        }
        self.stamp(&mut object);
        self.objects.insert(path, object.clone());
        answer(201, &object)
    }

    fn replace(&mut self, path: &str, object: Value) -> Response<Body> {
        let Some(old) = self.objects.get(path) else { return failure(404, "NotFound", "not found") };
        if old["metadata"]["resourceVersion"] != object["metadata"]["resourceVersion"] {
            return failure(409, "Conflict", "the object has been modified");
        }
        self.store(path, object)
    }

    fn patch(&mut self, path: &str, kind: &str, change: &Value) -> Response<Body> {
        let Some(mut object) = self.objects.get(path).cloned() else {
            return failure(404, "NotFound", "not found");
        };
        let wanted = &change["metadata"]["resourceVersion"];
        if wanted.is_string() && *wanted != object["metadata"]["resourceVersion"] {
            return failure(409, "Conflict", "the object has been modified");
        }
        let uid = object["metadata"]["uid"].clone();
        if kind == "application/json-patch+json" {
            let steps: json_patch::Patch = serde_json::from_value(change.clone()).unwrap();
            if let Err(error) = json_patch::patch(&mut object, &steps) {
                return failure(422, "Invalid", &error.to_string());
            }
        } else {
            json_patch::merge(&mut object, change);
        }
        if object["metadata"]["uid"] != uid {
            return failure(422, "Invalid", "metadata.uid: field is immutable");
        }
        self.store(path, object)
    }

    fn delete(&mut self, path: &str, options: &Value) -> Response<Body> {
        let Some(mut object) = self.objects.get(path).cloned() else {
            return failure(404, "NotFound", "not found");
        };
        let wanted = &options["preconditions"]["uid"];
        if !wanted.is_null() && *wanted != object["metadata"]["uid"] {
            return failure(409, "Conflict", "Precondition failed: UID in precondition");
        }
        object["metadata"]["deletionTimestamp"] = json!("2026-11-24T10:00:00Z");
        self.store(path, object)
    }

    /// Keeps the object, or drops it when it is being deleted and no finalizer holds it.
    fn store(&mut self, path: &str, mut object: Value) -> Response<Body> {
        self.stamp(&mut object);
        let held = object["metadata"]["finalizers"].as_array().is_some_and(|held| !held.is_empty());
        if object["metadata"]["deletionTimestamp"].is_null() || held {
            self.objects.insert(path.to_owned(), object.clone());
        } else {
            self.objects.remove(path);
        }
        answer(200, &object)
    }
}
