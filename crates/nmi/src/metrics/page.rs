//! Does docs/reference/nmi.md say every metric that there is, and do their names keep the rules?
//!
//! The rows of the page are made from what is exposed: one that is missing can be copied from what the test prints.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use podid_runtime::readiness::Readiness;
use prometheus_client::encoding::text::encode;

use super::{Inner, OperationLabels, RequestLabels, Trouble, Upstream, registry};

/// Names of the original that break a rule and stay: dashboards know them.
const LEGACY: [&str; 2] =
    ["aadpodidentity_imds_operations_errors_count", "aadpodidentity_kubernetes_api_operations_errors_count"];

/// One metric, as it is exposed.
#[derive(Debug, Default)]
struct Exposed {
    kind: String,
    labels: Vec<String>,
    help: String,
}

/// Every metric of a running agent, each with a series at least.
static EXPOSED: LazyLock<BTreeMap<String, Exposed>> = LazyLock::new(|| {
    let (registry, metrics) = registry(&Readiness::new());
    // A new metric does not get past here without a series.
    let Inner {
        requests,
        kubernetes_errors,
        source_errors,
        source_durations,
        self_tests,
        redirect_repairs: _,
        audit_lost: _,
        served: _,
        holds,
        upstreams,
        refusals: _,
        namespaces: _,
        resources: _,
    } = &*metrics.inner;
    let request = RequestLabels {
        namespace: "shop".into(),
        operation_type: "/metadata/identity/oauth2/token",
        resource: "vault".into(),
        status_code: 200,
    };
    drop(requests.get_or_create(&request));
    let operation = OperationLabels { operation_type: "adal_token" };
    drop(kubernetes_errors.get_or_create(&operation));
    drop(source_errors.get_or_create(&operation));
    drop(source_durations.get_or_create(&operation));
    self_tests.count(&Ok(()));
    holds.count("served", Duration::ZERO);
    upstreams.count(Upstream::Imds, Duration::ZERO, Some(Trouble::UNAVAILABLE));
    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    let exposed = read(&text);
    let described = format!("{registry:?}");
    for descriptor in described.split("Descriptor { name: \"").skip(1) {
        let name = descriptor.split('"').next().unwrap();
        assert!(exposed.keys().any(|known| known.ends_with(name)), "{name} has no series in this test");
    }
    exposed
});

fn read(text: &str) -> BTreeMap<String, Exposed> {
    let mut exposed: BTreeMap<String, Exposed> = BTreeMap::new();
    let mut last = String::new();
    for line in text.lines() {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        match words[..] {
            ["#", "HELP", name, help] => {
                exposed.entry(name.to_owned()).or_default().help = help.trim_end_matches('.').to_owned();
            }
            ["#", "TYPE", name, kind] => {
                exposed.entry(name.to_owned()).or_default().kind = kind.to_owned();
                name.clone_into(&mut last);
            }
            ["#", ..] => {}
            _ => {
                let labels = line.split_once('{').and_then(|(_, rest)| rest.rsplit_once('}'));
                let names = labels.map_or("", |(labels, _)| labels).split("\",");
                let names = names.filter_map(|label| label.split_once('=')).map(|(name, _)| name);
                let labels = names.filter(|name| *name != "le").map(str::to_owned).collect();
                exposed.entry(last.clone()).or_default().labels = labels;
            }
        }
    }
    exposed
}

#[test]
fn the_page_has_every_metric_and_no_other() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/nmi.md");
    let page = std::fs::read_to_string(path).unwrap();
    let section = page.split("\n## ").find(|section| section.starts_with("Metrics\n")).unwrap();
    let said: BTreeSet<String> =
        section.lines().filter(|line| line.starts_with("| `")).map(str::to_owned).collect();
    let row = |(name, exposed): (&String, &Exposed)| {
        let labels: Vec<_> = exposed.labels.iter().map(|label| format!("`{label}`")).collect();
        let labels = if labels.is_empty() { "–".to_owned() } else { labels.join(", ") };
        format!("| `{name}` | {} | {labels} | {} |", exposed.kind, exposed.help)
    };
    let real: BTreeSet<String> = EXPOSED.iter().map(row).collect();
    let missing: Vec<_> = real.difference(&said).map(String::as_str).collect();
    let wrong: Vec<_> = said.difference(&real).map(String::as_str).collect();
    assert!(
        missing.is_empty() && wrong.is_empty(),
        "docs/reference/nmi.md lacks in \"Metrics\":\n{}\nand should not have:\n{}",
        missing.join("\n"),
        wrong.join("\n")
    );
}

#[test]
fn names_keep_the_rules_except_the_original_s() {
    for (name, exposed) in EXPOSED.iter().filter(|(name, _)| !LEGACY.contains(&name.as_str())) {
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        assert!(plain(name) && exposed.labels.iter().all(|label| plain(label)), "{name} {exposed:?}");
        assert!(!exposed.help.is_empty(), "{name} has no help");
        let (kind, total) = (exposed.kind.as_str(), name.ends_with("_total"));
        assert_eq!(kind == "counter", total, "{name} is a {kind}");
        assert!(["counter", "gauge", "histogram"].contains(&kind), "{name}: no scraper knows a {kind}");
        let milli = ["_ms", "_millis", "_milliseconds", "_minutes", "_kb", "_kib"];
        assert!(!milli.iter().any(|unit| name.ends_with(unit)), "{name} is not in base units");
        let reserved = ["_count", "_sum", "_bucket"];
        assert!(!reserved.iter().any(|suffix| name.ends_with(suffix)), "{name} ends as a histogram's series");
    }
    for name in LEGACY {
        assert!(EXPOSED.contains_key(name), "{name} is gone: take it off the list");
    }
}
