//! Does a pod get the identities that are bound to it, for as long as it is there?

use std::time::Duration;

use serde_json::{Value, json};

use crate::METADATA;
use crate::lab::{Lab, NAMESPACE, TOKEN, eventually};
use crate::server::{Server, on_both_servers};

on_both_servers!(
    the_first_call_gets_its_token_though_identity_and_binding_come_twenty_seconds_later,
    an_identity_is_put_on_the_scale_set_for_a_pod_and_taken_off_with_it,
    two_identities_behind_one_selector_are_both_served_and_each_only_as_itself,
);

fn the_first_call_gets_its_token_though_identity_and_binding_come_twenty_seconds_later(on: Server) {
    let lab = Lab::up(on, &[]);
    lab.pod(NAMESPACE, "early", "late");
    let call = lab.asking(NAMESPACE, "early", TOKEN, &[METADATA]);
    std::thread::sleep(Duration::from_secs(20));
    lab.bind(NAMESPACE, "late");
    let answer = String::from_utf8(call.wait_with_output().unwrap().stdout).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{}", answer.lines().next().unwrap_or("no answer"));
    lab.stop();
}

fn an_identity_is_put_on_the_scale_set_for_a_pod_and_taken_off_with_it(on: Server) {
    let lab = Lab::up(on, &[]);
    lab.bind(NAMESPACE, "app");
    lab.pod(NAMESPACE, "app", "app");
    assert!(lab.ask(NAMESPACE, "app", TOKEN, &[METADATA]).starts_with("HTTP/1.1 200"));
    let records = lab.assignments();
    assert_eq!(records.len(), 1, "{records:?}");
    assert_eq!(
        (&records[0]["spec"]["pod"], &records[0]["status"]["status"]),
        (&json!("app"), &json!("Assigned"))
    );
    assert_eq!(lab.lines_with("+application-identity started").len(), 1);

    lab.delete(&pod("app"), None);
    eventually("the record is gone", || lab.assignments().is_empty());
    assert_eq!(lab.lines_with("-application-identity started").len(), 1);
    lab.stop();
}

fn two_identities_behind_one_selector_are_both_served_and_each_only_as_itself(on: Server) {
    let lab = Lab::up(on, &[]);
    let (id, own) = lab.own_identity();
    let application = lab.variable("IDENTITY_CLIENT_ID");
    lab.bind_to(NAMESPACE, "first", "both", (&lab.variable("IDENTITY_RESOURCE_ID"), &application));
    lab.bind_to(NAMESPACE, "second", "both", (&id, &own));
    lab.pod(NAMESPACE, "app", "both");
    for client in [&application, &own] {
        let answer = lab.ask(NAMESPACE, "app", &format!("{TOKEN}&client_id={client}"), &[METADATA]);
        assert!(answer.starts_with("HTTP/1.1 200"), "{}", answer.lines().next().unwrap_or("no answer"));
        let token: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
        assert_eq!(token["client_id"], **client);
    }
    assert_eq!(lab.assignments().len(), 2);
    lab.delete(&pod("app"), None);
    eventually("both records are gone", || lab.assignments().is_empty());
    assert!(lab.lines_with("-podid-lab-agentpool").is_empty(), "what podid did not put there stays there");
    lab.stop();
}

fn pod(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": NAMESPACE}})
}
