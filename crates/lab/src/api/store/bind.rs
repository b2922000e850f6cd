//! How does a pod get its node?

use super::super::admit::text;
use super::super::resource::PODS;
use super::super::status::Status;
use super::Store;

// === impl Store ===

impl Store {
    /// Puts a pod on a node, once. An empty `uid` means whichever pod has the name.
    pub fn bind(&self, namespace: &str, name: &str, uid: &str, node: &str) -> Result<(), Status> {
        if node.is_empty() {
            return Err(Status::bad_request("a binding names its node in target.name"));
        }
        let mut state = self.locked();
        let pod = state.get(&PODS, namespace, name).ok_or_else(|| Status::not_found(&PODS, name))?;
        let refuse = |why: String| Err(Status::conflict(&PODS, name, &why));
        let found = text(&pod["metadata"]["uid"]);
        if !uid.is_empty() && uid != found {
            return refuse(format!(
                "Precondition failed: UID in precondition: {uid}, UID in object meta: {found}"
            ));
        }
        if pod["metadata"]["deletionTimestamp"].is_string() {
            return refuse(format!("pod {name} is being deleted, cannot be assigned to a host"));
        }
        let has = text(&pod["spec"]["nodeName"]);
        if !has.is_empty() {
            return refuse(format!("pod {name} is already assigned to node \"{has}\""));
        }
        let mut bound = (*pod).clone();
        bound["spec"]["nodeName"] = node.into();
        bound["status"]["conditions"] = serde_json::json!([{"type": "PodScheduled", "status": "True"}]);
        state.put(&PODS, namespace, name, bound);
        self.announce(&state);
        Ok(())
    }
}
