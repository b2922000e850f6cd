//! Where something else takes care of podid; on a cluster of its own it is tried in `crates/podid/tests/addon`.

use podid_core::addon::enable::{Problem, Stays};

use super::*;
use crate::disable::disable;
use crate::testing::{Cluster, Play, session};

fn request() -> Request {
    let image = Some("r/podid:1".to_owned());
    Request { mode: None, kubenet: false, plugin: None, image, named: Named::default() }
}

#[tokio::test]
async fn podid_of_somebody_else_is_left_alone_and_gets_the_exception() {
    let (cluster, play) = (Cluster::managed().await, Play::new());
    let session = session(&cluster, &play, None);
    for _ in 0..2 {
        let enabled = enable(&session, &request()).await.unwrap();
        assert!(matches!(enabled, Enabled::Left(_)), "{enabled:?}");
        let (_, all) = podid_kube::pod_identities::exceptions(&session.client, "").await.unwrap();
        let names: Vec<_> = all.iter().map(|held| held.fact.id.to_string()).collect();
        assert_eq!(names, ["kube-system/aks-addon-exception"]);
    }
    let error = disable(&session, true).await.unwrap_err();
    assert!(matches!(error, Error::Stays(Stays::NotOurs(_))), "{error}");
}

#[tokio::test]
async fn the_mode_of_what_is_there_is_not_changed_under_its_feet() {
    let (cluster, play) = (Cluster::standard().await, Play::new());
    let session = session(&cluster, &play, None);
    let asked = Request { mode: Some(Mode::Managed), ..request() };
    let error = enable(&session, &asked).await.unwrap_err();
    let Error::Prerequisites(problems) = &error else { panic!("{error}") };
    assert!(matches!(problems[..], [Problem::OtherMode { is: Mode::Standard, .. }]), "{error}");
    assert!(matches!(enable(&session, &request()).await, Ok(Enabled::Left(_))));
}

#[tokio::test]
async fn a_cluster_without_nodes_is_told_so_before_anything_is_written() {
    let (cluster, play) = (Cluster::empty().await, Play::new());
    let session = session(&cluster, &play, None);
    let error = enable(&session, &request()).await.unwrap_err();
    assert!(error.to_string().contains("no Linux node"), "{error}");
    let asked = Request { plugin: Some("kubenet".to_owned()), ..request() };
    let error = enable(&session, &asked).await.unwrap_err().to_string();
    assert!(error.contains("no Linux node") && error.contains("NET_RAW"), "{error}");
}
