//! Does the chart install alerts and dashboard as they are generated, where that is wanted?

use std::path::Path;

use serde_json::{Value, json};

use crate::helm::Helm;

fn generated(file: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/monitoring");
    std::fs::read_to_string(folder.join(file)).unwrap()
}

fn of_kind(helm: &Helm, arguments: &[&str], kind: &str) -> Vec<Value> {
    let objects = helm.objects(arguments).into_values();
    objects.filter(|object| object["kind"] == kind).collect()
}

#[test]
fn alerts_and_dashboard_are_off_unless_they_are_switched_on() {
    let Some(helm) = Helm::find_or_skip("alerts_and_dashboard_are_off_unless_they_are_switched_on") else {
        return;
    };
    assert_eq!(of_kind(&helm, &[], "PrometheusRule"), [json!(null); 0]);
    assert_eq!(of_kind(&helm, &[], "ConfigMap"), [json!(null); 0]);
}

#[test]
fn alerts_are_the_generated_ones_and_without_a_controller_its_own_are_left_out() {
    let Some(helm) = Helm::find_or_skip("alerts_are_the_generated_ones") else { return };
    let on = ["--set=monitoring.alerts.enabled=true", "--set=monitoring.alerts.labels.release=prometheus"];
    let rules = of_kind(&helm, &on, "PrometheusRule");
    let wanted: Value = serde_saphyr::from_str(&generated("alerts.yaml")).unwrap();
    assert_eq!(rules[0]["spec"], wanted);
    assert_eq!(rules[0]["metadata"]["labels"]["release"], "prometheus");
    let managed = [&on as &[_], &["--set=operationMode=managed"]].concat();
    let groups = of_kind(&helm, &managed, "PrometheusRule")[0]["spec"]["groups"].clone();
    assert_eq!(groups, json!([wanted["groups"][0]]));
    assert_eq!(groups[0]["name"], "podid-nmi");
}

#[test]
fn the_dashboard_is_the_generated_one_under_the_label_that_grafana_looks_for() {
    let Some(helm) = Helm::find_or_skip("the_dashboard_is_the_generated_one") else { return };
    let maps = of_kind(&helm, &["--set=monitoring.dashboard.enabled=true"], "ConfigMap");
    assert_eq!(maps[0]["metadata"]["labels"]["grafana_dashboard"], "1");
    let text = maps[0]["data"]["podid.json"].as_str().unwrap();
    assert_eq!(text.trim(), generated("dashboard.json").trim());
}
