//! Does docs/reference/nmi.md say every flag, route and status that there is, and none that there is not?
//!
//! The rows of flags are made from clap: a row that is missing can be copied from what the test prints.
//! The metrics of the page are compared in `podid_nmi::metrics`.

use std::collections::BTreeSet;
use std::path::Path;

use clap::{Arg, Args as _, Command};
use podid_core::refusal::{Cause, Refusal};
use podid_core::request::{PassThrough, Raw, Request, Rules, parse};

use super::Args;

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

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/nmi.md");
    std::fs::read_to_string(path).unwrap()
}

/// The lines of the tables below a heading of the page, without their heads.
fn rows<'a>(page: &'a str, heading: &str) -> Vec<&'a str> {
    let section = page.split("\n## ").find(|section| section.starts_with(&format!("{heading}\n")));
    let lines = section.unwrap_or_else(|| panic!("the page has no section {heading}")).lines();
    lines.filter(|line| line.starts_with("| `")).collect()
}

fn cells(row: &str) -> Vec<&str> {
    row.trim_matches('|').split(" | ").map(str::trim).collect()
}

fn flags() -> Vec<Arg> {
    let command = Args::augment_args(Command::new("nmi"));
    command.get_arguments().cloned().collect()
}

/// Every way to write a flag's name.
fn names(arg: &Arg) -> Vec<&str> {
    arg.get_long().into_iter().chain(arg.get_all_aliases().into_iter().flatten()).collect()
}

/// What the page says of a flag.
fn row(arg: &Arg) -> String {
    let name = arg.get_long().unwrap();
    let value =
        arg.get_value_names().map(|names| names[0].as_str()).filter(|_| arg.get_action().takes_values());
    let optional = arg.get_num_args().is_some_and(|range| range.min_values() == 0);
    let written = match value {
        Some(value) if optional => format!("--{name}[={value}]"),
        Some(value) => format!("--{name}={value}"),
        None => format!("--{name}"),
    };
    let default: Vec<_> = arg.get_default_values().iter().map(|value| value.to_str().unwrap()).collect();
    let shown = |text: &str| if text.is_empty() { "–".to_owned() } else { format!("`{text}`") };
    let variable = arg.get_env().and_then(|name| name.to_str()).unwrap_or_default();
    let original = match names(arg).into_iter().find(|name| ORIGINAL.contains(name)) {
        None => "–".to_owned(),
        Some(same) if same == name => "same".to_owned(),
        Some(other) => format!("`--{other}`"),
    };
    let help =
        arg.get_long_help().or(arg.get_help()).unwrap().to_string().replace('\n', " ").replace('|', "\\|");
    format!("| `{written}` | {} | {} | {original} | {help} |", shown(&default.join(",")), shown(variable))
}

#[test]
fn the_page_has_every_flag_as_clap_knows_it_and_no_other() {
    let page = page();
    let said: BTreeSet<String> = rows(&page, "Flags").into_iter().map(str::to_owned).collect();
    let real: BTreeSet<String> = flags().iter().filter(|arg| !arg.is_hide_set()).map(row).collect();
    let missing: Vec<_> = real.difference(&said).map(String::as_str).collect();
    let wrong: Vec<_> = said.difference(&real).map(String::as_str).collect();
    assert!(
        missing.is_empty() && wrong.is_empty(),
        "docs/reference/nmi.md lacks in \"Flags\":\n{}\nand should not have:\n{}",
        missing.join("\n"),
        wrong.join("\n")
    );
}

#[test]
fn the_page_has_every_flag_without_effect_and_no_other() {
    let page = page();
    let said: BTreeSet<&str> =
        rows(&page, "Flags without effect").into_iter().map(|row| cells(row)[0].trim_matches('`')).collect();
    let flags = flags();
    let hidden = flags.iter().filter(|arg| arg.is_hide_set());
    // Under the name that the original has for it.
    let real: BTreeSet<String> = hidden.map(|arg| format!("--{}", names(arg).last().unwrap())).collect();
    assert_eq!(said.into_iter().map(str::to_owned).collect::<BTreeSet<_>>(), real);
}

#[test]
fn every_flag_of_the_original_is_accepted() {
    let flags = flags();
    let known: BTreeSet<&str> = flags.iter().flat_map(names).collect();
    let refused: Vec<_> = ORIGINAL.iter().filter(|name| !known.contains(*name)).collect();
    assert!(refused.is_empty(), "{refused:?}");
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
    let page = page();
    let mut seen = BTreeSet::from([""]);
    for row in rows(&page, "Routes") {
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
    let page = page();
    let said: Vec<_> =
        rows(&page, "Ports and probes").into_iter().map(|row| cells(row)[0].trim_matches('`')).collect();
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
    let page = page();
    let rows = rows(&page, "Answers");
    for refusal in refusals {
        let head = format!("| `{}` | `{}` |", refusal.status, refusal.code);
        assert!(rows.iter().any(|row| row.starts_with(&head)), "docs/reference/nmi.md lacks {head}");
    }
}

#[test]
fn the_page_has_every_word_of_a_refusal_with_its_meaning_and_no_other() {
    let page = page();
    let said: Vec<_> = rows(&page, "Words of refusals").into_iter().map(str::to_owned).collect();
    let row = |cause: &Cause| format!("| `{}` | {} |", cause.code(), cause.meaning());
    let real: Vec<String> = Cause::ALL.iter().map(row).collect();
    assert_eq!(said, real, "docs/reference/nmi.md should have:\n{}", real.join("\n"));
}
