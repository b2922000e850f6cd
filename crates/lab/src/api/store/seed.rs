//! What is in a cluster before anyone writes to it?

use serde_json::{Value, json};

use super::super::admit;
use super::super::resource::{CONFIG_MAPS, CRDS, NAMESPACES, SERVICE_ACCOUNTS};
use super::Store;
use super::state::State;

const SEEDED: [&str; 4] = ["default", "kube-system", "kube-public", "kube-node-lease"];

// === impl Store ===

impl Store {
    /// Adds the definitions and the usual namespaces.
    pub(super) fn seed(&self, crds: Vec<Value>) {
        for mut crd in crds {
            let name = admit::text(&crd["metadata"]["name"]).to_owned();
            crd["status"] = established(&crd);
            crd["apiVersion"] = "apiextensions.k8s.io/v1".into();
            admit::stamp(&mut crd);
            self.locked().put(&CRDS, "", &name, crd);
        }
        for name in SEEDED {
            // Cannot clash or be invalid: the store is new and the names are ours.
            let _ = self.create(&NAMESPACES, "", json!({"metadata": {"name": name}}));
        }
    }

    /// Gives a new namespace what the controllers of a real cluster put into it.
    pub(super) fn furnish(&self, state: &mut State, namespace: &str) {
        let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}});
        let authority = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kube-root-ca.crt"},
            "data": {"ca.crt": self.inner.root_ca},
        });
        for (resource, mut object) in [(&SERVICE_ACCOUNTS, account), (&CONFIG_MAPS, authority)] {
            let name = admit::text(&object["metadata"]["name"]).to_owned();
            object["metadata"]["namespace"] = namespace.into();
            admit::stamp(&mut object);
            state.put(resource, namespace, &name, object);
        }
    }
}

fn established(crd: &Value) -> Value {
    let condition = |kind, reason, message| {
        json!({"type": kind, "status": "True", "reason": reason, "message": message,
               "lastTransitionTime": admit::now(0)})
    };
    json!({
        "acceptedNames": crd["spec"]["names"],
        "storedVersions": ["v1"],
        "conditions": [
            condition("NamesAccepted", "NoConflicts", "no conflicts found"),
            condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        ],
    })
}
