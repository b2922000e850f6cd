//! A pod identity is made and taken away, whole and in pieces, on the lab's API server.

use podid_azure::arm::resource as arm_resource;
use podid_azure::login;
use podid_core::addon::{Refusal, Wanted};
use podid_core::ids::{ClientId, ObjectRef};
use podid_core::role::Refused;
use serde_json::json;

use super::*;
use crate::azure;
use crate::delete::delete;
use crate::list::list;
use crate::testing::{Cluster, Play, principal, resource, session, wanted};

const IDENTITY: &str = "/apis/aadpodidentity.k8s.io/v1/namespaces/my-app/azureidentities/my-pod";

fn expired() -> azure::Error {
    login::Error::Nobody(Vec::new()).into()
}

async fn add_once(cluster: &Cluster, play: &Play) -> Result<Done, Error> {
    add(&session(cluster, play, None), &wanted(), &Named::default()).await
}

#[tokio::test]
async fn the_tutorial_s_command_makes_everything_and_a_second_run_nothing() {
    let (cluster, play) = (Cluster::managed().await, Play::new());
    assert_eq!(add_once(&cluster, &play).await.unwrap(), Done::All);
    assert_eq!(play.carriers("app"), ["pool-a", "pool-b"]);
    assert_eq!(play.state().granted, [(resource("app"), principal("control-plane"))]);
    let identity = cluster.get(IDENTITY).await;
    assert_eq!(
        identity["spec"],
        json!({
            "type": 0, "resourceID": resource("app").as_str(), "clientID": "client-app",
        })
    );
    let (before, writes) = (cluster.outline().await, play.state().writes);
    let version = cluster.store.version();
    assert_eq!(add_once(&cluster, &play).await.unwrap(), Done::All);
    assert_eq!((cluster.outline().await, play.state().writes), (before, writes));
    assert_eq!(cluster.store.version(), version, "nothing was written a second time");
}

#[tokio::test]
async fn an_add_that_stops_after_any_step_is_finished_by_the_next_and_undone_by_a_delete() {
    let (whole, there) = (Cluster::managed().await, Play::new());
    add_once(&whole, &there).await.unwrap();
    let expected = whole.outline().await;
    for stop in 0..8 {
        let (cluster, play) = (Cluster::managed().await, Play::new());
        let stopped = add(&session(&cluster, &play, Some(stop)), &wanted(), &Named::default()).await.unwrap();
        assert_eq!(stopped == Done::All, stop >= 6, "there are six steps: {stop}");
        assert_eq!(add_once(&cluster, &play).await.unwrap(), Done::All);
        assert_eq!(cluster.outline().await, expected, "stopped after {stop}");
        assert_eq!(play.carriers("app"), ["pool-a", "pool-b"], "stopped after {stop}");
        delete(&session(&cluster, &play, None), &wanted().id).await.unwrap();
        assert!(cluster.outline().await.is_empty() && play.carriers("app").is_empty());
    }
}

#[tokio::test]
async fn a_delete_that_stops_after_any_step_is_finished_by_the_next() {
    for stop in 0..4 {
        let (cluster, play) = (Cluster::managed().await, Play::new());
        add_once(&cluster, &play).await.unwrap();
        let (done, _) = delete(&session(&cluster, &play, Some(stop)), &wanted().id).await.unwrap();
        assert_eq!(done, Done::Stopped, "{stop}");
        let (done, left) = delete(&session(&cluster, &play, None), &wanted().id).await.unwrap();
        assert_eq!((done, left.len()), (Done::All, 2), "the role and the namespace stay: {left:?}");
        assert!(cluster.outline().await.is_empty(), "stopped after {stop}");
        assert!(play.carriers("app").is_empty(), "stopped after {stop}");
        let record = cluster.get("/api/v1/namespaces/kube-system/configmaps/podid-ownership").await;
        assert_eq!(record["data"].as_object().map_or(0, serde_json::Map::len), 0, "{record}");
    }
}

#[tokio::test]
async fn what_was_on_the_nodes_before_stays_there() {
    let (cluster, play) = (Cluster::managed().await, Play::new());
    let target = play.targets().remove(0);
    for name in ["app", "other"] {
        let client = play.state().identities.get(&resource(name)).cloned();
        play.state().nodes.get_mut(&target).unwrap().insert(resource(name), client);
    }
    add_once(&cluster, &play).await.unwrap();
    let (_, left) = delete(&session(&cluster, &play, None), &wanted().id).await.unwrap();
    assert_eq!(
        (play.carriers("app"), play.carriers("other")),
        (vec!["pool-a".into()], vec!["pool-a".into()])
    );
    assert!(left.iter().any(|left| left.to_string().contains("podid did not put it there")), "{left:?}");
}

#[tokio::test]
async fn two_pod_identities_of_one_identity_share_its_place_on_the_nodes() {
    let (cluster, play) = (Cluster::managed().await, Play::new());
    let second = Wanted { id: ObjectRef::new("other-app", "same"), ..wanted() };
    add_once(&cluster, &play).await.unwrap();
    add(&session(&cluster, &play, None), &second, &Named::default()).await.unwrap();
    let (_, left) = delete(&session(&cluster, &play, None), &wanted().id).await.unwrap();
    assert_eq!(play.carriers("app"), ["pool-a", "pool-b"]);
    assert!(left.iter().any(|left| left.to_string().contains("other-app/same needs it")), "{left:?}");
    delete(&session(&cluster, &play, None), &second.id).await.unwrap();
    assert!(play.carriers("app").is_empty());
}

#[tokio::test]
async fn several_identities_share_a_selector() {
    let (cluster, play) = (Cluster::managed().await, Play::new());
    for name in ["app", "other"] {
        let id = ObjectRef::new("my-app", name);
        let wanted = Wanted { id, resource: resource(name), selector: "several".into() };
        add(&session(&cluster, &play, None), &wanted, &Named::default()).await.unwrap();
    }
    let rows = list(&session(&cluster, &play, None), None).await.unwrap();
    assert!(rows.iter().all(|row| row.selectors == ["several"] && row.standing.state == State::Assigned));
    assert_eq!((rows.len(), play.carriers("other").len()), (2, 2));
    delete(&session(&cluster, &play, None), &ObjectRef::new("my-app", "app")).await.unwrap();
    assert_eq!((play.carriers("app").len(), play.carriers("other").len()), (0, 2), "the other stays");
}

#[tokio::test]
async fn an_identity_made_anew_in_azure_is_attached_again() {
    let (cluster, play) = (Cluster::managed().await, Play::new());
    add_once(&cluster, &play).await.unwrap();
    let anew = ClientId::parse("client-anew").unwrap();
    play.state().identities.insert(resource("app"), anew.clone());
    let rows = list(&session(&cluster, &play, None), None).await.unwrap();
    assert_eq!(rows[0].standing.why.as_ref().unwrap().code, "ClientIdDiffers");
    add_once(&cluster, &play).await.unwrap();
    assert_eq!(cluster.get(IDENTITY).await["spec"]["clientID"], "client-anew");
    assert!(play.state().nodes.values().all(|there| there[&resource("app")] == Some(anew.clone())));
}

#[tokio::test]
async fn an_identity_that_was_deleted_in_azure_first_can_be_taken_away() {
    let (cluster, play) = (Cluster::managed().await, Play::new());
    add_once(&cluster, &play).await.unwrap();
    play.state().identities.remove(&resource("app"));
    let rows = list(&session(&cluster, &play, None), None).await.unwrap();
    assert_eq!(rows[0].standing.why.as_ref().unwrap().code, "IdentityNotFound");
    let error = add_once(&cluster, &play).await.unwrap_err();
    assert!(matches!(error, Error::NoIdentity(_)), "{error}");
    delete(&session(&cluster, &play, None), &wanted().id).await.unwrap();
    assert!(cluster.outline().await.is_empty() && play.carriers("app").is_empty());
}

#[tokio::test]
async fn in_standard_mode_mic_s_identity_gets_the_role_and_nodes_are_left_to_mic() {
    let (cluster, play) = (Cluster::standard().await, Play::new());
    add_once(&cluster, &play).await.unwrap();
    assert_eq!(play.state().granted, [(resource("app"), principal("kubelet"))]);
    assert!(play.carriers("app").is_empty());
    assert_eq!(cluster.outline().await.len(), 2);
    let (_, left) = delete(&session(&cluster, &play, None), &wanted().id).await.unwrap();
    assert!(cluster.outline().await.is_empty());
    assert_eq!(left.len(), 2);
}

#[tokio::test]
async fn somebody_who_writes_at_the_same_time_only_costs_another_look() {
    let (cluster, play) = (Cluster::managed().await, Play::new());
    play.state().intruders = 2;
    assert_eq!(add_once(&cluster, &play).await.unwrap(), Done::All);
    assert_eq!(play.carriers("app"), ["pool-a", "pool-b"]);
}

#[tokio::test]
async fn nothing_is_written_where_it_cannot_be_finished() {
    let refused = Refused { principal: None, action: "A.B/write".into(), scope: "/subscriptions/s".into() };
    let denied = azure::Error::Arm(arm_resource::Error::Denied(refused));
    let (empty, play) = (Cluster::empty().await, Play::new());
    let error = add_once(&empty, &play).await.unwrap_err();
    assert!(error.to_string().contains("podid enable"), "{error}");
    let cluster = Cluster::managed().await;
    for fault in [expired(), denied] {
        play.state().fault = Some(fault);
        let error = add_once(&cluster, &play).await.unwrap_err();
        assert!(matches!(error, Error::Azure(_)), "{error}");
    }
    play.state().fault = None;
    let mut full = session(&cluster, &play, None);
    full.how.limit = 0;
    let error = add(&full, &wanted(), &Named::default()).await.unwrap_err();
    assert!(matches!(error, Error::Refused(Refusal::Limit { .. })), "{error}");
    let unknown = Wanted { resource: resource("nobody"), ..wanted() };
    let error = add(&session(&cluster, &play, None), &unknown, &Named::default()).await.unwrap_err();
    assert!(matches!(error, Error::NoIdentity(_)), "{error}");
    assert!(cluster.outline().await.is_empty() && empty.outline().await.is_empty());
    assert_eq!(play.state().writes, 0);
    assert_eq!(cluster.get("/api/v1/namespaces/my-app").await["metadata"], serde_json::Value::Null);
}

#[tokio::test]
async fn a_dry_run_writes_nothing() {
    let (cluster, play) = (Cluster::managed().await, Play::new());
    let mut dry = session(&cluster, &play, None);
    dry.how.dry_run = true;
    let version = cluster.store.version();
    let planned = add(&dry, &wanted(), &Named::default()).await.unwrap();
    assert!(matches!(planned, Done::Planned(steps) if steps.len() == 6));
    assert_eq!((play.state().writes, cluster.store.version()), (0, version));
    add_once(&cluster, &play).await.unwrap();
    let version = cluster.store.version();
    let (done, left) = delete(&dry, &wanted().id).await.unwrap();
    assert!(matches!(done, Done::Planned(steps) if steps.len() == 4));
    assert_eq!((left.len(), cluster.store.version()), (2, version));
}

#[tokio::test]
async fn a_state_that_hangs_on_azure_is_unknown_where_azure_is_not_reached() {
    let (cluster, play) = (Cluster::managed().await, Play::new());
    add_once(&cluster, &play).await.unwrap();
    play.state().fault = Some(expired());
    let rows = list(&session(&cluster, &play, None), None).await.unwrap();
    assert_eq!(rows[0].standing.state, State::Unknown);
    assert!(crate::list::is_unknown(&rows));
    let elsewhere = list(&session(&cluster, &play, None), Some("elsewhere")).await.unwrap();
    assert!(elsewhere.is_empty());
}
