//! What is left of a request in the audit stream.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use podid_core::facts::{AssignmentState, Pod};
use podid_runtime::metrics::PlainCounter;
use serde_json::Value;

use super::stage::{MARK, METADATA, Stage, TOKEN, assignment, client_id, exception, pod, resource_id};
use crate::audit::{Audit, AuditEnd, AuditLog};

/// A stage whose audit stream goes to a file.
struct Audited {
    stage: Stage,
    folder: tempfile::TempDir,
    _end: AuditEnd,
}

impl Audited {
    async fn standard() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = AuditLog::File(folder.path().join("audit.log"));
        let (audit, end) = Audit::start(&place, PlainCounter::default()).unwrap();
        let mut stage = Stage::standard().await;
        Arc::get_mut(&mut stage.server.parts).unwrap().audit = audit;
        Self { stage, folder, _end: end }
    }

    /// The lines so far, as soon as there are `count`.
    fn lines(&self, count: usize) -> Vec<Value> {
        let read = |path: &Path| std::fs::read_to_string(path).unwrap();
        let begun = Instant::now();
        loop {
            let text = read(&self.folder.path().join("audit.log"));
            assert!(!text.contains(MARK), "no token is written");
            if text.lines().count() >= count || begun.elapsed() > Duration::from_secs(20) {
                let lines: Vec<Value> =
                    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
                assert_eq!(lines.len(), count, "{text}");
                return lines;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_leaves_one_line_that_says_who_got_what_by_which_binding() {
    let audited = Audited::standard().await;
    audited.stage.ready_pod("web", "10.0.0.1").await;
    let headers = [METADATA, ("x-ms-client-request-id", "7f3e")];
    let target =
        format!("{TOKEN}?api-version=2018-02-01&resource=https%3A%2F%2Fvault.azure.net&secret=s3cret");
    for _ in 0..2 {
        assert_eq!(audited.stage.send("10.0.0.1", "GET", &target, &headers).await.status, 200);
    }
    let lines = audited.lines(2);
    let (first, second) = (&lines[0], &lines[1]);
    let (uid, resource_id) = (pod("shop", "web", "10.0.0.1").uid, resource_id("web"));
    let expected = [
        ("/client_request_id", "7f3e"),
        ("/peer", "10.0.0.1"),
        ("/method", "GET"),
        ("/path", TOKEN),
        ("/pod/namespace", "shop"),
        ("/pod/name", "web"),
        ("/pod/uid", uid.as_str()),
        ("/resource", "https://vault.azure.net"),
        ("/identity/namespace", "shop"),
        ("/identity/name", "web"),
        ("/identity/kind", "managed-identity"),
        ("/identity/resource_id", resource_id.as_str()),
        ("/identity/client_id", &client_id("web")),
        ("/binding/namespace", "shop"),
        ("/binding/name", "web"),
        ("/decision", "served"),
    ];
    for (field, value) in expected {
        assert_eq!(first.pointer(field).unwrap(), value, "{first}");
    }
    assert_eq!((&first["status"], &first["cached"]), (&200.into(), &false.into()));
    assert_eq!((&second["cached"], second["duration_us"].is_u64()), (&true.into(), true));
    assert_ne!(first["id"], second["id"]);
    assert!(first["time"].as_str().unwrap().starts_with("2023-11-14T22:13:2"), "{first}");
    assert!(!first.to_string().contains("s3cret"), "the query is nobody's business");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_says_its_word_and_its_sentence_and_who_asked() {
    let audited = Audited::standard().await;
    audited.stage.cluster.apply_pod(super::stage::old_pod("shop", "web", "10.0.0.1"));
    audited.stage.settle().await;
    assert_eq!(audited.stage.token("10.0.0.1", "").await.status, 400);
    let line = &audited.lines(1)[0];
    assert_eq!((&line["decision"], &line["reason"]), (&"refused".into(), &"no-binding".into()));
    assert!(line["text"].as_str().unwrap().contains("no AzureIdentityBinding"), "{line}");
    assert_eq!((&line["pod"]["name"], &line["status"]), (&"web".into(), &400.into()));
    assert_eq!((line.get("identity"), line.get("cached")), (None, None));
}

#[tokio::test(start_paused = true)]
async fn what_is_passed_on_or_refused_on_other_routes_is_there_and_probes_and_instance_metadata_are_not() {
    let audited = Audited::standard().await;
    let stage = &audited.stage;
    stage.cluster.apply_pod(pod("shop", "free", "10.0.0.2"));
    stage.cluster.apply_pod(pod("shop", "web", "10.0.0.1"));
    stage.cluster.apply_exception(exception("shop", "aadpodidbinding", "free"));
    stage.settle().await;
    stage.send("10.0.0.1", "GET", TOKEN, &[]).await;
    stage.get("10.0.0.1", TOKEN).await;
    stage.get("10.0.0.1", "/metadata/instance").await;
    stage.token("10.0.0.2", "").await;
    stage.get("10.0.0.2", "/metadata/scheduledevents").await;
    stage.get("10.0.0.1", "/metadata/scheduledevents?x=s3cret").await;
    stage.get("10.0.0.1", "/metadata/identity/info").await;
    let lines = audited.lines(4);
    let told: Vec<_> = lines
        .iter()
        .map(|line| {
            let word = |field: &str| line[field].as_str().unwrap_or("–").to_owned();
            (
                line["pod"]["name"].as_str().unwrap_or("–").to_owned(),
                word("path"),
                word("decision"),
                word("reason"),
            )
        })
        .collect();
    let expected = [
        ("free", TOKEN, "passed through", "–"),
        ("free", "/metadata/scheduledevents", "passed through", "–"),
        ("web", "/metadata/scheduledevents", "refused", "not-excepted"),
        ("–", "/metadata/identity/info", "refused", "unknown-path"),
    ];
    let expected = expected.map(|(pod, path, decision, reason)| {
        (pod.to_owned(), path.to_owned(), decision.to_owned(), reason.to_owned())
    });
    assert_eq!(told, expected);
}

#[tokio::test(start_paused = true)]
async fn a_pod_cannot_forge_a_line_or_make_a_long_one() {
    let audited = Audited::standard().await;
    let long: &'static str = "x".repeat(900).leak();
    audited.stage.ready_pod("web", "10.0.0.1").await;
    let target = format!("{TOKEN}?resource=https%3A%2F%2Fa%0A%7B%22decision%22%3A%22served%22%7D{long}");
    let headers = [METADATA, ("x-ms-client-request-id", long)];
    audited.stage.send("10.0.0.1", "GET", &target, &headers).await;
    let line = &audited.lines(1)[0];
    let resource = line["resource"].as_str().unwrap();
    assert!(resource.starts_with("https://a?{") && resource.len() < 600, "{resource}");
    assert_eq!(line.get("client_request_id"), None);
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_hangs_up_is_there() {
    let audited = Audited::standard().await;
    let stage = &audited.stage;
    stage.cluster.apply_pod(pod("shop", "web", "10.0.0.1"));
    stage.cluster.apply_assignment(assignment("shop", "web", "web", AssignmentState::Created));
    stage.settle().await;
    let request = stage.start_token("10.0.0.1", "");
    stage.settle().await;
    request.abort();
    stage.settle().await;
    let line = &audited.lines(1)[0];
    assert_eq!((&line["decision"], &line["status"]), (&"hung up".into(), &499.into()));
}

/// The queries of deploy/monitoring, on lines that were really written.
#[tokio::test(start_paused = true)]
async fn the_queries_answer_their_questions_and_name_only_fields_that_lines_have() {
    let audited = Audited::standard().await;
    let stage = &audited.stage;
    for (name, address) in [("web", "10.0.0.1"), ("api", "10.0.0.2")] {
        stage.ready_pod(name, address).await;
    }
    stage.cluster.apply_pod(Pod { labels: [].into(), ..pod("shop", "bare", "10.0.0.3") });
    stage.cluster.apply_pod(pod("shop", "vip", "10.0.0.4"));
    stage.cluster.apply_exception(exception("shop", "aadpodidbinding", "vip"));
    stage.settle().await;
    assert_eq!(stage.token("10.0.0.1", "").await.status, 200);
    let before = audited.lines(1);
    assert_eq!(stage.token("10.0.0.1", "").await.status, 200);
    assert_eq!(stage.token("10.0.0.2", "").await.status, 200);
    assert_eq!(stage.token("10.0.0.3", "").await.status, 400);
    stage.token("10.0.0.4", "").await;
    let headers = [METADATA, ("x-forwarded-for", "10.0.0.9")];
    assert_eq!(stage.send("10.0.0.2", "GET", &format!("{TOKEN}?resource=r"), &headers).await.status, 400);
    let recent = audited.lines(6).split_off(1);

    let known = [vec!["shop".to_owned(), "web".to_owned()], vec!["shop".to_owned(), "idle".to_owned()]];
    let answer = |name: &str| {
        let query = podid_monitor::query::QUERIES.iter().find(|query| query.name == name).unwrap();
        let answer = query.answer(&recent, &before, &known);
        answer.into_iter().map(|row| row.join(" ").trim().to_owned()).collect::<Vec<_>>()
    };
    let (vault, [web, api]) = ("https://vault.azure.net", ["web", "api"].map(client_id));
    let used = [format!("shop api shop api {api} {vault}"), format!("shop web shop web {web} {vault}")];
    assert_eq!(answer("who-used-which-identity"), used);
    assert_eq!(answer("first-use"), [format!("shop shop api {vault}")]);
    assert_eq!(answer("refused"), ["forwarded", &format!("no-label shop bare   {vault}")]);
    assert_eq!(answer("suspicious"), [format!("forwarded 10.0.0.2 {TOKEN}")]);
    assert_eq!(answer("passed-through"), [format!("shop vip {TOKEN}")]);
    assert_eq!(answer("unused-identities"), ["shop idle"]);

    let all: Vec<&Value> = before.iter().chain(&recent).collect();
    for field in podid_monitor::query::QUERIES.iter().flat_map(podid_monitor::query::Query::fields) {
        let pointer = format!("/{}", field.0.replace('.', "/"));
        assert!(all.iter().any(|line| line.pointer(&pointer).is_some()), "no line has {}", field.0);
    }
}
