//! Does the page about the resources say everything that the definitions and policies say?

use std::collections::BTreeSet;
use std::path::Path;

use podid_kube::crd;
use podid_kube::manifests::Install;
use serde_json::Value;

use crate::cluster::{namespace, shared};

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/resources.md");
    std::fs::read_to_string(path).unwrap()
}

/// The fields of a schema as `spec.a.b`, each with its description, and the messages of its rules.
fn read(path: &str, schema: &Value, fields: &mut Vec<(String, String)>, messages: &mut Vec<String>) {
    for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        messages.push(rule["message"].as_str().unwrap().to_owned());
    }
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        fields.push((path.clone(), field["description"].as_str().unwrap().to_owned()));
        // What a copy holds is described where the kind itself is.
        if field["x-kubernetes-embedded-resource"] != true {
            read(&path, field, fields, messages);
        }
    }
}

#[test]
fn the_page_has_every_field_with_its_description_every_column_and_every_rule() {
    let page = page();
    let sections: Vec<&str> = page.split("\n## ").collect();
    let mut missing = Vec::new();
    for definition in crd::definitions() {
        let kind = &definition.spec.names.kind;
        let section = sections.iter().find(|section| section.starts_with(&format!("{kind}\n"))).copied();
        let section = section.unwrap_or_else(|| panic!("there is no section {kind}"));
        let version = &definition.spec.versions[0];
        let schema =
            serde_json::to_value(version.schema.as_ref().unwrap().open_api_v3_schema.as_ref().unwrap());
        let (mut fields, mut messages) = (Vec::new(), Vec::new());
        read("", &schema.unwrap(), &mut fields, &mut messages);
        let dead = "Has no effect; kept for objects that have it.";
        let described = fields.iter().filter(|(path, said)| said != dead && path.contains('.'));
        let mut wanted: Vec<String> =
            described.map(|(path, said)| format!("| `{path}` | {said} |")).collect();
        wanted.extend(fields.iter().filter(|(_, said)| said == dead).map(|(path, _)| format!("`{path}`")));
        wanted.extend(messages);
        wanted.extend(
            version.additional_printer_columns.iter().flatten().map(|column| format!("`{}`", column.name)),
        );
        missing.extend(
            wanted
                .into_iter()
                .filter(|text| !section.contains(text.as_str()))
                .map(|text| format!("{kind}: {text}")),
        );
    }
    for policy in Install::default().policies() {
        let rules = policy["spec"]["validations"].as_array().into_iter().flatten();
        let messages = rules.filter_map(|rule| rule["message"].as_str());
        let names = policy["metadata"]["name"]
            .as_str()
            .into_iter()
            .filter(|_| policy["kind"] == "ValidatingAdmissionPolicy");
        missing.extend(
            messages.chain(names).filter(|text| !page.contains(text)).map(|text| format!("policy: {text}")),
        );
    }
    assert!(missing.is_empty(), "docs/reference/resources.md lacks:\n{}", missing.join("\n"));
}

#[test]
fn the_examples_of_the_page_are_accepted() {
    let Some(cluster) = shared() else { return };
    namespace(cluster, "page");
    let page = page();
    let examples: Vec<&str> =
        page.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    let mut kinds = BTreeSet::new();
    for example in examples {
        let arguments =
            ["create", "--dry-run=server", "--namespace=page", "--filename=-", "--output=jsonpath={.kind}"];
        // The record is shown, and only MIC writes it.
        let record = example.contains("kind: AzureAssignedIdentity\n");
        let user = ["--as", crate::cluster::MIC];
        let output =
            cluster.kubectl_with(&[&arguments[..], if record { &user } else { &[] }].concat(), example);
        assert!(output.success() && output.stderr.is_empty(), "{example}\n{output:?}");
        kinds.insert(output.stdout);
    }
    for definition in crd::definitions() {
        assert!(kinds.contains(&definition.spec.names.kind), "no example of {}", definition.spec.names.kind);
    }
}
