//! How long does an audit of many resources take, beside what it takes to parse the same file?
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a bench fails by panicking, and its macros write functions"
)]

use std::fs;
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use podid_audit::{Keep, Report, Run, Selection, Settings, input, rules};
use serde_json::{Value, json};

const RESOURCES: usize = 10_000;

/// As many clusters as there are resources: nothing is left aside.
fn clusters() -> Value {
    let one = |index: usize| {
        json!({
            "name": format!("aks-{index}"),
            "type": "Microsoft.ContainerService/managedClusters",
            "id": format!("/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerService/managedClusters/aks-{index}"),
            "location": "westeurope",
            "tags": { "team": "a", "cost": "b" },
            "identity": { "type": if index.is_multiple_of(2) { "SystemAssigned" } else { "None" } },
            "properties": {
                "enableRBAC": true,
                "networkProfile": { "networkPlugin": "azure", "networkPolicy": "calico" },
                "podIdentityProfile": { "enabled": index.is_multiple_of(3) },
                "agentPoolProfiles": [{ "name": "system", "count": 3, "vmSize": "Standard_D4s_v5", "maxPods": 110 }],
            },
        })
    };
    (0..RESOURCES).map(one).collect()
}

fn benches(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("export.json");
    fs::write(&path, format!("{:#}", clusters())).unwrap();
    let name = path.to_str().unwrap().to_owned();
    let mut group = criterion.benchmark_group("10000-clusters");
    group.sample_size(10);
    group.bench_function("parse", |bencher| {
        bencher.iter(|| black_box(serde_json::from_slice::<Value>(&fs::read(&path).unwrap()).unwrap()));
    });
    group.bench_function("audit", |bencher| {
        let (selection, settings) = (Selection::default(), Settings::default());
        bencher.iter(|| {
            let mut report = Report::default();
            let run = Run::new(rules::AZURE, &selection, &settings, Keep::Problem);
            input::files(std::slice::from_ref(&name), &run, &mut report);
            assert_eq!(report.targets, RESOURCES);
            black_box(report)
        });
    });
    group.finish();
}

criterion_group!(all, benches);
criterion_main!(all);
