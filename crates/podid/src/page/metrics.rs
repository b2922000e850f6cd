//! What is exposed, what does a page say of it, and do the names keep the rules?

use std::collections::{BTreeMap, BTreeSet};

/// One metric, as it is exposed.
#[derive(Debug, Default)]
pub(crate) struct Exposed {
    pub(crate) kind: String,
    /// The values that are there, by label, in the order in which labels are written.
    pub(crate) labels: Vec<(String, BTreeSet<String>)>,
    pub(crate) help: String,
}

/// The metrics of an exposition, by name.
pub(crate) fn exposed(text: &str) -> BTreeMap<String, Exposed> {
    let mut exposed: BTreeMap<String, Exposed> = BTreeMap::new();
    let mut last = String::new();
    for line in text.lines() {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        match words[..] {
            ["#", "HELP", name, help] => {
                help.trim_end_matches('.').clone_into(&mut exposed.entry(name.to_owned()).or_default().help);
            }
            ["#", "TYPE", name, kind] => {
                kind.clone_into(&mut exposed.entry(name.to_owned()).or_default().kind);
                name.clone_into(&mut last);
            }
            ["#", ..] => {}
            _ => {
                let metric = exposed.entry(last.clone()).or_default();
                let labels = line.split_once('{').and_then(|(_, rest)| rest.rsplit_once('}'));
                let labels = labels.map_or("", |(labels, _)| labels).split("\",");
                for (name, value) in labels.filter_map(|label| label.split_once("=\"")) {
                    metric.see(name, value.trim_end_matches('"'));
                }
            }
        }
    }
    exposed
}

/// The rows of all metrics.
pub(crate) fn rows_of_metrics(exposed: &BTreeMap<String, Exposed>) -> BTreeSet<String> {
    let row = |(name, exposed): (&String, &Exposed)| {
        let labels: Vec<_> = exposed.labels.iter().map(|(label, _)| format!("`{label}`")).collect();
        let labels = if labels.is_empty() { "–".to_owned() } else { labels.join(", ") };
        format!("| `{name}` | {} | {labels} | {} |", exposed.kind, exposed.help)
    };
    exposed.iter().map(row).collect()
}

/// The names keep the rules of Prometheus, except `legacy`, which break one and stay: dashboards know them.
pub(crate) fn keeps_the_rules(exposed: &BTreeMap<String, Exposed>, legacy: &[&str]) {
    for (name, exposed) in exposed.iter().filter(|(name, _)| !legacy.contains(&name.as_str())) {
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        assert!(plain(name) && exposed.labels.iter().all(|(label, _)| plain(label)), "{name} {exposed:?}");
        assert!(!exposed.help.is_empty(), "{name} has no help");
        let (kind, total) = (exposed.kind.as_str(), name.ends_with("_total"));
        assert_eq!(kind == "counter", total, "{name} is a {kind}");
        assert!(["counter", "gauge", "histogram"].contains(&kind), "{name}: no scraper knows a {kind}");
        let milli = ["_ms", "_millis", "_milliseconds", "_minutes", "_kb", "_kib"];
        assert!(!milli.iter().any(|unit| name.ends_with(unit)), "{name} is not in base units");
        let reserved = ["_count", "_sum", "_bucket"];
        assert!(!reserved.iter().any(|suffix| name.ends_with(suffix)), "{name} ends as a histogram's series");
    }
    for name in legacy {
        assert!(exposed.contains_key(*name), "{name} is gone: take it off the list");
    }
}

// === impl Exposed ===

impl Exposed {
    /// Takes in a label of a series; the bounds of buckets are none of ours.
    fn see(&mut self, name: &str, value: &str) {
        if name == "le" {
            return;
        }
        let known = self.labels.iter().position(|(known, _)| known == name);
        let index = known.unwrap_or_else(|| {
            self.labels.push((name.to_owned(), BTreeSet::new()));
            self.labels.len() - 1
        });
        self.labels[index].1.insert(value.to_owned());
    }
}
