//! Exceptions are made, changed and taken away on the lab's API server.

use podid_core::addon::{Refusal, labels};

use super::*;
use crate::testing::{Cluster, Play, session};

#[tokio::test]
async fn an_exception_is_made_changed_and_taken_away() {
    let (cluster, play) = (Cluster::empty().await, Play::new());
    let session = session(&cluster, &play, None);
    let id = ObjectRef::new("shop", "agent");
    let (first, second) =
        (labels::parse(["app=agent tier=x"]).unwrap(), labels::parse(["app=other"]).unwrap());
    assert_eq!(change(&session, &id, Change::Add(&first)).await.unwrap(), Done::All);
    let version = cluster.store.version();
    assert_eq!(change(&session, &id, Change::Add(&first)).await.unwrap(), Done::All);
    assert_eq!(cluster.store.version(), version, "nothing was written a second time");
    let other = change(&session, &id, Change::Add(&second)).await.unwrap_err();
    assert!(matches!(other, Error::Refused(Refusal::OtherLabels { .. })), "{other}");
    change(&session, &id, Change::Update(&second)).await.unwrap();
    let all = list(&session, Some("shop")).await.unwrap();
    assert_eq!((all[0].fact.pod_labels.clone(), all[0].ours), (second, true));
    insta::assert_snapshot!(table(&all).replace("\u{1b}[1m", "").replace("\u{1b}[0m", ""), @r"
    NAME    NAMESPACE   PODLABELS
    agent   shop        app=other
    ");
    assert!(list(&session, Some("elsewhere")).await.unwrap().is_empty());
    change(&session, &id, Change::Delete).await.unwrap();
    let gone = change(&session, &id, Change::Delete).await.unwrap_err();
    assert!(matches!(gone, Error::Refused(Refusal::UnknownException(_))), "{gone}");
    assert!(cluster.outline().await.is_empty());
}

#[tokio::test]
async fn one_that_stops_after_any_step_is_finished_by_the_next() {
    let id = ObjectRef::new("shop", "agent");
    let labels = labels::parse(["app=agent"]).unwrap();
    for stop in 0..3 {
        let (cluster, play) = (Cluster::empty().await, Play::new());
        let stopped = change(&session(&cluster, &play, Some(stop)), &id, Change::Add(&labels)).await.unwrap();
        assert_eq!(stopped == Done::All, stop == 2, "{stop}");
        change(&session(&cluster, &play, None), &id, Change::Add(&labels)).await.unwrap();
        assert_eq!(cluster.outline().await.len(), 1);
    }
}
