//! Which flags of the original have to be carried over, and which mean something else or nothing?
//!
//! Read from the command lines of its workloads. A flag that has its default's value is left out.

use super::installed::object;
use super::workload::{Role, Workload};
use super::{Code, Finding, Level, View};

/// What becomes of a flag.
#[derive(Clone, Copy)]
enum Fate {
    /// It means the same; the chart's value for it.
    Kept(&'static str),
    /// It means something else: what, and the chart's value for it, if there is one.
    Differs(&'static str, &'static str),
    /// It is accepted and changes nothing: why.
    NoEffect(&'static str),
}

use Fate::{Differs, Kept, NoEffect};

const SAME_EVERYWHERE: &str = "podid has no profiler on a port.";
const HOLD: &str = "podid does not poll: a request is held until its assignment comes, 50 s at most; attempts × interval \
                    shortens that.";
const TYPE_UPGRADE: &str = "podid reads objects of all releases since 1.6 as they are and rewrites none.";

/// Flags of the controller (peer contract §2.1): name, default, fate.
const MIC: &[(&str, &str, Fate)] = &[
    ("syncRetryDuration", "3600s", Kept("mic.syncRetryDuration")),
    ("leader-election-instance", "", Kept("mic.leaderElection.instance")),
    ("leader-election-duration", "15s", Kept("mic.leaderElection.duration")),
    ("http-probe-port", "8080", Kept("mic.probePort")),
    ("prometheus-port", "8888", Kept("mic.prometheusPort")),
    ("createDeleteBatch", "20", Kept("mic.createDeleteBatch")),
    ("immutable-user-msis", "", Kept("mic.immutableUserMSIs")),
    ("identity-assignment-reconcile-interval", "3m", Kept("mic.identityAssignmentReconcileInterval")),
    ("update-user-msi-retry-interval", "1s", Kept("mic.updateUserMSIRetryInterval")),
    ("custom-user-agent", "", Kept("customUserAgent")),
    ("log-format", "text", Kept("mic.loggingFormat")),
    ("enableProfile", "false", NoEffect(SAME_EVERYWHERE)),
    ("enableScaleFeatures", "false", NoEffect("It had none before.")),
    ("clientQps", "5", NoEffect("podid's controller is not slowed down by its client.")),
    ("config-map-name", "aad-pod-identity-config", NoEffect(TYPE_UPGRADE)),
    ("type-upgrade-status-key", "type-upgrade-status", NoEffect(TYPE_UPGRADE)),
    ("enable-type-upgrade", "true", NoEffect(TYPE_UPGRADE)),
    (
        "update-user-msi-max-retry",
        "2",
        NoEffect("podid sets an identity that ARM refuses aside and tries it again with growing pauses."),
    ),
];

/// Flags of the agent (peer contract §4.1).
const NMI: &[(&str, &str, Fate)] = &[
    ("http-probe-port", "8085", Kept("nmi.probePort")),
    ("prometheus-port", "9090", Kept("nmi.prometheusPort")),
    ("block-instance-metadata", "false", Kept("nmi.blockInstanceMetadata")),
    ("metadata-header-required", "true", Kept("nmi.metadataHeaderRequired")),
    ("enableScaleFeatures", "true", Kept("nmi.enableScaleFeatures")),
    ("operation-mode", "standard", Kept("operationMode")),
    ("kubelet-config", "/etc/default/kubelet", Kept("nmi.kubeletConfig")),
    ("custom-user-agent", "", Kept("customUserAgent")),
    ("log-format", "text", Kept("nmi.loggingFormat")),
    (
        "allow-network-plugin-kubenet",
        "false",
        Differs(
            "On kubenet a pod can take another's address and so its identity; podid's agent, too, refuses to start \
             there unless told otherwise.",
            "nmi.allowNetworkPluginKubenet",
        ),
    ),
    ("retry-attempts-for-created", "16", Differs(HOLD, "nmi.retryAttemptsForCreated")),
    ("retry-attempts-for-assigned", "4", Differs(HOLD, "nmi.retryAttemptsForAssigned")),
    ("find-identity-retry-interval", "5", Differs(HOLD, "nmi.findIdentityRetryIntervalInSeconds")),
    (
        "MICNamespace",
        "default",
        NoEffect("The short cut by name is gone; an AzurePodIdentityException takes its place."),
    ),
    (
        "ipt-update-interval-sec",
        "60",
        NoEffect("podid repairs its redirect when somebody changes it, not on a timer."),
    ),
    ("set-retry-after-header", "false", NoEffect("podid always says when to try again.")),
    (
        "enable-conntrack-deletion",
        "false",
        NoEffect("podid always cuts connections from before its redirect."),
    ),
    ("enableProfile", "false", NoEffect(SAME_EVERYWHERE)),
];

/// Booleans whose default is in neither table.
const OTHER_BOOLEANS: [&str; 5] =
    ["forceNamespaced", "force-namespaced", "version", "logtostderr", "alsologtostderr"];

pub(super) fn find(view: &View<'_>) -> Vec<Finding> {
    view.original.all().flat_map(differences).collect()
}

/// Whether the flag needs no value.
pub(super) fn is_boolean(name: &str) -> bool {
    let rows = MIC.iter().chain(NMI);
    OTHER_BOOLEANS.contains(&name)
        || rows.into_iter().any(|(flag, default, _)| *flag == name && ["true", "false"].contains(default))
}

fn differences(workload: &Workload) -> Vec<Finding> {
    let table = if workload.role() == Some(Role::Mic) { MIC } else { NMI };
    let set = table.iter().filter_map(|(flag, default, fate)| {
        let value = workload.flag(flag).filter(|value| !value.is_empty() && value != default)?;
        Some(finding(workload, flag, value, *fate))
    });
    set.collect()
}

fn finding(workload: &Workload, flag: &str, value: &str, fate: Fate) -> Finding {
    let set = |name: &str| format!("--set {name}={}", value.replace(',', "\\,"));
    let (level, change, action) = match fate {
        Kept(name) => (Level::Note, "podid knows it; carry it over.".to_owned(), set(name)),
        Differs(meaning, name) => (Level::Changes, meaning.to_owned(), set(name)),
        NoEffect(why) => (Level::Note, why.to_owned(), "Leave it out.".to_owned()),
    };
    Finding {
        code: Code::Flag,
        level,
        object: object(workload),
        change: format!("--{flag}={value}: {change}"),
        action,
    }
}
