//! How does the original's controller hold its lock? As client-go's elector does with an Endpoints record.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use kube::api::{Api, DynamicObject, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

const NAME: &str = "aad-pod-identity-mic";
const ANNOTATION: &str = "control-plane.alpha.kubernetes.io/leader";
/// Life of its lease; the original's is 15 s.
const LEASE: Duration = Duration::from_secs(4);

/// A replica of the original's controller that stands for election until it is dropped, without a farewell.
pub(crate) struct OldController {
    leads: Arc<AtomicBool>,
    task: JoinHandle<()>,
    _runtime: Runtime,
}

// === impl OldController ===

impl OldController {
    pub(crate) fn start(kubeconfig: &Path, identity: &'static str) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let client = runtime.block_on(podid_kube::client::connect(Some(kubeconfig), "old-mic")).unwrap();
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "Endpoints"));
        let api: Api<DynamicObject> = Api::namespaced_with(client, "default", &kind);
        let leads = Arc::new(AtomicBool::new(false));
        let told = leads.clone();
        let task = runtime.spawn(async move {
            let mut seen = (Value::Null, Instant::now());
            loop {
                let got = attempt(&api, identity, &mut seen).await;
                told.store(got, Ordering::Relaxed);
                tokio::time::sleep(LEASE / 4).await;
            }
        });
        Self { leads, task, _runtime: runtime }
    }

    pub(crate) fn leads(&self) -> bool {
        self.leads.load(Ordering::Relaxed)
    }
}

impl Drop for OldController {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One attempt to take or renew the lock: another's record is respected until it has not changed for a lease.
async fn attempt(api: &Api<DynamicObject>, identity: &str, seen: &mut (Value, Instant)) -> bool {
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let fresh = json!({
        "holderIdentity": identity, "leaseDurationSeconds": LEASE.as_secs(), "acquireTime": now, "renewTime": now,
        "leaderTransitions": 0
    });
    let write = |mut object: DynamicObject, record: &Value| {
        object.metadata.annotations.get_or_insert_default().insert(ANNOTATION.to_owned(), record.to_string());
        object
    };
    let Ok(found) = api.get_opt(NAME).await else { return false };
    let Some(object) = found else {
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "Endpoints"));
        let object = write(DynamicObject::new(NAME, &kind), &fresh);
        return api.create(&PostParams::default(), &object).await.is_ok();
    };
    let text = object.metadata.annotations.as_ref().and_then(|all| all.get(ANNOTATION));
    let record: Value = text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    if record != seen.0 {
        *seen = (record.clone(), Instant::now());
    }
    let holder = record["holderIdentity"].as_str().unwrap_or_default();
    let life = Duration::from_secs(record["leaseDurationSeconds"].as_u64().unwrap_or_default());
    if !holder.is_empty() && holder != identity && seen.1.elapsed() < life {
        return false;
    }
    api.replace(NAME, &PostParams::default(), &write(object, &fresh)).await.is_ok()
}
