//! What does the audit say about each fixture, and in each form?
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod listing;
mod xsd;

use std::collections::BTreeMap;
use std::path::Path;

use podid_audit::{Keep, Output, Report, Run, Selection, Settings, input, rules};

/// The rules of PSRule that podid was asked for.
const TWO: [&str; 2] = ["Azure.AKS.ManagedIdentity", "Azure.AKS.PodIdentity"];

/// The time of every audit here.
const NOW: &str = "2026-12-01T08:00:00Z";

/// An audit of a fixture: a file, or a folder with all that is in it.
fn audit(fixture: &str, rule_names: &[&str], keep: Keep) -> Report {
    let include = rule_names.iter().map(|name| (*name).to_owned()).collect();
    let selection = Selection { include, baseline: "Podid.All".parse().unwrap(), ..Selection::default() };
    let (settings, mut report) = (Settings::default(), Report::default());
    let run = Run::new(rules::AZURE, &selection, &settings, keep);
    input::files(&[format!("tests/fixtures/{fixture}")], &run, &mut report);
    report
}

fn render(output: Output, report: &Report) -> String {
    output.render(report, NOW.parse().unwrap()).unwrap()
}

/// Every fixture: the files of the folders, and the folders in them.
fn fixtures() -> Vec<String> {
    let mut all = Vec::new();
    for folder in ["bad", "encoding", "export", "template"] {
        let path = Path::new("tests/fixtures").join(folder);
        let names = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name());
        all.extend(names.map(|name| format!("{folder}/{}", name.to_str().unwrap())));
    }
    all.sort();
    all
}

#[test]
fn there_are_as_many_fixtures_as_were_promised() {
    assert!(fixtures().len() >= 40, "{}", fixtures().len());
}

#[test]
fn every_fixture_has_its_records() {
    let said: BTreeMap<_, _> = fixtures()
        .into_iter()
        .map(|fixture| (fixture.clone(), listing::lines(&audit(&fixture, &TWO, Keep::All))))
        .collect();
    insta::assert_yaml_snapshot!(said);
}

#[test]
fn every_rule_says_something_about_the_secure_and_the_bare_cluster() {
    let said: BTreeMap<_, _> = ["export/secure.json", "export/no-identity.json", "export/az-aks-show.json"]
        .into_iter()
        .map(|fixture| (fixture, listing::lines(&audit(fixture, &[], Keep::All))))
        .collect();
    insta::assert_yaml_snapshot!(said);
}

/// What the fixtures look like in a form, one after the other.
fn all_in(output: Output) -> String {
    let shown = fixtures().into_iter().map(|fixture| {
        let text = render(output, &audit(&fixture, &TWO, Keep::All));
        format!("=== {fixture}\n{}\n", anstream::adapter::strip_str(&text))
    });
    shown.collect()
}

#[test]
fn every_fixture_in_the_table() {
    insta::assert_snapshot!(all_in(Output::Table));
}

#[test]
fn every_fixture_in_json() {
    insta::assert_snapshot!(all_in(Output::Json));
}

#[test]
fn every_fixture_in_yaml() {
    insta::assert_snapshot!(all_in(Output::Yaml));
}

#[test]
fn every_fixture_in_csv() {
    insta::assert_snapshot!(all_in(Output::Csv));
}

#[test]
fn every_fixture_in_nunit3() {
    insta::assert_snapshot!(all_in(Output::Nunit3));
}

#[test]
fn every_fixture_in_sarif() {
    // The rules themselves are the same in each.
    let texts = fixtures().into_iter().map(|fixture| {
        let text = render(Output::Sarif, &audit(&fixture, &TWO, Keep::All));
        let log: serde_json::Value = serde_json::from_str(&text).unwrap();
        let run = &log["runs"][0];
        format!("=== {fixture}\n{:#}\n{:#}\n", run["invocations"], run["results"])
    });
    insta::assert_snapshot!(texts.collect::<String>());
}

#[test]
fn every_fixture_in_markdown() {
    insta::assert_snapshot!(all_in(Output::Markdown));
}

#[test]
fn sarif_keeps_the_published_schema() {
    let schema: serde_json::Value =
        serde_json::from_str(include_str!("../schemas/sarif-2.1.0.json")).unwrap();
    let validator = jsonschema::draft4::new(&schema).unwrap();
    for fixture in fixtures() {
        for keep in [Keep::Problem, Keep::All] {
            let text = render(Output::Sarif, &audit(&fixture, &[], keep));
            let log = serde_json::from_str(&text).unwrap();
            let errors: Vec<_> = validator.iter_errors(&log).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{fixture}: {errors:#?}");
        }
    }
    let broken = serde_json::json!({ "version": "2.1.0", "runs": [{ "results": [] }] });
    assert!(!validator.is_valid(&broken), "a log without a tool must not pass");
}

#[test]
fn nunit3_keeps_the_schema_of_nunit_2_5() {
    for fixture in fixtures() {
        for keep in [Keep::Processed, Keep::All] {
            let text = render(Output::Nunit3, &audit(&fixture, &[], keep));
            assert_eq!(xsd::errors(include_str!("../schemas/nunit-2.5.xsd"), &text), [""; 0], "{fixture}");
        }
    }
}

#[test]
fn csv_has_as_many_cells_in_each_row() {
    for fixture in fixtures() {
        let text = render(Output::Csv, &audit(&fixture, &[], Keep::All));
        for row in text.lines() {
            let outside = row.split('"').step_by(2).collect::<String>();
            assert_eq!(outside.matches(',').count(), 6, "{fixture}: {row}");
        }
    }
}

#[test]
fn json_and_yaml_say_the_same() {
    for fixture in fixtures() {
        let report = audit(&fixture, &[], Keep::All);
        let json: serde_json::Value = serde_json::from_str(&render(Output::Json, &report)).unwrap();
        let yaml: serde_json::Value = serde_saphyr::from_str(&render(Output::Yaml, &report)).unwrap();
        assert_eq!(json, yaml, "{fixture}");
    }
}

#[test]
fn the_check_of_the_schema_finds_what_breaks_it() {
    let schema = include_str!("../schemas/nunit-2.5.xsd");
    let text = render(Output::Nunit3, &audit("export/no-identity.json", &TWO, Keep::All));
    let breaks = [
        ("name=\"podid\" ", ""),
        ("errors=\"0\"", "errors=\"none\""),
        ("<environment ", "<environment more=\"1\" "),
        ("<message>", "<message/><message>"),
        ("<culture-info", "<culture-info2"),
    ];
    for (good, bad) in breaks {
        assert!(text.contains(good), "{good}");
        assert_ne!(xsd::errors(schema, &text.replace(good, bad)), [""; 0], "{bad}");
    }
}
