//! What must work, and what must not?

use podid_lab::api::{DeleteOptions, LEASES, Resource};
use rustix::thread::CapabilitySet;
use serde_json::json;

use crate::container::Container;
use crate::root;
use crate::stage::{Running, Stage};

/// Who runs in the image where no manifest says so.
const NONROOT: u32 = 65532;

/// A rule.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// Whose process it runs as.
    pub(crate) user: u32,
    pub(crate) run: fn(),
}

const STANDARD: &str = "deployment-rbac.yaml";
const MANAGED: &str = "managed-mode-deployment.yaml";
const WITHOUT_AZURE_JSON: &str = "noazurejson/deployment-rbac.yaml";

const CASES: &[Case] = &[
    Case { name: "nmi_redirects_with_net_admin_and_nothing_else", user: 0, run: nmi_standard },
    Case { name: "nmi_in_managed_mode_needs_nothing_else", user: 0, run: nmi_managed },
    Case { name: "cleanup_asks_the_nmi_that_runs_and_only_root_is_heard", user: 0, run: cleanup },
    Case {
        name: "nmi_opens_the_way_when_its_daemon_set_was_deleted_and_not_otherwise",
        user: 0,
        run: farewell,
    },
    Case { name: "nmi_without_net_admin_says_what_it_lacks", user: 0, run: nmi_powerless },
    Case { name: "mic_leads_as_root_without_capabilities", user: 0, run: mic_with_azure_json },
    Case { name: "mic_leads_as_nobody_in_particular", user: NONROOT, run: mic_without_azure_json },
    Case { name: "each_name_of_the_program_is_a_role", user: NONROOT, run: names },
];

/// What holds for the image's binary only.
const IMAGE_CASES: &[Case] =
    &[Case { name: "the_lab_is_not_in_the_image", user: NONROOT, run: without_the_lab }];

/// Every case of this run.
pub(crate) fn all() -> impl Iterator<Item = &'static Case> {
    let image = if root::image().is_some() { IMAGE_CASES } else { &[] };
    CASES.iter().chain(image)
}

pub(crate) fn find(name: &str) -> &'static Case {
    all().find(|case| case.name == name).unwrap()
}

fn nmi_standard() {
    nmi(STANDARD);
}

fn nmi_managed() {
    nmi(MANAGED);
}

fn nmi(file: &str) {
    let stage = Stage::new();
    let container = Container::of(file, "DaemonSet");
    assert_eq!(container.capabilities, CapabilitySet::NET_ADMIN, "the manifest asks for what is not needed");
    assert_eq!(stage.heard_by_pod("/"), None, "there is an IMDS, so that this test shows nothing");
    let mut nmi = stage.start(&container);
    nmi.until("ready", || stage.status(container.probes, "/readyz") == Some(200));
    // Lines are written in batches, and may come after what they tell of.
    nmi.until_it_says("as a test over a link showed");
    assert_limited(&nmi, &container);
    // No header: refused at once, by NMI, without asking anybody.
    let answer = stage.heard_by_pod("/metadata/identity/oauth2/token?resource=r").unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("error_description"), "{answer}");
    assert!(nmi.stop().success(), "{}", nmi.log());
    assert_wrote_nothing(&nmi);
}

fn cleanup() {
    let stage = Stage::new();
    let container = Container::of(STANDARD, "DaemonSet");
    let mut nmi = stage.start(&container);
    nmi.until("ready", || stage.status(container.probes, "/readyz") == Some(200));
    let (status, text) = stage.call("nmi", &["--cleanup"], NONROOT);
    assert!(status.code() == Some(1) && text.contains("only root may ask"), "{text}");
    assert!(stage.heard_by_pod("/").is_some(), "the redirect is gone");

    let (status, text) = stage.call("podid", &["nmi", "--cleanup"], 0);
    assert!(status.success() && text.contains("removed by the NMI that runs"), "{text}");
    assert_eq!(stage.heard_by_pod("/"), None);
    nmi.until("not ready", || stage.status(container.probes, "/readyz") == Some(503));
    assert!(nmi.stop().success(), "{}", nmi.log());
    assert_eq!(stage.heard_by_pod("/"), None);
}

fn farewell() {
    let daemon_sets = Resource::named("apps", "daemonsets");
    let object =
        json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "nmi"}, "spec": {}});
    let container = Container::of(STANDARD, "DaemonSet");
    for (deleted, left) in [(false, "redirect removed"), (true, "there was no redirect")] {
        let stage = Stage::new();
        stage.cluster.store.create(&daemon_sets, "default", object.clone()).unwrap();
        let mut nmi = stage.start(&container);
        nmi.until("ready", || stage.status(container.probes, "/readyz") == Some(200));
        assert!(stage.heard_by_pod("/").unwrap().starts_with("HTTP/1.1 "));
        if deleted {
            stage.cluster.store.delete(&daemon_sets, "default", "nmi", &DeleteOptions::default()).unwrap();
            nmi.until_it_says("the DaemonSet of this agent is deleted");
        }
        assert!(nmi.stop().success(), "{}", nmi.log());
        let (status, text) = stage.call_with(CapabilitySet::NET_ADMIN, "podid", &["nmi", "--cleanup"], 0);
        assert!(status.success() && text.contains(left), "{text}\n{}", nmi.log());
    }
}

fn nmi_powerless() {
    let stage = Stage::new();
    let all = Container::of(STANDARD, "DaemonSet");
    let mut nmi = stage.start(&Container { capabilities: CapabilitySet::empty(), ..all });
    let status = nmi.end();
    assert_eq!(status.code(), Some(1), "{}", nmi.log());
    assert!(nmi.log().contains("capability NET_ADMIN"), "{}", nmi.log());
    assert_eq!(stage.heard_by_pod("/"), None);
}

fn mic_with_azure_json() {
    mic(STANDARD, 0);
}

fn mic_without_azure_json() {
    mic(WITHOUT_AZURE_JSON, NONROOT);
}

fn mic(file: &str, user: u32) {
    let stage = Stage::new();
    let container = Container::of(file, "Deployment");
    assert_eq!((container.user, container.capabilities), (user, CapabilitySet::empty()));
    let mut mic = stage.start(&container);
    let holder = || {
        let lease = stage.cluster.store.get(&LEASES, "default", "aad-pod-identity-mic").ok()?;
        lease["spec"]["holderIdentity"].as_str().filter(|holder| !holder.is_empty()).map(str::to_owned)
    };
    mic.until("leading", || holder().is_some());
    mic.until("ready", || stage.status(container.probes, "/readyz") == Some(200));
    assert_limited(&mic, &container);
    assert!(mic.stop().success(), "{}", mic.log());
    assert_eq!(holder(), None, "the lease was not given back");
    assert_wrote_nothing(&mic);
}

fn names() {
    let stage = Stage::new();
    for name in ["mic", "nmi", "demo"] {
        let (status, text) = stage.call(name, &["--help"], NONROOT);
        assert!(status.success() && text.contains(&format!("Usage: podid {name}")), "{name}: {text}");
    }
    let (status, text) = stage.call("podid", &["--version"], NONROOT);
    assert!(status.success(), "{text}");
    assert_eq!(text.trim(), concat!("podid ", env!("CARGO_PKG_VERSION")));
}

fn without_the_lab() {
    let stage = Stage::new();
    let (status, text) = stage.call("podid", &["lab"], NONROOT);
    assert_eq!(status.code(), Some(2), "{text}");
    let (_, help) = stage.call("podid", &["--help"], NONROOT);
    assert!(help.contains("nmi") && !help.contains("\n  lab"), "{help}");
}

/// The kernel agrees that the process has what the manifest gives, and no more.
fn assert_limited(running: &Running, container: &Container) {
    for which in ["CapEff", "CapPrm", "CapBnd"] {
        let rights = running.rights(which);
        assert_eq!(rights, container.capabilities, "{which}");
    }
    for which in ["CapInh", "CapAmb"] {
        assert_eq!(running.rights(which), CapabilitySet::empty(), "{which}");
    }
    assert_eq!(running.status("NoNewPrivs"), "1");
}

/// Nothing was tried that a read-only root forbids.
fn assert_wrote_nothing(running: &Running) {
    let log = running.log().to_lowercase();
    assert!(!log.contains("read-only file system"), "{log}");
}
