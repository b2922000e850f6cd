//! Does the self-test notice what keeps pods from meeting NMI, and leave nothing behind?

use std::io::ErrorKind;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use futures::TryStreamExt;
use http::Response;
use podid_nmi::selftest::{self, Fault, Secret, Symptom};
use podid_runtime::http::{bind, serve};
use podid_runtime::shutdown::Shutdown;
use rtnetlink::IpVersion;
use tokio::time::timeout;

use crate::agent::{Agent, clean_up, runtime};
use crate::world::{LISTENER, METADATA, Namespace, World};

/// NMI's listener, which answers the question of `secret`, until the end of the process.
fn listen(node: &Namespace, secret: &Secret) {
    let (tell, told) = mpsc::channel();
    let (node, secret) = (node.clone(), secret.clone());
    thread::spawn(move || {
        node.run(|| {
            runtime().block_on(async {
                let listener = bind("test", LISTENER.into()).await.expect("listener");
                tell.send(()).expect("somebody waits");
                let handler = move |request: http::Request<_>, peer| {
                    let answer = secret.answer(&request, peer);
                    async move { answer.unwrap_or_else(|| Response::new("nobody".into())) }
                };
                serve("test", listener, Shutdown::new(), handler).await;
            });
        });
    });
    told.recv().expect("the listener starts");
}

fn test(node: &Namespace, secret: &Secret) -> Result<(), Fault> {
    node.run(|| runtime().block_on(selftest::run(METADATA, secret)))
}

fn symptom(outcome: Result<(), Fault>) -> Symptom {
    match outcome.expect_err("a fault") {
        Fault::Broken { metadata: METADATA, symptom } => symptom,
        fault => panic!("{fault}"),
    }
}

/// How many links and routing rules the node has.
fn counted(node: &Namespace) -> (usize, usize) {
    let mut counted = (0, 0);
    node.configure(async |links| {
        let found: Vec<_> = links.link().get().execute().try_collect().await.expect("links");
        let rules: Vec<_> = links.rule().get(IpVersion::V4).execute().try_collect().await.expect("rules");
        counted = (found.len(), rules.len());
    });
    counted
}

pub(crate) fn works() {
    let world = World::new();
    let secret = Secret::new().expect("secret");
    listen(&world.node, &secret);
    let _agent = Agent::start(&world.node).expect("installed");
    let before = counted(&world.node);
    for patience in [1, 2, 4, 8].map(Duration::from_millis) {
        // As if the process were killed in the middle of it.
        drop(
            world.node.run(|| {
                runtime().block_on(async { timeout(patience, selftest::run(METADATA, &secret)).await })
            }),
        );
        test(&world.node, &secret).expect("works");
        assert_eq!(counted(&world.node), before);
    }
    assert_eq!(world.metadata_calls(), 0);
}

pub(crate) fn notices() {
    let world = World::new();
    let secret = Secret::new().expect("secret");
    let agent = Agent::start(&world.node).expect("installed");
    assert_eq!(symptom(test(&world.node, &secret)), Symptom::Refused(ErrorKind::ConnectionRefused));

    listen(&world.node, &Secret::new().expect("another secret"));
    assert_eq!(symptom(test(&world.node, &secret)), Symptom::Stranger);

    drop(agent);
    assert!(clean_up(&world.node).expect("removed"));
    assert_eq!(symptom(test(&world.node, &secret)), Symptom::Silence);
}
