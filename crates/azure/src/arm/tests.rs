use std::sync::Mutex;

use podid_core::assign::Kind;
use podid_core::ids::IdentityResourceId;

use super::*;
use crate::cloud::{Authority, Endpoints};
use crate::fake::{Fake, Reply, Seen, answer, client, token};
use crate::imds::Imds;

const MACHINE: &str =
    r#"{"id":"/x","identity":{"type":"UserAssigned","userAssignedIdentities":{}},"etag":"\"1\""}"#;
const SUCCEEDED: &str = r#"{"status":"Succeeded"}"#;
const RUNNING: &str = r#"{"status":"InProgress"}"#;

/// An ARM that answers as a test wants, with an IMDS beside it that gives tokens `1`, `2`, ….
struct Stage {
    fake: Fake,
    arm: Arm,
}

impl Stage {
    /// `replies` are ARM's answers in turn; the last one is repeated. In them `BASE` is ARM's address.
    async fn new(replies: Vec<Reply>) -> Self {
        Self::with(replies, quick()).await
    }

    async fn with(replies: Vec<Reply>, settings: Settings) -> Self {
        let script = Mutex::new((0, 0));
        let fake = Fake::start(move |seen, _| {
            let mut script = script.lock().unwrap();
            if seen.target.starts_with("/metadata/") {
                script.1 += 1;
                return token(&script.1.to_string());
            }
            let index = script.0.min(replies.len() - 1);
            script.0 += 1;
            copy(&replies[index], &seen.headers["host"])
        })
        .await;
        let cloud = Cloud {
            name: "Fake".to_owned(),
            endpoints: Endpoints {
                resource_manager: format!("{}/", fake.url()),
                authority: Authority::fake("127.0.0.1:1"),
            },
        };
        let credential = Credential::managed_identity(Imds::new(client(), fake.url()), None);
        let arm = Arm::with_settings(client(), &cloud, credential, settings);
        Self { fake, arm }
    }

    /// What ARM was sent.
    fn calls(&self) -> Vec<Seen> {
        self.fake.seen().into_iter().filter(|seen| !seen.target.starts_with("/metadata/")).collect()
    }

    async fn apply(&self) -> Result<(), Error> {
        self.arm.apply(&target(), &patch(), None).await
    }
}

/// No test waits for a clock: delays are as good as none.
fn quick() -> Settings {
    let none = Duration::from_millis(1);
    let retry = Policy { attempts: 3, base: none, cap: none, patience: Duration::from_millis(500) };
    Settings { retry, poll: none, operation: Duration::from_mins(1) }
}

fn copy(reply: &Reply, host: &http::HeaderValue) -> Reply {
    match reply {
        Reply::Answer(answer) => {
            let base = format!("http://{}", host.to_str().unwrap());
            let mut answer = answer
                .clone()
                .map(|body| String::from_utf8(body.to_vec()).unwrap().replace("BASE", &base).into());
            for value in answer.headers_mut().values_mut() {
                *value = value.to_str().unwrap().replace("BASE", &base).parse().unwrap();
            }
            Reply::Answer(answer)
        }
        Reply::Half => Reply::Half,
        Reply::Close => Reply::Close,
        Reply::Hang => Reply::Hang,
    }
}

fn target() -> ComputeId {
    ComputeId::scale_set("sub", "rg", "vmss")
}

fn identity(name: &str) -> IdentityResourceId {
    let base = "/subscriptions/S/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities";
    IdentityResourceId::parse(&format!("{base}/{name}")).unwrap()
}

fn patch() -> Patch {
    Patch { kind: Kind::User, add: vec![identity("Good"), identity("bad")], remove: vec![] }
}

#[tokio::test]
async fn reads_with_the_roles_token() {
    let stage = Stage::new(vec![answer(200, &[], MACHINE)]).await;
    let reading = stage.arm.identities(&target()).await.unwrap();
    assert_eq!((reading.present.kind, reading.etag.as_deref()), (Kind::User, Some("\"1\"")));
    let seen = &stage.calls()[0];
    let path =
        "/subscriptions/sub/resourceGroups/rg/providers/Microsoft.Compute/virtualMachineScaleSets/vmss";
    assert_eq!((seen.method.as_str(), &seen.target), ("GET", &format!("{path}?api-version=2024-07-01")));
    assert_eq!(seen.headers["authorization"], "Bearer 1");
    assert!(seen.headers.contains_key("x-ms-client-request-id"));
}

/// W-33.
#[tokio::test]
async fn writes_the_delta_under_the_entity_tag() {
    let stage = Stage::new(vec![answer(200, &[], MACHINE)]).await;
    stage.arm.apply(&target(), &patch(), Some("\"1\"")).await.unwrap();
    let seen = &stage.calls()[0];
    assert_eq!(
        (seen.method.as_str(), &seen.headers["if-match"]),
        ("PATCH", &http::HeaderValue::from_static("\"1\""))
    );
    assert_eq!(seen.headers["content-type"], "application/json; charset=utf-8");
    assert!(
        seen.body.starts_with(
            r#"{"identity":{"type":"UserAssigned","userAssignedIdentities":{"/subscriptions/s/"#
        )
    );

    stage.apply().await.unwrap();
    assert_eq!(stage.calls()[1].headers.get("if-match"), None);
}

#[tokio::test]
async fn an_operation_is_watched_to_its_end() {
    let started = answer(202, &[("azure-asyncoperation", "BASE/op/1"), ("location", "BASE/other")], "");
    let moved = answer(200, &[("azure-asyncoperation", "BASE/op/2")], RUNNING);
    let stage =
        Stage::new(vec![started, answer(200, &[], RUNNING), moved, answer(200, &[], SUCCEEDED)]).await;
    stage.apply().await.unwrap();
    let targets: Vec<String> = stage.calls().into_iter().map(|seen| seen.target).collect();
    assert_eq!(targets[1..], ["/op/1", "/op/1", "/op/2"]);
}

#[tokio::test]
async fn a_location_is_watched_by_its_status() {
    let started = answer(202, &[("location", "BASE/op")], "");
    let stage = Stage::new(vec![started, answer(202, &[], ""), answer(200, &[], MACHINE)]).await;
    stage.apply().await.unwrap();
    assert_eq!(stage.calls().len(), 3);
}

#[tokio::test]
async fn a_saved_operation_is_finished_after_a_restart() {
    let started = answer(202, &[("location", "BASE/op")], "");
    let stage = Stage::new(vec![started, answer(204, &[], "")]).await;
    let Progress::Running(operation) = stage.arm.submit(&target(), &patch(), None).await.unwrap() else {
        panic!("an operation was to start")
    };
    let saved = Operation::saved(operation.url());
    stage.arm.finish(&target(), saved, &patch()).await.unwrap();
    assert_eq!(stage.calls()[1].target, "/op");
    let foreign = Operation::saved("https://evil.example/");
    stage.arm.finish(&target(), foreign, &patch()).await.unwrap_err();
    assert_eq!(stage.calls().len(), 2, "the token goes to ARM only");
}

#[tokio::test]
async fn an_operation_that_fails_blames_its_identities() {
    let error = format!(
        r#"{{"status":"Failed","error":{{"code":"FailedIdentityOperation","message":"Resource '{}' was not found"}}}}"#,
        identity("bad")
    );
    let started = answer(202, &[("azure-asyncoperation", "BASE/op")], "");
    let stage = Stage::new(vec![started, answer(200, &[], error)]).await;
    let error = stage.apply().await.unwrap_err();
    let Error::Identities { identities, .. } = error else { panic!("{error:?}") };
    assert_eq!(identities, [identity("bad")]);
}

#[tokio::test]
async fn an_operation_without_end_is_given_back() {
    let started = answer(202, &[("location", "BASE/op"), ("retry-after", "3600")], "");
    let stage = Stage::new(vec![started]).await;
    let error = stage.apply().await.unwrap_err();
    let Error::StillRunning { operation, .. } = error else { panic!("{error:?}") };
    assert!(operation.url().ends_with("/op"));
    assert_eq!(stage.calls().len(), 1);
}

#[tokio::test]
async fn trouble_while_watching_is_borne_for_a_while() {
    let started = answer(202, &[("location", "BASE/op")], "");
    let trouble = || answer(500, &[], "");
    let mut script = vec![started];
    script.extend((0..7).map(|_| trouble()));
    script.push(answer(200, &[], SUCCEEDED));
    let stage = Stage::new(script).await;
    stage.apply().await.unwrap();

    let stage = Stage::new(vec![answer(202, &[("location", "BASE/op")], ""), trouble()]).await;
    assert!(matches!(stage.apply().await, Err(Error::StillRunning { .. })));
}

#[tokio::test]
async fn a_refused_token_is_replaced_once() {
    let stage = Stage::new(vec![answer(401, &[], ""), answer(200, &[], MACHINE)]).await;
    stage.arm.identities(&target()).await.unwrap();
    let tokens: Vec<_> = stage.calls().iter().map(|seen| seen.headers["authorization"].clone()).collect();
    assert_eq!(tokens, ["Bearer 1", "Bearer 2"]);

    let stage = Stage::new(vec![answer(401, &[], "")]).await;
    assert!(matches!(stage.arm.identities(&target()).await, Err(Error::Denied { .. })));
    assert_eq!(stage.calls().len(), 2);
}

#[tokio::test]
async fn what_may_pass_is_tried_again_and_then_reported() {
    for fault in [Reply::Close, Reply::Half, answer(500, &[], ""), answer(503, &[("retry-after", "0")], "")] {
        let stage = Stage::new(vec![fault, answer(200, &[], MACHINE)]).await;
        stage.arm.identities(&target()).await.unwrap();
        assert_eq!(stage.calls().len(), 2);
    }
    let stage = Stage::new(vec![answer(502, &[], "<html>")]).await;
    assert!(matches!(stage.apply().await, Err(Error::Unavailable { .. })));
    assert_eq!(stage.calls().len(), 3);
}

#[tokio::test]
async fn what_cannot_pass_is_reported_at_once() {
    for status in [307, 400, 403, 404, 409, 412] {
        let stage = Stage::new(vec![answer(status, &[("location", "BASE/x")], "")]).await;
        stage.apply().await.unwrap_err();
        assert_eq!(stage.calls().len(), 1, "{status}");
    }
}

/// W-54.
#[tokio::test]
async fn throttling_closes_the_budget_for_later_calls_too() {
    for wait in ["30", "Fri, 01 Jan 2100 00:00:00 GMT"] {
        let stage =
            Stage::new(vec![answer(429, &[("retry-after", wait)], ""), answer(200, &[], MACHINE)]).await;
        for _ in 0..2 {
            let error = stage.apply().await.unwrap_err();
            assert!(
                matches!(error, Error::Throttled { .. })
                    && error.retry_after() > Some(Duration::from_secs(20))
            );
        }
        assert_eq!(stage.calls().len(), 1, "the second call is not sent");
        stage.arm.identities(&target()).await.unwrap();
    }
}

#[tokio::test]
async fn an_oversized_answer_is_refused() {
    let stage = Stage::new(vec![answer(200, &[], vec![b' '; 5 << 20])]).await;
    assert!(matches!(stage.arm.identities(&target()).await, Err(Error::Unavailable { .. })));
    assert_eq!(stage.calls().len(), 1);
}

#[tokio::test]
async fn lists_machines_over_all_pages() {
    let first = answer(200, &[], r#"{"value":[{"name":"a"}],"nextLink":"BASE/page2"}"#);
    let second = answer(200, &[], r#"{"value":[{"name":"b"}]}"#);
    let stage = Stage::new(vec![first, second]).await;
    let names = stage.arm.virtual_machines("sub", "rg").await.unwrap();
    assert_eq!(names, ["a", "b"]);
    let targets: Vec<String> = stage.calls().into_iter().map(|seen| seen.target).collect();
    let list = "/subscriptions/sub/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines";
    assert_eq!(targets, [format!("{list}?api-version=2024-07-01"), "/page2".to_owned()]);
}

#[tokio::test]
async fn an_id_that_would_leave_its_path_is_not_sent() {
    let stage = Stage::new(vec![answer(200, &[], MACHINE)]).await;
    for name in ["..", "", "a/../b"] {
        let error = stage.arm.identities(&ComputeId::scale_set("sub", "rg", name)).await.unwrap_err();
        assert!(matches!(error, Error::Rejected { .. }), "{name}");
    }
    assert!(stage.calls().is_empty());
    stage.arm.identities(&ComputeId::scale_set("sub", "rg", "a?b c")).await.unwrap();
    assert!(stage.calls()[0].target.contains("/a%3Fb%20c?api-version="));
}

#[tokio::test]
async fn no_token_means_no_call() {
    let settings = quick();
    let cloud = Cloud::public();
    let nobody = Imds::new(client(), format!("http://{}", Fake::nobody().await));
    let arm = Arm::with_settings(client(), &cloud, Credential::managed_identity(nobody, None), settings);
    let error = arm.identities(&target()).await.unwrap_err();
    assert!(matches!(error, Error::Login(_)), "{error}");
    assert!(error.to_string().contains("managed identity"), "{error}");
}

#[tokio::test]
async fn debug_shows_no_token() {
    let stage = Stage::new(vec![answer(200, &[], MACHINE)]).await;
    stage.arm.identities(&target()).await.unwrap();
    assert!(!format!("{:?}", stage.arm).contains("Bearer"));
}
