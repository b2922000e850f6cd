//! Whose token, for whom, and what it looks like.

use std::time::Duration;

use super::stage::{
    MARK, Stage, assignment, assignment_of, binding, client_id, identity, old_pod, pod, resource_id,
    service_principal,
};
use podid_core::facts::{AssignmentState, Identity, IdentityKind, Pod};
use podid_core::ids::{ClientId, ObjectRef};

#[tokio::test(start_paused = true)]
async fn a_token_is_one_json_object_of_strings_with_digits_for_times() {
    let stage = Stage::standard().await;
    stage.ready_pod("web", "10.0.0.1").await;
    let told = stage.token("10.0.0.1", "").await;
    assert_eq!((told.status, told.headers["content-type"].to_str().unwrap()), (200, "application/json"));
    let json = told.json();
    let token = json.as_object().unwrap();
    assert!(token.values().all(serde_json::Value::is_string), "{token:?}");
    let order =
        ["access_token", "refresh_token", "expires_in", "expires_on", "not_before", "resource", "token_type"];
    let positions: Vec<_> = order.iter().map(|key| told.body.find(&format!("\"{key}\":")).unwrap()).collect();
    assert!(positions.is_sorted());
    for key in ["expires_in", "expires_on"] {
        let text = token[key].as_str().unwrap();
        assert!(!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()), "{key}: {text}");
    }
    assert_eq!(
        (token["token_type"].as_str(), token["client_id"].as_str()),
        (Some("Bearer"), Some(&*client_id("web")))
    );
}

#[tokio::test(start_paused = true)]
async fn imds_is_asked_by_resource_id_whatever_the_pod_sent() {
    let stage = Stage::standard().await;
    stage.ready_pod("web", "10.0.0.1").await;
    let encoded = resource_id("web").as_str().replace('/', "%2F");
    let selectors = [
        String::new(),
        format!("&client_id={}", client_id("web").to_uppercase()),
        format!("&msi_res_id={encoded}"),
        format!("&mi_res_id={}", encoded.to_lowercase()),
        "&object_id=OBJECT-web".to_owned(),
    ];
    for selector in &selectors {
        assert_eq!(stage.token("10.0.0.1", selector).await.status, 200, "{selector}");
    }
    let seen = stage.imds.seen();
    assert_eq!(seen.len(), 1, "one identity and resource are one question");
    assert!(
        seen[0].target.contains("msi_res_id=") && !seen[0].target.contains("client_id="),
        "{:?}",
        seen[0]
    );
    assert_eq!(seen[0].headers["metadata"], "true");
}

#[tokio::test(start_paused = true)]
async fn w08_an_object_id_chooses_the_identity_that_has_it() {
    let stage = Stage::managed().await;
    stage.cluster.apply_pod(pod("shop", "web", "10.0.0.1"));
    for name in ["a", "b"] {
        stage.cluster.apply_identity(identity("shop", name));
        let to_web = podid_core::facts::Binding { selector: "web".into(), ..binding("shop", name, name) };
        stage.cluster.apply_binding(to_web);
    }
    stage.imds.has(&["a", "b"]);
    stage.settle().await;
    let told = stage.token("10.0.0.1", "&object_id=object-b").await;
    assert_eq!(told.json()["client_id"], client_id("b"));
    tokio::time::advance(Duration::from_secs(61)).await;
    let told = stage.token("10.0.0.1", "&object_id=object-of-another").await;
    assert_eq!(told.status, 400);
}

#[tokio::test(start_paused = true)]
async fn without_a_selector_the_first_binding_wins_every_time() {
    let stage = Stage::managed().await;
    stage.cluster.apply_pod(pod("shop", "web", "10.0.0.1"));
    for name in ["c", "a", "b"] {
        stage.cluster.apply_identity(identity("shop", name));
        let to_web = podid_core::facts::Binding { selector: "web".into(), ..binding("shop", name, name) };
        stage.cluster.apply_binding(to_web);
    }
    stage.imds.has(&["a", "b", "c"]);
    stage.settle().await;
    for _ in 0..3 {
        assert_eq!(stage.token("10.0.0.1", "").await.json()["client_id"], client_id("a"));
    }
}

#[tokio::test(start_paused = true)]
async fn w04_a_client_id_that_is_not_the_resource_ids_gets_no_token() {
    let stage = Stage::standard().await;
    stage.imds.has(&["web"]);
    let claimed = IdentityKind::Managed {
        resource_id: resource_id("web"),
        client_id: ClientId::parse(&client_id("kubelet")).unwrap(),
    };
    let forged = Identity { kind: Ok(claimed), ..identity("shop", "web") };
    stage.cluster.apply_pod(pod("shop", "web", "10.0.0.1"));
    stage.cluster.apply_assignment(assignment_of(forged, "web", AssignmentState::Assigned));
    stage.settle().await;
    // Also when the cache is warm from an honest identity with the same resource id.
    stage.ready_pod("honest", "10.0.0.2").await;
    stage.cluster.apply_assignment(assignment_of(
        Identity { id: ObjectRef::new("shop", "h"), ..identity("shop", "web") },
        "honest",
        AssignmentState::Assigned,
    ));
    stage.settle().await;
    for _ in 0..2 {
        let told = stage.token("10.0.0.1", "").await;
        assert_eq!(told.status, 400, "{}", told.body);
        assert!(told.reason().contains("spec.clientID"), "{}", told.reason());
        assert!(!told.body.contains(MARK));
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_client_id_in_a_second_namespace_is_refused_with_a_warm_cache() {
    let stage = Stage::standard().await;
    stage.ready_pod("web", "10.0.0.1").await;
    let selector = format!("&client_id={}", client_id("web"));
    assert_eq!(stage.token("10.0.0.1", &selector).await.status, 200);

    // A pod elsewhere with an identity of its own asks for the first one by its id.
    stage.cluster.apply_pod(super::stage::old_pod("other", "thief", "10.0.0.2"));
    stage.cluster.apply_assignment(assignment("other", "thief", "thief", AssignmentState::Assigned));
    stage.imds.has(&["thief"]);
    stage.settle().await;
    assert_eq!(stage.token("10.0.0.2", "").await.status, 200);
    let questions = stage.imds.seen().len();
    let told = stage.token("10.0.0.2", &selector).await;
    assert_eq!(told.status, 400);
    assert!(told.reason().starts_with("Identity not found: pod other/thief"), "{}", told.reason());
    assert!(!told.body.contains(MARK));
    assert_eq!(stage.imds.seen().len(), questions);
}

#[tokio::test(start_paused = true)]
async fn a_revoked_pod_is_refused_on_its_next_request_though_its_token_is_cached() {
    let stage = Stage::standard().await;
    stage.cluster.apply_pod(super::stage::old_pod("shop", "web", "10.0.0.1"));
    let assigned = assignment("shop", "web", "web", AssignmentState::Assigned);
    stage.cluster.apply_assignment(assigned.clone());
    stage.imds.has(&["web"]);
    stage.settle().await;
    assert_eq!(stage.token("10.0.0.1", "").await.status, 200);
    // While MIC has not yet removed the assignment, and after.
    stage.cluster.remove_binding(assigned.binding.id);
    stage.settle().await;
    let told = stage.token("10.0.0.1", "").await;
    assert_eq!((told.status, told.after.as_millis()), (400, 0), "{}", told.body);
    stage.cluster.remove_assignment(assigned.id);
    stage.settle().await;
    assert_eq!(stage.token("10.0.0.1", "").await.status, 400);
}

#[tokio::test(start_paused = true)]
async fn w53_an_assignment_that_somebody_else_wrote_gets_nothing_from_imds() {
    let stage = Stage::standard().await;
    stage.ready_pod("web", "10.0.0.1").await;
    stage.cluster.apply_pod(super::stage::old_pod("other", "thief", "10.0.0.2"));
    // It carries an identity that is on the machine, and a binding that nobody made.
    let stolen = Identity { id: ObjectRef::new("other", "web"), ..identity("shop", "web") };
    for home in ["default", "other"] {
        let forged = assignment_of(stolen.clone(), "thief", AssignmentState::Assigned);
        let id = ObjectRef::new(home, "forged");
        stage.cluster.apply_record(podid_core::facts::Assignment { id, ..forged });
    }
    stage.settle().await;
    for selector in [String::new(), format!("&client_id={}", client_id("web"))] {
        let told = stage.token("10.0.0.2", &selector).await;
        assert_eq!((told.status, told.after.as_millis()), (400, 0), "{}", told.body);
        assert!(!told.body.contains(MARK) && stage.imds.seen().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_loses_its_identity_while_imds_answers_gets_no_token() {
    type Loss = fn(&Stage);
    let losses: [(&str, Loss); 5] = [
        ("binding", |stage| stage.cluster.remove_binding(ObjectRef::new("shop", "web"))),
        ("identity", |stage| stage.cluster.remove_identity(ObjectRef::new("shop", "web"))),
        ("assignment", |stage| stage.cluster.remove_assignment(ObjectRef::new("default", "web-shop-web"))),
        ("label", |stage| {
            let labels = [("aadpodidbinding".into(), "other".into())].into();
            stage.cluster.apply_pod(Pod { labels, ..old_pod("shop", "web", "10.0.0.1") });
        }),
        ("address", |stage| {
            stage.cluster.remove_pod(ObjectRef::new("shop", "web"));
            stage.cluster.apply_pod(old_pod("shop", "successor", "10.0.0.1"));
        }),
    ];
    for (what, lose) in losses {
        let stage = Stage::standard().await;
        stage.ready_pod("web", "10.0.0.1").await;
        stage.imds.says(super::stage::Says::Late(Duration::from_secs(8)));
        let request = stage.start_token("10.0.0.1", "");
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(stage.imds.seen().len(), 1, "{what}");
        lose(&stage);
        let status = request.await.unwrap();
        assert!(status == 400 || status == 503, "{what}: {status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_that_does_not_concern_the_pod_costs_it_nothing() {
    let stage = Stage::standard().await;
    stage.ready_pod("web", "10.0.0.1").await;
    stage.imds.says(super::stage::Says::Late(Duration::from_secs(8)));
    let request = stage.start_token("10.0.0.1", "");
    tokio::time::sleep(Duration::from_secs(5)).await;
    stage.ready_pod("other", "10.0.0.2").await;
    assert_eq!(request.await.unwrap(), 200);
    assert_eq!(stage.imds.seen().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn w29_many_requests_are_one_question_and_expires_in_counts_down() {
    let stage = Stage::standard().await;
    stage.ready_pod("web", "10.0.0.1").await;
    stage.imds.says(super::stage::Says::Late(Duration::from_secs(1)));
    let all = futures::future::join_all((0..50).map(|_| stage.token("10.0.0.1", ""))).await;
    assert!(all.iter().all(|told| told.status == 200));
    assert_eq!(stage.imds.seen().len(), 1);
    let left =
        |told: &super::stage::Told| told.json()["expires_in"].as_str().unwrap().parse::<u64>().unwrap();
    let before = left(&all[0]);
    tokio::time::advance(Duration::from_mins(10)).await;
    let after = stage.token("10.0.0.1", "").await;
    assert!(before - left(&after) >= 599, "{before} {}", left(&after));
    assert_eq!(after.json()["expires_on"], all[0].json()["expires_on"]);
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_hangs_up_does_not_stop_the_fetch_that_others_wait_for() {
    let stage = Stage::standard().await;
    stage.ready_pod("web", "10.0.0.1").await;
    stage.imds.says(super::stage::Says::Late(Duration::from_secs(5)));
    let first = stage.start_token("10.0.0.1", "");
    stage.settle().await;
    let second = stage.start_token("10.0.0.1", "");
    stage.settle().await;
    first.abort();
    assert_eq!(second.await.unwrap(), 200);
    assert_eq!(stage.imds.seen().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_with_little_life_left_is_replaced_while_imds_answers() {
    let stage = Stage::standard().await;
    stage.ready_pod("web", "10.0.0.1").await;
    stage.imds.tokens_live(3600);
    assert_eq!(stage.token("10.0.0.1", "").await.status, 200);
    tokio::time::advance(Duration::from_secs(3400)).await;
    let told = stage.token("10.0.0.1", "").await;
    let left: u64 = told.json()["expires_in"].as_str().unwrap().parse().unwrap();
    assert!(left >= 300, "{left}");
}

#[tokio::test(start_paused = true)]
async fn w03_an_authority_that_is_not_allowed_is_never_asked() {
    let stage = Stage::managed().await;
    stage.cluster.apply_pod(pod("shop", "web", "10.0.0.1"));
    stage.cluster.apply_identity(service_principal("shop", "web", Some("https://evil.example/")));
    stage.cluster.apply_binding(binding("shop", "web", "web"));
    stage.settle().await;
    let told = stage.token("10.0.0.1", "").await;
    assert_eq!(told.status, 400);
    assert!(told.reason().contains("--allowed-authority"), "{}", told.reason());
}

#[tokio::test(start_paused = true)]
async fn w40_a_missing_secret_is_final_and_named() {
    let stage = Stage::managed().await;
    stage.cluster.apply_pod(pod("shop", "web", "10.0.0.1"));
    stage.cluster.apply_identity(service_principal("shop", "web", None));
    stage.cluster.apply_binding(binding("shop", "web", "web"));
    stage.settle().await;
    let told = stage.token("10.0.0.1", "").await;
    assert_eq!((told.status, told.after.as_millis()), (400, 0));
    assert!(told.reason().contains("Secret shop/credential does not exist"), "{}", told.reason());
}

#[tokio::test(start_paused = true)]
async fn tokens_are_forgotten_with_their_identity_or_binding() {
    let stage = Stage::standard().await;
    for (name, address) in [("a", "10.0.0.1"), ("b", "10.0.0.2"), ("c", "10.0.0.3")] {
        stage.ready_pod(name, address).await;
        assert_eq!(stage.token(address, "").await.status, 200);
    }
    tokio::spawn(stage.server.clone().tidy(podid_runtime::shutdown::Shutdown::new()));
    let remembered = async || {
        tokio::time::sleep(Duration::from_secs(2)).await;
        stage.server.parts.source.remembered()
    };
    stage.cluster.apply_pod(pod("shop", "d", "10.0.0.4"));
    assert_eq!(remembered().await, 3);
    stage.cluster.remove_identity(ObjectRef::new("shop", "a"));
    assert_eq!(remembered().await, 2);
    stage.cluster.remove_binding(ObjectRef::new("shop", "b"));
    assert_eq!(remembered().await, 1);
    assert_eq!(stage.token("10.0.0.3", "").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn bypass_cache_reaches_imds_once_a_minute_for_an_identity_and_a_resource() {
    let stage = Stage::standard().await;
    stage.ready_pod("web", "10.0.0.1").await;
    assert_eq!(stage.token("10.0.0.1", "").await.status, 200);
    for _ in 0..70 {
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!(stage.token("10.0.0.1", "&bypass_cache=true").await.status, 200);
    }
    let seen = stage.imds.seen();
    assert_eq!(seen.len(), 4, "the first one, and one a minute for three and a half minutes");
    assert!(seen[1..].iter().all(|seen| seen.target.contains("bypass_cache=true")), "{seen:?}");
}
