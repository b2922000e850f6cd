//! What is said of identities, bindings, Secrets, records and exceptions.

use super::*;

pub(super) fn record(namespace: &str, name: &str) -> Record {
    Record {
        id: ObjectRef::new(namespace, name),
        unusable: None,
        pod: Some(ObjectRef::new("shop", "web-1")),
        node: Some(NodeName::new("n1")),
        identity: Some(ObjectRef::new("shop", "id")),
        state: RecordState::Assigned,
        created: Some("2026-11-24T10:00:00Z".parse().unwrap()),
        terminating: false,
    }
}

fn only(cluster: &Cluster) -> Finding {
    let findings = found(cluster);
    assert_eq!(findings.len(), 1, "{:?}", lines(&findings));
    findings.into_iter().next().unwrap()
}

#[test]
fn a_binding_that_works_only_across_namespaces_names_its_pods_and_the_way_back() {
    let mut cluster = quiet();
    add_pod(&mut cluster, pod("api", "p", "web", None));
    let mut finished = pod("jobs", "done", "web", None);
    finished.phase = Phase::Finished;
    add_pod(&mut cluster, finished);
    let finding = only(&cluster);
    assert_eq!((finding.code, finding.level), (Code::AcrossNamespaces, Level::Changes));
    assert_eq!(finding.object.to_string(), "AzureIdentityBinding shop/id");
    assert!(finding.change.contains("so api/p would lose the identity shop/id"), "{}", finding.change);
    assert!(finding.action.contains("--set forceNamespaced=false"));
    assert_eq!(lines(&found_with(&cluster, Matching::ClusterWide)), [""; 0]);
}

#[test]
fn what_the_original_does_not_match_today_is_not_lost() {
    let across = |edit: &dyn Fn(&mut Cluster)| {
        let mut cluster = quiet();
        add_pod(&mut cluster, pod("api", "p", "web", None));
        edit(&mut cluster);
        found(&cluster).iter().any(|finding| finding.code == Code::AcrossNamespaces)
    };
    assert!(across(&|_| {}));
    assert!(!across(&|cluster| cluster.workloads = Some(vec![agent(&["--forceNamespaced=true"])])));
    assert!(!across(&|cluster| {
        cluster.workloads.as_mut().unwrap()[0].environment = labels(&[("FORCENAMESPACED", "true")]);
    }));
    assert!(!across(&|cluster| cluster.identities.as_mut().unwrap()[0].fact.namespaced = true));
}

#[test]
fn bindings_and_labels_that_lead_nowhere_are_noted() {
    let mut cluster = quiet();
    cluster.bindings.as_mut().unwrap().push(binding("shop", "gone", "nobody", "x"));
    assert_eq!(lines(&found(&cluster)), ["note PA-11 AzureIdentityBinding shop/gone"]);
    let mut cluster = quiet();
    cluster.bindings.as_mut().unwrap()[0].selector = "".into();
    assert_eq!(
        lines(&found(&cluster)),
        ["note PA-12 AzureIdentityBinding shop/id", "note PA-13 Pod shop/web-1"]
    );
    cluster.workloads = Some(vec![agent(&["--operation-mode=managed"])]);
    assert!(lines(&found(&cluster)).contains(&"changes PA-12 AzureIdentityBinding shop/id".to_owned()));
}

#[test]
fn of_several_identities_the_one_that_podid_picks_is_named() {
    let mut cluster = quiet();
    bind(&mut cluster, "shop", "another", "web");
    let finding = only(&cluster);
    assert_eq!((finding.code, finding.level), (Code::SeveralIdentities, Level::Note));
    assert!(finding.change.ends_with("podid always shop/another."), "{}", finding.change);
}

#[test]
fn w12_two_identities_of_one_name_on_one_pod_are_told_apart() {
    let mut cluster = quiet();
    bind(&mut cluster, "api", "id", "web");
    let codes = |matching| {
        let findings = found_with(&cluster, matching);
        findings.iter().map(|finding| finding.code).collect::<Vec<_>>()
    };
    assert_eq!(codes(Matching::ClusterWide), [Code::SameName, Code::SeveralIdentities]);
    assert_eq!(
        codes(Matching::Namespaced),
        [Code::AcrossNamespaces, Code::SameName, Code::SeveralIdentities]
    );
}

#[test]
fn an_identity_that_podid_refuses_is_told_with_its_pods_and_the_field_to_mend() {
    let cases = [
        (InvalidIdentity::Id(InvalidId::Identity("/x".into())), Code::ResourceId, "resourceID"),
        (InvalidIdentity::Id(InvalidId::Empty("client id")), Code::ClientIdMissing, "clientID"),
        (InvalidIdentity::Type(7), Code::UnknownType, "kubectl edit azureidentity -n shop id"),
        (InvalidIdentity::Missing("tenantID"), Code::PrincipalIncomplete, "kubectl edit"),
        (InvalidIdentity::Tenant("a/b".into()), Code::PrincipalIncomplete, "kubectl edit"),
    ];
    for (problem, code, action) in cases {
        let mut cluster = quiet();
        cluster.identities.as_mut().unwrap()[0].fact.kind = Err(problem.clone());
        let finding = only(&cluster);
        assert_eq!((finding.code, finding.level), (code, Level::Changes), "{problem}");
        assert!(finding.change.contains("Its pods: shop/web-1."), "{}", finding.change);
        assert!(finding.action.contains(action), "{}", finding.action);
    }
}

fn with_principal(edit: impl FnOnce(&mut Identity)) -> Cluster {
    let mut cluster = quiet();
    let identity = add_identity(&mut cluster, principal("shop", "sp"));
    identity.type_ = 1;
    identity.secret = Some(ObjectRef::new("shop", "secret"));
    edit(identity);
    cluster
}

fn keys(names: &[&str]) -> Secret {
    Secret { keys: names.iter().map(|name| (*name).into()).collect() }
}

#[test]
fn the_namespaces_with_service_principals_are_listed_for_the_right_to_read_their_secrets() {
    let finding = only(&with_principal(|_| {}));
    assert_eq!(finding.code, Code::SecretRight);
    assert_eq!(finding.action, "--set 'rbac.secretNamespaces={shop}'");
}

#[test]
fn w02_a_secret_of_another_namespace_has_to_move() {
    let mut cluster = with_principal(|identity| {
        identity.secret = Some(ObjectRef::new("vault", "secret"));
        identity.fact.kind = Err(InvalidIdentity::SecretElsewhere("vault".into()));
    });
    let found = found(&cluster);
    assert_eq!(lines(&found), ["changes PA-24 AzureIdentity shop/sp", "changes PA-27 Namespace shop"]);
    assert!(found[0].change.contains("Its Secret is vault/secret"), "{}", found[0].change);
    cluster.secrets.insert(ObjectRef::new("vault", "secret"), Some(keys(&["a", "b"])));
    assert!(lines(&super::found(&cluster)).contains(&"changes PA-25 AzureIdentity shop/sp".to_owned()));
}

#[test]
fn w37_a_secret_counts_as_clear_when_podid_would_find_the_key() {
    let cases: [(i64, Option<Secret>, Option<Code>); 8] = [
        (1, Some(keys(&["clientSecret"])), None),
        (1, Some(keys(&["anything"])), None),
        (1, Some(keys(&["clientSecret", "other"])), None),
        (1, Some(keys(&["a", "b"])), Some(Code::SecretAmbiguous)),
        (1, Some(keys(&[])), Some(Code::SecretAmbiguous)),
        (1, None, Some(Code::SecretMissing)),
        (2, Some(keys(&["certificate", "password"])), None),
        (2, Some(keys(&["tls.crt"])), Some(Code::SecretAmbiguous)),
    ];
    for (type_, secret, expected) in cases {
        let mut cluster = with_principal(|identity| identity.type_ = type_);
        cluster.secrets.insert(ObjectRef::new("shop", "secret"), secret.clone());
        let mut codes: Vec<_> = found(&cluster).iter().map(|finding| finding.code).collect();
        codes.retain(|code| *code != Code::SecretRight);
        assert_eq!(codes, expected.into_iter().collect::<Vec<_>>(), "{type_} {secret:?}");
    }
}

#[test]
fn an_authority_that_is_not_asked_and_further_tenants_are_told() {
    let codes = |edit: fn(&mut Identity)| {
        let findings = found(&with_principal(edit));
        findings
            .iter()
            .map(|finding| finding.code)
            .filter(|code| *code != Code::SecretRight)
            .collect::<Vec<_>>()
    };
    assert_eq!(codes(|one| one.authority = Some("http://evil.example/".into())), [Code::Authority]);
    assert_eq!(codes(|one| one.authority = Some("https://login.microsoftonline.com/".into())), []);
    assert_eq!(codes(|one| one.auxiliary_tenants = 2), [Code::AuxiliaryTenants]);
    // A managed identity has no authority, and a certificate no further tenants (peer contract §5).
    assert_eq!(codes(|one| (one.type_, one.secret, one.authority) = (0, None, Some("http://x".into()))), []);
    assert_eq!(codes(|one| (one.type_, one.auxiliary_tenants) = (2, 1)), []);
}

#[test]
fn a_record_as_it_should_be_is_taken_over_without_a_word() {
    let mut cluster = quiet();
    cluster.records = Some(vec![record("default", "a"), record("shop", "b")]);
    assert_eq!(lines(&found(&cluster)), [""; 0]);
}

#[test]
fn every_odd_record_has_its_finding() {
    type Case = (&'static str, fn(&mut Record), &'static str);
    let cases: [Case; 9] = [
        ("unreadable", |record| record.unusable = Some("spec.pod is missing".into()), "changes PA-30"),
        ("elsewhere", |record| record.id.namespace = "evil".into(), "changes PA-31"),
        ("stuck", |record| record.state = RecordState::Created, "changes PA-32"),
        ("unassigned", |record| record.state = RecordState::Unassigned, "changes PA-32"),
        ("held", |record| record.terminating = true, "changes PA-33"),
        ("old", |record| record.state = RecordState::Empty, "note PA-34"),
        ("no pod", |record| record.pod = Some(ObjectRef::new("shop", "gone")), "changes PA-36"),
        (
            "under way",
            |record| {
                record.state = RecordState::Created;
                record.created = Some("2026-11-24T11:55:00Z".parse().unwrap());
            },
            "",
        ),
        (
            "going",
            |record| {
                record.terminating = true;
                record.created = Some("2026-11-24T11:55:00Z".parse().unwrap());
            },
            "",
        ),
    ];
    for (name, edit, expected) in cases {
        let mut cluster = quiet();
        let mut odd = record("default", "r");
        edit(&mut odd);
        let object = format!(" AzureAssignedIdentity {}", odd.id);
        cluster.records.as_mut().unwrap().push(odd);
        let expected: Vec<String> = Some(expected)
            .filter(|text| !text.is_empty())
            .map(|text| text.to_owned() + &object)
            .into_iter()
            .collect();
        assert_eq!(lines(&found(&cluster)), expected, "{name}");
    }
}

#[test]
fn w36_a_finished_pod_releases_its_identity() {
    let mut cluster = quiet();
    cluster.pods.as_mut().unwrap()[0].fact.phase = Phase::Finished;
    cluster.records.as_mut().unwrap().push(record("default", "r"));
    assert_eq!(lines(&found(&cluster)), ["changes PA-35 AzureAssignedIdentity default/r"]);
}

#[test]
fn outside_of_what_was_looked_at_no_pod_is_missing() {
    let mut cluster = quiet();
    cluster.scope = Scope::Namespaces(["shop".into()].into());
    let mut elsewhere = record("default", "r");
    elsewhere.pod = Some(ObjectRef::new("hidden", "p"));
    cluster.records.as_mut().unwrap().push(elsewhere);
    assert_eq!(lines(&found(&cluster)), [""; 0]);
}

#[test]
fn a_label_is_not_called_unbound_while_a_binding_elsewhere_may_select_it() {
    let mut cluster = quiet();
    add_pod(&mut cluster, pod("api", "across-1", "web", Some("n1")));
    cluster.bindings = Some(Vec::new());
    cluster.scope = Scope::Namespaces(["api".into()].into());
    assert_eq!(lines(&found(&cluster)), [""; 0]);
    cluster.scope = Scope::All;
    assert!(lines(&found(&cluster)).iter().any(|line| line.starts_with("note PA-13 Pod api/across-1")));
}

#[test]
fn an_exception_names_whom_it_lets_through_but_not_host_network_pods() {
    let mut cluster = quiet();
    for (name, host_network) in [("a", false), ("b", true)] {
        let mut fact = pod("sys", name, "", Some("n1"));
        fact.labels = labels(&[("app", "Tool")]);
        fact.host_network = host_network;
        add_pod(&mut cluster, fact);
    }
    let id = ObjectRef::new("sys", "e");
    cluster.exceptions = Some(vec![Exception { id, pod_labels: labels(&[("app", "tool")]) }]);
    let finding = only(&cluster);
    assert_eq!((finding.code, finding.level), (Code::Exception, Level::Note));
    assert!(finding.change.starts_with("It lets through sys/a."), "{}", finding.change);
}
