//! What does Gatekeeper have to be told?
//!
//! Three constraints of its library. The one on capabilities forbids *every* added capability unless
//! the allowed ones are listed, and looks neither at privileged containers nor at the host's network,
//! which its neighbours do. All three pass over updates, and with them over containers for debugging.

use serde_json::{Value, json};

use super::{Action, HARMFUL, NetRaw};

/// What a container may add, in capitals: one of the template's two engines compares them with case.
/// All that Linux 5.4 to 6.12 knows, `capability.h`.
const CAPABILITIES: [&str; 41] = [
    "AUDIT_CONTROL",
    "AUDIT_READ",
    "AUDIT_WRITE",
    "BLOCK_SUSPEND",
    "BPF",
    "CHECKPOINT_RESTORE",
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "IPC_LOCK",
    "IPC_OWNER",
    "KILL",
    "LEASE",
    "LINUX_IMMUTABLE",
    "MAC_ADMIN",
    "MAC_OVERRIDE",
    "MKNOD",
    "NET_ADMIN",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_RAW",
    "PERFMON",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYSLOG",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_CHROOT",
    "SYS_MODULE",
    "SYS_NICE",
    "SYS_PACCT",
    "SYS_PTRACE",
    "SYS_RAWIO",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "WAKE_ALARM",
];

/// What a container may add without harm to its neighbours.
pub(super) fn harmless() -> Vec<&'static str> {
    CAPABILITIES.into_iter().filter(|name| !HARMFUL.contains(name)).collect()
}

/// The three constraints.
pub(super) fn objects(choice: &NetRaw) -> Vec<Value> {
    let constraint = |kind: &str, name: &str, parameters: Value| {
        let mut object = json!({
            "apiVersion": "constraints.gatekeeper.sh/v1beta1",
            "kind": kind,
            "metadata": {"name": name},
            "spec": {
                "enforcementAction": enforcement(choice.action),
                "match": {
                    "kinds": [{"apiGroups": [""], "kinds": ["Pod"]}],
                    "excludedNamespaces": choice.left_alone()
                }
            }
        });
        if !parameters.is_null() {
            object["spec"]["parameters"] = parameters;
        }
        object
    };
    let capabilities = json!({"requiredDropCapabilities": ["NET_RAW"], "allowedCapabilities": harmless()});
    vec![
        // The name that the documentation of aad-pod-identity gives it, so that it takes that one's place.
        constraint("K8sPSPCapabilities", "prevent-net-raw", capabilities),
        constraint("K8sPSPPrivilegedContainer", "prevent-net-raw-privileged", Value::Null),
        constraint(
            "K8sPSPHostNetworkingPorts",
            "prevent-net-raw-host-network",
            json!({"hostNetwork": false, "min": 0, "max": 65535}),
        ),
    ]
}

const fn enforcement(action: Action) -> &'static str {
    match action {
        Action::Deny => "deny",
        Action::Warn => "warn",
        Action::Audit => "dryrun",
    }
}
