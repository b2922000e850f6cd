//! Which pods must pass, and which must not?

use serde_json::{Value, json};

/// A pod before anybody judges it.
pub(crate) fn pod(namespace: &str, name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec
    })
}

fn container(security: &Value) -> Value {
    json!({"name": "main", "image": "x", "securityContext": security})
}

/// One container with this security context.
pub(crate) fn with(security: &Value) -> Value {
    json!({"containers": [container(security)]})
}

/// Why it must not pass, in words of the message; none if it must.
pub(crate) type Verdict = Option<&'static str>;

/// Names, specs, and what the API server's policy says of them.
pub(crate) fn cases() -> Vec<(&'static str, Value, Verdict)> {
    let drops = |names: &[&str]| json!({"capabilities": {"drop": names}});
    let dropping = |more: &Value| {
        let mut security = drops(&["ALL"]);
        security.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        with(&security)
    };
    let adds = |drop: &[&str], add: &[&str]| with(&json!({"capabilities": {"drop": drop, "add": add}}));
    let good = container(&drops(&["ALL"]));
    let second = json!({"name": "second", "image": "x"});
    let mut windows = with(&json!({}));
    windows["os"] = json!({"name": "windows"});
    let mut linux = with(&drops(&["ALL"]));
    linux["os"] = json!({"name": "linux"});
    let mut linux_bad = with(&json!({}));
    linux_bad["os"] = json!({"name": "linux"});
    let mut host = with(&drops(&["ALL"]));
    host["hostNetwork"] = true.into();
    let mut not_host = with(&drops(&["ALL"]));
    not_host["hostNetwork"] = false.into();
    let init = |containers: Value| json!({"containers": [good], "initContainers": containers});
    let (keeps, added, privileged, node) = (
        Some("do not drop NET_RAW"),
        Some("add ALL, NET_RAW or NET_ADMIN"),
        Some("privileged"),
        Some("hostNetwork"),
    );
    vec![
        ("drops-all", with(&drops(&["ALL"])), None),
        ("drops-net-raw", with(&drops(&["NET_RAW"])), None),
        ("drops-both", with(&drops(&["ALL", "NET_RAW"])), None),
        ("drops-all-in-small-letters", with(&drops(&["all"])), None),
        ("drops-net-raw-in-small-letters", with(&drops(&["net_raw"])), None),
        ("drops-net-raw-among-others", with(&drops(&["MKNOD", "NET_RAW"])), None),
        ("drops-nothing", with(&json!({})), keeps),
        ("says-nothing", json!({"containers": [second]}), keeps),
        ("drops-another", with(&drops(&["NET_ADMIN"])), keeps),
        // containerd puts CAP_ before what is named, and then drops nothing.
        ("drops-with-the-kernel-s-prefix", with(&drops(&["CAP_NET_RAW"])), keeps),
        ("drops-an-empty-list", with(&drops(&[])), keeps),
        ("adds-net-raw-back", adds(&["ALL"], &["NET_RAW"]), added),
        ("adds-net-raw-back-in-small-letters", adds(&["ALL"], &["net_raw"]), added),
        ("adds-net-raw-back-with-the-kernel-s-prefix", adds(&["ALL"], &["CAP_NET_RAW"]), added),
        ("adds-all-back", adds(&["NET_RAW"], &["ALL"]), added),
        ("adds-net-admin", adds(&["ALL"], &["NET_ADMIN"]), added),
        ("adds-what-does-no-harm", adds(&["ALL"], &["NET_BIND_SERVICE", "SYS_TIME"]), None),
        ("is-privileged", dropping(&json!({"privileged": true})), privileged),
        ("is-not-privileged", dropping(&json!({"privileged": false})), None),
        ("is-on-the-host-s-network", host, node),
        ("is-not-on-the-host-s-network", not_host, None),
        ("has-a-second-container-that-keeps-it", json!({"containers": [good, second]}), Some("second")),
        ("has-an-init-container-that-keeps-it", init(json!([second])), Some("second")),
        (
            "has-an-init-container-that-drops-it",
            init(json!([{"name": "i", "image": "x", "securityContext": drops(&["ALL"])}])),
            None,
        ),
        (
            "has-a-sidecar-that-adds-it",
            init(
                json!([{"name": "s", "image": "x", "restartPolicy": "Always", "securityContext": {"capabilities": {"drop": ["ALL"], "add": ["NET_RAW"]}}}]),
            ),
            added,
        ),
        ("runs-windows", windows, None),
        ("runs-linux-and-says-so", linux, None),
        ("runs-linux-and-keeps-it", linux_bad, keeps),
        // An image exempts nobody.
        (
            "has-an-image-of-the-cluster-s-own",
            json!({"containers": [{"name": "main", "image": "mcr.microsoft.com/oss/kubernetes/pause:3.9"}]}),
            keeps,
        ),
    ]
}
