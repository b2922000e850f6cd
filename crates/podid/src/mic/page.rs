//! Does docs/reference/mic.md say every flag, variable, port, metric and event that there is, and none that there is
//! not?

use std::cell::RefCell;
use std::collections::BTreeSet;

use clap::FromArgMatches as _;
use podid_azure::config::AzureConfig;
use podid_kube::crd::{ASSIGNMENT_FINALIZER, BEHAVIOR_ANNOTATION, NODE_LABEL};

use super::Args;
use crate::page::{
    Page, cells, exposed, flags, hidden_flags, keeps_the_rules, names, rows_of_flags, rows_of_metrics,
};

/// The flags of the original (peer contract §2.1), in its spelling. klog's are not among them.
const ORIGINAL: [&str; 24] = [
    "clientQps",
    "cloudconfig",
    "config-map-name",
    "createDeleteBatch",
    "custom-user-agent",
    "enable-type-upgrade",
    "enableProfile",
    "enableScaleFeatures",
    "forceNamespaced",
    "http-probe-port",
    "identity-assignment-reconcile-interval",
    "immutable-user-msis",
    "kubeconfig",
    "leader-election-duration",
    "leader-election-instance",
    "leader-election-name",
    "leader-election-namespace",
    "log-format",
    "prometheus-port",
    "syncRetryDuration",
    "type-upgrade-status-key",
    "update-user-msi-max-retry",
    "update-user-msi-retry-interval",
    "v",
];

/// Names of the original that break a rule of Prometheus and stay.
const LEGACY: [&str; 7] = [
    "aadpodidentity_assigned_identity_addition_count",
    "aadpodidentity_assigned_identity_deletion_count",
    "aadpodidentity_assigned_identity_update_count",
    "aadpodidentity_cloud_provider_operations_errors_count",
    "aadpodidentity_kubernetes_api_operations_errors_count",
    "aadpodidentity_mic_cycle_count",
    "aadpodidentity_mic_new_leader_election_count",
];

#[test]
fn the_page_has_every_flag_as_clap_knows_it_and_no_other() {
    Page::read("mic").must_say("Flags", &rows_of_flags(&flags::<Args>(), &ORIGINAL));
}

#[test]
fn the_page_has_every_flag_without_effect_and_no_other() {
    let page = Page::read("mic");
    let said: BTreeSet<_> = page.first_cells("Flags without effect").into_iter().map(str::to_owned).collect();
    assert_eq!(said, hidden_flags(&flags::<Args>()));
}

#[test]
fn every_flag_of_the_original_is_accepted() {
    let flags = flags::<Args>();
    let known: BTreeSet<&str> = flags.iter().flat_map(names).collect();
    let refused: Vec<_> = ORIGINAL.iter().filter(|name| !known.contains(*name)).collect();
    assert!(refused.is_empty(), "{refused:?}");
}

#[test]
fn the_page_has_every_variable_that_the_controller_asks_for() {
    let asked = RefCell::new(BTreeSet::new());
    let ask = |name: &str, value: Option<&str>| {
        asked.borrow_mut().insert(name.to_owned());
        value.map(str::to_owned)
    };
    let nothing = <Args as clap::Args>::augment_args(clap::Command::new("mic")).get_matches_from(["mic"]);
    let args = Args::from_arg_matches(&nothing).unwrap();
    args.config(|name| ask(name, Some("x"))).unwrap();
    for managed in ["true", "false"] {
        let value = |name: &str| match name {
            "CLOUD" => Some("AzurePublicCloud"),
            "USE_MSI" => Some(managed),
            "AZURE_ENVIRONMENT_FILEPATH" => None,
            _ => Some("x"),
        };
        AzureConfig::from_environment(|name| ask(name, value(name))).unwrap();
    }
    let page = Page::read("mic");
    let said = page.first_cells("Environment");
    let missing: Vec<_> =
        asked.into_inner().into_iter().filter(|name| !said.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "docs/reference/mic.md lacks in \"Environment\": {missing:?}");
}

#[test]
fn the_page_has_every_port_and_path() {
    let page = Page::read("mic");
    let said: Vec<_> =
        page.rows("Ports and probes").into_iter().map(|row| cells(row)[0].trim_matches('`')).collect();
    let served = podid_runtime::admin::PROBE_PATHS.iter().chain([&podid_runtime::admin::METRICS_PATH]);
    for path in served {
        assert!(said.iter().any(|said| said.ends_with(path)), "{path} is not among {said:?}");
    }
}

#[test]
fn the_page_has_every_metric_and_no_other() {
    Page::read("mic").must_say("Metrics", &rows_of_metrics(&exposed(&podid_mic::metrics::sample())));
}

#[test]
fn names_of_metrics_keep_the_rules_except_the_original_s() {
    keeps_the_rules(&exposed(&podid_mic::metrics::sample()), &LEGACY);
}

#[test]
fn the_page_has_every_event_with_its_kind_and_object_and_no_other() {
    let page = Page::read("mic");
    let said: BTreeSet<_> = page
        .rows("Events")
        .into_iter()
        .map(|row| cells(row)[..3].iter().map(|cell| cell.trim_matches('`').to_owned()).collect::<Vec<_>>())
        .collect();
    let real: BTreeSet<_> = podid_mic::report::EVENTS
        .iter()
        .map(|event| {
            vec![event.reason.to_owned(), format!("{:?}", event.severity), event.subject.kind().to_owned()]
        })
        .collect();
    assert_eq!(said, real);
}

#[test]
fn the_page_has_every_annotation_label_and_finalizer_by_its_name() {
    let page = Page::read("mic");
    let said = page.first_cells("Annotations, labels and objects");
    for name in [
        BEHAVIOR_ANNOTATION,
        "aadpodidbinding",
        ASSIGNMENT_FINALIZER,
        NODE_LABEL,
        podid_core::ownership::NAME,
    ] {
        assert!(said.contains(name), "{name} is not among {said:?}");
    }
}
