use podid_core::adopt::Object;
use podid_core::chain::cluster::{Health, State};
use podid_core::chain::{Chain, Cross, Link, Outcome, Step};
use podid_core::code::Obstacle;
use podid_core::ids::{NodeName, ObjectRef};
use podid_core::refusal::Cause;

use super::*;

fn chain(name: &str, links: Vec<(Step, Outcome)>) -> Chain {
    Chain {
        pod: ObjectRef::new("shop", name),
        node: Some(NodeName::new("node-1")),
        identity: Some(ObjectRef::new("shop", "app")),
        links: links.into_iter().map(|(step, outcome)| Link { step, outcome }).collect(),
    }
}

fn holds(text: &str) -> Outcome {
    Outcome::Holds(text.to_owned())
}

fn no_binding() -> Cross {
    Cross::new(
        Cause::NoBinding,
        "pod shop/web has label aadpodidbinding=web, but no AzureIdentityBinding has this selector.",
    )
    .in_object(Object::new("Pod", &ObjectRef::new("shop", "web")))
    .mended_by(["kubectl apply -f - <<'END'\nkind: AzureIdentityBinding\nEND".to_owned()])
    .with_caution("this lets every pod with the label have AzureIdentity shop/app")
}

fn broken() -> Chain {
    let label = (Step::Label, holds("aadpodidbinding=web"));
    chain(
        "web",
        vec![
            label,
            (Step::Binding, no_binding().into()),
            (Step::Identity, Outcome::Open),
            (Step::Token, Outcome::Open),
        ],
    )
}

fn well() -> Chain {
    let unseen = Outcome::Unseen("nobody is logged in to Azure".to_owned());
    let spared = Outcome::Spared("NMI runs in managed mode and asks for none".to_owned());
    chain(
        "api",
        vec![
            (Step::Label, holds("aadpodidbinding=api")),
            (Step::Assignment, spared),
            (Step::Azure, unseen),
            (Step::Token, holds("NMI gives it one")),
        ],
    )
}

fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

#[test]
fn a_broken_chain_shows_the_first_cross_what_is_missing_and_what_mends_it() {
    insta::assert_snapshot!(plain(&Answer::new(broken()).table()));
    insta::assert_json_snapshot!(Answer::new(broken()).json());
}

#[test]
fn a_whole_chain_says_what_was_not_looked_at() {
    insta::assert_snapshot!(plain(&Answer::new(well()).table()));
}

#[test]
fn a_checkup_has_a_line_for_each_part_and_pod_and_each_cause_once() {
    let weak = Cross::new(Obstacle::PoliciesMissing, "podid-binding-fields missing")
        .mended_by(["podid manifests policies | kubectl apply -f -".to_owned()]);
    let health = vec![
        Health { part: "MIC".to_owned(), state: State::Fine("2 ready, mic-0 leads".to_owned()) },
        Health { part: "NMI on node-1".to_owned(), state: State::Unseen("you may not list pods".to_owned()) },
        Health { part: "policies".to_owned(), state: State::Weak(Box::new(weak)) },
    ];
    let mut second = broken();
    second.pod = ObjectRef::new("shop", "web-2");
    let checkup = Checkup::new(health, vec![well(), broken(), second], None);
    assert!(checkup.is_broken() && !checkup.is_complete());
    insta::assert_snapshot!(plain(&checkup.table()));
}

#[test]
fn nothing_that_an_object_says_reaches_the_terminal_as_an_order() {
    let mut chain = broken();
    chain.links[1].outcome = Cross::new(Cause::NoBinding, "selector \u{1b}[2J\u{7}")
        .mended_by(["echo \u{1b}]0;owned".to_owned()])
        .with_caution("\u{9b}31m")
        .into();
    let text = plain(&Answer::new(chain).table());
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
}
