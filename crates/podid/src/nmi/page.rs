//! Does docs/reference/nmi.md say every flag, route, status and metric that there is, and none that there is not?

use std::collections::BTreeSet;

use podid_core::refusal::{Cause, Refusal};
use podid_core::request::{PassThrough, Raw, Request, Rules, parse};

use super::Args;
use crate::page::{
    Page, cells, exposed, flags, hidden_flags, keeps_the_rules, names, rows_of_flags, rows_of_metrics,
};

/// The flags of the original (peer contract §4.1), in its spelling. klog's are not among them.
const ORIGINAL: [&str; 25] = [
    "MICNamespace",
    "allow-network-plugin-kubenet",
    "block-instance-metadata",
    "custom-user-agent",
    "enable-conntrack-deletion",
    "enableProfile",
    "enableScaleFeatures",
    "find-identity-retry-interval",
    "forceNamespaced",
    "http-probe-port",
    "ipt-update-interval-sec",
    "kubelet-config",
    "log-format",
    "metadata-header-required",
    "metadata-ip",
    "metadata-port",
    "nmi-listen-address",
    "nmi-port",
    "node",
    "operation-mode",
    "prometheus-port",
    "retry-attempts-for-assigned",
    "retry-attempts-for-created",
    "set-retry-after-header",
    "v",
];

/// Names of the original that break a rule of Prometheus and stay.
const LEGACY: [&str; 2] =
    ["aadpodidentity_imds_operations_errors_count", "aadpodidentity_kubernetes_api_operations_errors_count"];

#[test]
fn the_page_has_every_flag_as_clap_knows_it_and_no_other() {
    Page::read("nmi").must_say("Flags", &rows_of_flags(&flags::<Args>(), &ORIGINAL));
}

#[test]
fn the_page_has_every_flag_without_effect_and_no_other() {
    let page = Page::read("nmi");
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
fn the_page_has_every_metric_and_no_other() {
    Page::read("nmi").must_say("Metrics", &rows_of_metrics(&exposed(&podid_nmi::metrics::sample())));
}

#[test]
fn names_of_metrics_keep_the_rules_except_the_original_s() {
    keeps_the_rules(&exposed(&podid_nmi::metrics::sample()), &LEGACY);
}

/// Kinds of requests, by their words on the page.
const KINDS: [&str; 8] = ["token", "host token", "instance", "versions", "other", "probe", "refused", ""];

fn kind(request: &Request) -> &'static str {
    match request {
        Request::Token(_) => "token",
        Request::HostToken { .. } => "host token",
        Request::Instance => "instance",
        Request::Versions => "versions",
        Request::Open | Request::Other => "other",
        Request::Probe(_) => "probe",
        Request::Refuse(_) => "refused",
    }
}

#[test]
fn the_page_reads_each_request_as_the_agent_does() {
    let rules = Rules {
        metadata_header_required: true,
        block_instance_metadata: false,
        host_token_route: true,
        pass_through: PassThrough::Instance,
    };
    let page = Page::read("nmi");
    let mut seen = BTreeSet::from([""]);
    for row in page.rows("Routes") {
        let cells = cells(row);
        let (method, target) = cells[0].trim_matches('`').split_once(' ').unwrap();
        let headers: Vec<(&str, &[u8])> = match cells[1] {
            "–" => vec![],
            given => {
                let headers =
                    given.split(", ").map(|header| header.trim_matches('`').split_once(": ").unwrap());
                headers.map(|(name, value)| (name, value.as_bytes())).collect()
            }
        };
        let read = kind(&parse(Raw { method, target, headers }, rules));
        assert_eq!(cells[2], read, "{row}");
        seen.insert(read);
    }
    assert_eq!(seen, BTreeSet::from(KINDS), "some kind of request is not on the page");
}

#[test]
fn the_page_has_every_path_of_the_other_ports() {
    let page = Page::read("nmi");
    let said: Vec<_> =
        page.rows("Ports and probes").into_iter().map(|row| cells(row)[0].trim_matches('`')).collect();
    let served = podid_runtime::admin::PROBE_PATHS.iter().chain([&podid_runtime::admin::METRICS_PATH]);
    for path in served {
        assert!(said.iter().any(|said| said.ends_with(path)), "{path} is not among {said:?}");
    }
}

#[test]
fn the_page_has_every_status_that_a_refusal_can_have_with_its_word() {
    let refusals = [
        Refusal::invalid(Cause::BadPath, ""),
        Refusal::never(Cause::BadPath, ""),
        Refusal::not_yet(Cause::BadPath, ""),
        Refusal::trouble(Cause::BadPath, ""),
        Refusal::throttled("", None),
        Refusal::forbidden(Cause::BadPath, ""),
        Refusal::not_found(Cause::BadPath, ""),
        Refusal::wrong_method(""),
    ];
    let page = Page::read("nmi");
    let rows = page.rows("Answers");
    for refusal in refusals {
        let head = format!("| `{}` | `{}` |", refusal.status, refusal.code);
        assert!(rows.iter().any(|row| row.starts_with(&head)), "docs/reference/nmi.md lacks {head}");
    }
}

#[test]
fn the_page_has_every_word_of_a_refusal_with_its_meaning_and_no_other() {
    let page = Page::read("nmi");
    let said: Vec<_> = page.rows("Words of refusals").into_iter().map(str::to_owned).collect();
    let row = |cause: &Cause| format!("| `{}` | {} |", cause.code(), cause.meaning());
    let real: Vec<String> = Cause::ALL.iter().map(row).collect();
    assert_eq!(said, real, "docs/reference/nmi.md should have:\n{}", real.join("\n"));
}
