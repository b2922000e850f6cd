//! Does `podid doctor` see what is wrong with the whole cluster, and is it well when that is mended?

use serde_json::Value;

use crate::case::until;
use crate::cluster::Cluster;

/// Breaks what no single pod shows, and mends it by what is printed.
pub(crate) fn check(cluster: &Cluster) {
    cluster
        .bash(
            "doctor",
            r#"kubectl create namespace $NS; well; pod none '{"aadpodidbinding": "nobody"}'
               for crd in $(kubectl get crds -o name); do kubectl annotate $crd podid.dev/crd-version-; done
               apply <<END
{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "old-mic", "namespace": "$NS"}, "spec": {
 "replicas": 0, "selector": {"matchLabels": {"app": "old"}}, "template": {"metadata": {"labels": {"app": "old"}}, "spec": {
  "containers": [{"name": "mic", "image": "mcr.microsoft.com/oss/azure/aad-pod-identity/mic:v1.8.17"}]}}}}
END"#,
        )
        .unwrap();
    let weak = until(|| {
        let (exit, report) = cluster.podid(&["doctor", "--output=json"])?;
        let found = codes(&report, "weak");
        let expected = ["crds-outdated", "original-present", "policies-missing"];
        let all = expected.iter().all(|code| found.iter().any(|one| one == code));
        let pods: Vec<_> = report["pods"].as_array().into_iter().flatten().collect();
        let of = |name: &str| pods.iter().find(|pod| pod["name"] == name).map(|pod| pod["verdict"].clone());
        let right = exit == 1 && all && of("web") == Some("fine".into());
        (right && of("none") == Some("no-binding".into()))
            .then(|| report.clone())
            .ok_or(format!("{exit} {report:#}"))
    })
    .unwrap_or_else(|problem| panic!("{problem}"));
    for cross in crosses(&weak) {
        for command in cross["mend"].as_array().unwrap() {
            let command = command.as_str().unwrap();
            cluster.bash("doctor", command).unwrap_or_else(|said| panic!("{command}\n{said}"));
        }
    }
    cluster.bash("doctor", "kubectl delete pod none -n $NS").unwrap();
    let well = until(|| {
        let (exit, report) = cluster.podid(&["doctor", "--output=json"])?;
        let left = codes(&report, "weak").len() + codes(&report, "broken").len();
        (exit == 0 && left == 0).then_some(()).ok_or(format!("{exit} {report:#}"))
    });
    well.unwrap_or_else(|problem| panic!("{problem}"));
}

fn crosses(report: &Value) -> Vec<&Value> {
    let parts = report["cluster"].as_array().into_iter().flatten();
    parts.map(|part| &part["cross"]).filter(|cross| !cross.is_null()).collect()
}

fn codes(report: &Value, state: &str) -> Vec<String> {
    let parts = report["cluster"].as_array().into_iter().flatten().filter(|part| part["state"] == state);
    parts.filter_map(|part| part["cross"]["code"].as_str().map(str::to_owned)).collect()
}
