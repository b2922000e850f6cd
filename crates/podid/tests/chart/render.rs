//! What do values change? The default is kept in full, everything else by what it changes.

use crate::difference::leaves;
use crate::helm::{Helm, chart, said};

/// The values file of an installation of the original, with every value that it knew.
const ORIGINAL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/chart/original.yaml");

/// Every switch of ours, and every list with something in it.
const EVERYTHING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/chart/everything.yaml");

/// The Secret instead of azure.json.
const ADMIN_SECRET: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/chart/adminsecret.yaml");

/// A release changes the version in labels, and nothing else.
fn without_version(text: &str) -> String {
    text.replace(concat!("podid-", env!("CARGO_PKG_VERSION")), "podid-VERSION")
}

/// What the values change.
fn changes(helm: &Helm, arguments: &[&str]) -> String {
    let lines = crate::difference::changes(&helm.objects(&[]), &helm.objects(arguments));
    without_version(&lines.join("\n"))
}

#[test]
fn lint_has_nothing_to_say() {
    let Some(helm) = Helm::find_or_skip("lint_has_nothing_to_say") else { return };
    for values in [None, Some(ORIGINAL), Some(EVERYTHING), Some(ADMIN_SECRET)] {
        let values = values.map(|file| format!("--values={file}"));
        let chart = chart();
        let mut arguments = vec!["lint", "--strict", chart.to_str().unwrap(), "--kube-version=1.34.0"];
        arguments.extend(crate::helm::IMAGE);
        arguments.extend(values.as_deref());
        let output = helm.run(&arguments);
        assert!(output.status.success() && !said(&output).contains("[WARNING]"), "{}", said(&output));
    }
}

#[test]
fn the_default_is_this() {
    let Some(helm) = Helm::find_or_skip("the_default_is_this") else { return };
    let lines: Vec<String> =
        leaves(&helm.objects(&[])).into_iter().map(|(path, value)| format!("{path} {value}")).collect();
    insta::assert_snapshot!(without_version(&lines.join("\n")));
}

#[test]
fn managed_mode_leaves_out_the_controller_and_its_rights() {
    let Some(helm) = Helm::find_or_skip("managed_mode_leaves_out_the_controller_and_its_rights") else {
        return;
    };
    insta::assert_snapshot!(changes(&helm, &["--set=operationMode=managed"]));
}

#[test]
fn matching_across_namespaces_is_one_value() {
    let Some(helm) = Helm::find_or_skip("matching_across_namespaces_is_one_value") else { return };
    insta::assert_snapshot!(changes(&helm, &["--set-string=forceNamespaced=false"]));
}

#[test]
fn a_secret_with_the_cloud_settings_makes_the_controller_an_ordinary_user() {
    let Some(helm) = Helm::find_or_skip("a_secret_with_the_cloud_settings") else { return };
    insta::assert_snapshot!(changes(&helm, &["--values", ADMIN_SECRET]));
}

#[test]
fn a_values_file_of_the_original_means_the_same() {
    let Some(helm) = Helm::find_or_skip("a_values_file_of_the_original_means_the_same") else { return };
    insta::assert_snapshot!(changes(&helm, &["--values", ORIGINAL]));
}

#[test]
fn everything_that_can_be_switched_on_is() {
    let Some(helm) = Helm::find_or_skip("everything_that_can_be_switched_on_is") else { return };
    insta::assert_snapshot!(changes(&helm, &["--values", EVERYTHING]));
}

#[test]
fn w51_the_role_for_editors_leaves_exceptions_out() {
    let Some(helm) = Helm::find_or_skip("w51_the_role_for_editors_leaves_exceptions_out") else { return };
    let objects = helm.objects(&["--set=rbac.createUserFacingClusterRoles=true"]);
    let role = objects.iter().find(|(key, _)| key.ends_with("ClusterRole podid-edit")).unwrap().1;
    let named = |resource: &str| role.to_string().contains(resource);
    assert!(named("azureidentitybindings") && !named("exception") && !named("\"*\""), "{role}");
}

#[test]
fn text_and_boolean_mean_the_same() {
    let Some(helm) = Helm::find_or_skip("text_and_boolean_mean_the_same") else { return };
    for value in ["forceNamespaced", "installMICException"] {
        for truth in ["true", "false"] {
            let text = helm.objects(&[&format!("--set-string={value}={truth}")]);
            let boolean = helm.objects(&[&format!("--set={value}={truth}")]);
            assert_eq!(text, boolean, "{value}={truth}");
        }
    }
    let without = helm.objects(&["--set-string=installMICException=false"]);
    assert!(!without.keys().any(|key| key.contains("Exception")), "the text \"false\" is not true");
}

#[test]
fn two_releases_share_no_object() {
    let Some(helm) = Helm::find_or_skip("two_releases_share_no_object") else { return };
    let keys = |release: &str| {
        let chart = chart();
        let head = ["template", release, chart.to_str().unwrap(), "--kube-version=1.34.0"];
        let output = helm.run(&[&head as &[_], &crate::helm::IMAGE, &["--values", EVERYTHING]].concat());
        assert!(output.status.success(), "{}", said(&output));
        let objects = crate::helm::documents(&String::from_utf8(output.stdout).unwrap());
        let declared = |object: &serde_json::Value| {
            !["AzureIdentity", "AzureIdentityBinding"].contains(&object["kind"].as_str().unwrap())
        };
        crate::difference::index(objects.into_iter().filter(declared).collect())
    };
    let (one, two) = (keys("one"), keys("two"));
    let shared: Vec<_> = one.keys().filter(|key| two.contains_key(*key)).collect();
    assert!(one.len() > 20 && shared.is_empty(), "{shared:?}");
}

#[test]
fn a_name_of_one_s_own_replaces_that_of_the_release() {
    let Some(helm) = Helm::find_or_skip("a_name_of_one_s_own_replaces_that_of_the_release") else { return };
    let names = |value: &str| helm.objects(&[value]);
    assert!(names("--set=fullnameOverride=aad").contains_key("ClusterRole aad-mic"));
    assert!(names("--set=nameOverride=identity").contains_key("ClusterRole podid-identity-nmi"));
}

#[test]
fn a_large_user_a_null_one_and_names_that_look_like_numbers_are_rendered_as_they_are_meant() {
    let Some(helm) = Helm::find_or_skip("a_large_user_a_null_one_and_names") else { return };
    let odd = tempfile::NamedTempFile::with_suffix(".yaml").unwrap();
    std::fs::write(
        &odd,
        "mic: {runAsUser: 1000660000}\n\
         azureIdentities:\n  \"123\": {clientID: c, resourceID: r, namespace: \"456\", binding: {selector: s}}\n",
    )
    .unwrap();
    let changed = changes(&helm, &["--values", odd.path().to_str().unwrap()]);
    assert!(changed.contains("runAsUser") && changed.contains("1000660000"), "{changed}");
    for text in ["AzureIdentity 456/123", r#"/spec/azureIdentity "123""#] {
        assert!(changed.contains(text), "{text}: {changed}");
    }
    assert_eq!(changes(&helm, &["--set-json=mic.runAsUser=null"]), "");
}
