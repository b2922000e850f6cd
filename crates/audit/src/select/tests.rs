use std::path::Path;

use jiff::Timestamp;
use serde_json::json;

use super::*;
use crate::rules;

const NOW: &str = "2026-12-01T00:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn read(text: &str) -> Result<Selection, String> {
    let mut selection = Selection::default();
    selection.read(Path::new("file"), text, now()).map_err(|error| error.to_string())?;
    Ok(selection)
}

fn suppressed(selection: &Selection, rule: &str, target: &Target) -> bool {
    selection.suppresses(rules::find(rule).unwrap(), target)
}

fn cluster(name: &str) -> Target {
    Target::new(
        "Microsoft.ContainerService/managedClusters",
        name,
        json!({"tags": {"env": "Test", "size": 3}}),
    )
}

#[test]
fn a_baseline_chooses_rules_and_levels() {
    let selection = read(
        "apiVersion: github.com/microsoft/PSRule/2025-01-01\nkind: Baseline\nmetadata:\n  name: Mine\nspec:\n  \
         rule:\n    include: [AZR-000025, Azure.AKS.PodIdentity]\n    exclude: Azure.AKS.UseRBAC\n  override:\n    \
         level:\n      Azure.AKS.PodIdentity: Warning\n",
    )
    .unwrap();
    let wants = |name| selection.wants(rules::find(name).unwrap());
    assert!(wants("Azure.AKS.ManagedIdentity") && wants("Azure.AKS.PodIdentity"));
    assert!(!wants("Azure.AKS.UseRBAC") && !wants("Azure.AKS.ManagedAAD"));
    assert_eq!(selection.level(rules::find("AZR-000037").unwrap()), Level::Warning);
    assert_eq!(selection.level(rules::find("AZR-000025").unwrap()), Level::Error);
}

#[test]
fn options_name_targets_in_both_of_psrule_s_ways() {
    let text = "suppression:\n  Azure.AKS.PodIdentity: [aks-a, aks-b]\n  Azure.AKS.UseRBAC:\n    targetName:\n    - aks-c\n";
    let selection = read(text).unwrap();
    assert!(suppressed(&selection, "Azure.AKS.PodIdentity", &cluster("AKS-B")));
    assert!(suppressed(&selection, "AZR-000038", &cluster("aks-c")));
    assert!(!suppressed(&selection, "Azure.AKS.PodIdentity", &cluster("aks-c")));
}

#[test]
fn a_group_suppresses_what_its_condition_says() {
    let group = |condition: &str| {
        let text = format!(
            "kind: SuppressionGroup\nmetadata: {{name: g}}\nspec:\n  rule: [Azure.AKS.PodIdentity]\n  if: {condition}\n"
        );
        read(&text).map(|selection| {
            assert!(
                !suppressed(&selection, "Azure.AKS.UseRBAC", &cluster("aks-01")),
                "only the rule that is named"
            );
            suppressed(&selection, "Azure.AKS.PodIdentity", &cluster("aks-01"))
        })
    };
    let holds = [
        "{name: '.', in: [aks-01, other]}",
        "{type: '.', equals: microsoft.containerservice/managedclusters}",
        "{field: tags.env, equals: test}",
        "{field: tags.none, exists: false}",
        "{allOf: [{field: tags.size, greaterOrEquals: 3}, {name: '.', startsWith: [AKS]}]}",
        "{anyOf: [{name: '.', equals: x}, {field: tags.env, contains: es}]}",
        "{not: {name: '.', notIn: [aks-01]}}",
        "{}",
        "null",
    ];
    for condition in holds {
        assert_eq!(group(condition), Ok(true), "{condition}");
    }
    for condition in ["{name: '.', equals: x}", "{field: tags.size, equals: '4'}", "{not: {}}", "{anyOf: []}"]
    {
        assert_eq!(group(condition), Ok(false), "{condition}");
    }
    for condition in
        ["{field: a}", "{field: a, unheard: 1}", "{equals: 1}", "[1]", "{field: a, equals: 1, in: [1]}"]
    {
        assert!(group(condition).is_err(), "{condition}");
    }
}

#[test]
fn a_group_stops_when_it_expires_and_says_so() {
    let group = |time: &str| {
        read(&format!(
            "kind: SuppressionGroup\nmetadata: {{name: g}}\nspec:\n  expiresOn: '{time}'\n  rule: []\n"
        ))
    };
    let target = cluster("aks-01");
    let current = group("2026-12-01T00:00:01Z").unwrap();
    assert!(suppressed(&current, "Azure.AKS.PodIdentity", &target), "no rule named is every rule");
    assert!(current.notes.is_empty());
    let expired = group("2026-12-01T00:00:00Z").unwrap();
    assert!(!suppressed(&expired, "Azure.AKS.PodIdentity", &target));
    assert_eq!(expired.notes, ["the suppression group \"g\" has expired and suppresses nothing"]);
    assert!(group("soon").is_err());
}

#[test]
fn several_documents_may_be_in_a_file_and_in_json() {
    let group = json!({"kind": "SuppressionGroup", "metadata": {"name": "g"}, "spec": {"rule": ["Azure.AKS.UseRBAC"]}});
    let json = json!([group, {"suppression": {"Azure.AKS.PodIdentity": "aks-01"}}]).to_string();
    let yaml = "kind: SuppressionGroup\nspec:\n  rule: [Azure.AKS.UseRBAC]\n---\nsuppression:\n  Azure.AKS.PodIdentity: aks-01\n";
    for text in [json.as_str(), yaml] {
        let selection = read(text).unwrap();
        for rule in ["Azure.AKS.UseRBAC", "Azure.AKS.PodIdentity"] {
            assert!(suppressed(&selection, rule, &cluster("aks-01")), "{rule}: {text}");
        }
    }
}

#[test]
fn what_is_no_such_file_is_refused_with_its_name() {
    for text in
        ["", "{", "kind: Pod\n", "- a\n", "kind: Baseline\nspec:\n  override:\n    level:\n      X: Fatal\n"]
    {
        assert!(read(text).is_err_and(|why| why.contains("file")), "{text:?}");
    }
}
