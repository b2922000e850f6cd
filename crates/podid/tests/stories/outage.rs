//! Does podid live through what an API server does: forget, and be away?

use std::time::Duration;

use serde_json::json;

use crate::METADATA;
use crate::lab::{Lab, NAMESPACE, TOKEN, eventually};
use crate::server::{Server, on_both_servers};

on_both_servers!(
    watches_that_are_told_410_begin_again_and_miss_nothing,
    tokens_are_served_without_an_api_server_and_the_work_is_done_when_it_is_back,
);

/// Longer than leader election and every watch can bridge.
const AWAY: Duration = Duration::from_secs(25);
/// Another resource, so that its token is in no cache.
const OTHER: &str =
    "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fmanagement.azure.com%2F";

fn watches_that_are_told_410_begin_again_and_miss_nothing(on: Server) {
    let lab = Lab::up(on, &[]);
    lab.bind(NAMESPACE, "app");
    lab.pod(NAMESPACE, "before", "app");
    assert!(lab.ask(NAMESPACE, "before", TOKEN, &[METADATA]).starts_with("HTTP/1.1 200"));
    lab.forget_history();
    // What was there is still served, and what comes and goes from now on is seen.
    assert!(lab.ask(NAMESPACE, "before", TOKEN, &[METADATA]).starts_with("HTTP/1.1 200"));
    lab.pod(NAMESPACE, "after", "app");
    eventually("a new pod gets its token", || {
        lab.ask(NAMESPACE, "after", TOKEN, &[METADATA]).starts_with("HTTP/1.1 200")
    });
    lab.forget_history();
    for name in ["before", "after"] {
        lab.delete(&pod(name), None);
    }
    eventually("no assignment is left", || lab.assignments().is_empty());
    lab.stop();
}

fn tokens_are_served_without_an_api_server_and_the_work_is_done_when_it_is_back(on: Server) {
    let lab = Lab::up(on, &[]);
    lab.bind(NAMESPACE, "app");
    lab.pod(NAMESPACE, "before", "app");
    assert!(lab.ask(NAMESPACE, "before", TOKEN, &[METADATA]).starts_with("HTTP/1.1 200"));
    lab.without_api(AWAY, || {
        std::thread::sleep(Duration::from_secs(2));
        for target in [TOKEN, OTHER] {
            let answer = lab.ask(NAMESPACE, "before", target, &[METADATA]);
            assert!(answer.starts_with("HTTP/1.1 200"), "{}", answer.lines().next().unwrap_or("no answer"));
        }
        std::thread::sleep(Duration::from_secs(16));
        assert!(lab.ask(NAMESPACE, "before", OTHER, &[METADATA]).starts_with("HTTP/1.1 200"));
    });
    eventually("the API server answers", || lab.try_assignments().is_some());
    lab.pod(NAMESPACE, "after", "app");
    eventually("a new pod gets its token", || {
        lab.ask(NAMESPACE, "after", TOKEN, &[METADATA]).starts_with("HTTP/1.1 200")
    });
    for name in ["before", "after"] {
        lab.delete(&pod(name), None);
    }
    eventually("no assignment is left", || lab.assignments().is_empty());
    lab.stop();
}

fn pod(name: &str) -> serde_json::Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": NAMESPACE}})
}
