use super::*;
use crate::facts::{AssignmentState, Binding, Exception, IdentityKind, InvalidIdentity, Phase};
use crate::ids::{ClientId, IdentityResourceId, PrincipalId, Uid};
use crate::select::select;

const START: i64 = 1_700_000_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(START + seconds).unwrap()
}

fn resource_id(name: &str) -> IdentityResourceId {
    IdentityResourceId::parse(&format!(
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}"
    ))
    .unwrap()
}

fn identity(namespace: &str, name: &str) -> Identity {
    let kind = IdentityKind::Managed {
        resource_id: resource_id(name),
        client_id: ClientId::parse(&format!("client-{name}")).unwrap(),
    };
    Identity {
        id: ObjectRef::new(namespace, name),
        uid: Uid::new(format!("uid-{name}")),
        spec_hash: 1,
        kind: Ok(kind),
        namespaced: false,
    }
}

fn binding(namespace: &str, name: &str, identity: &str) -> Binding {
    Binding {
        id: ObjectRef::new(namespace, name),
        uid: Uid::new(format!("uid-{name}")),
        spec_hash: 1,
        identity: identity.into(),
        selector: "app".into(),
    }
}

fn pod() -> Pod {
    Pod {
        id: ObjectRef::new("shop", "web-0"),
        uid: Uid::new("uid-web-0"),
        node: Some(NodeName::new("node-1")),
        labels: [("aadpodidbinding".into(), "app".into())].into(),
        addresses: vec!["10.0.0.7".parse().unwrap()],
        phase: Phase::Running,
        host_network: false,
        terminating: false,
        started: Some(at(0)),
    }
}

fn held(identity: Identity, binding: Binding, state: AssignmentState) -> Held {
    let assignment = Assignment {
        id: ObjectRef::new("default", format!("web-0-shop-{}", identity.id.name)),
        uid: Uid::new("uid-aai"),
        pod: pod().id,
        node: NodeName::new("node-1"),
        identity,
        binding,
        state,
        created: Some(at(0)),
        terminating: false,
    };
    Held { assignment, since: at(0) }
}

fn assigned(name: &str) -> Held {
    held(identity("shop", name), binding("shop", name, name), AssignmentState::Assigned)
}

fn created(name: &str) -> Held {
    held(identity("shop", name), binding("shop", name, name), AssignmentState::Created)
}

fn terms(mode: Mode) -> Terms {
    Terms {
        mode,
        matching: if mode == Mode::Managed { Matching::Namespaced } else { Matching::ClusterWide },
        node: NodeName::new("node-1"),
        hold_unknown: Duration::from_secs(40),
        hold_under_way: Duration::from_secs(50),
    }
}

#[derive(Default)]
struct Known {
    held: Vec<Held>,
    bindings: Vec<Binding>,
    identities: Vec<Identity>,
    exceptions: Vec<Exception>,
}

impl Known {
    /// What these assignments were written for is still as they say.
    fn of(held: Vec<Held>) -> Self {
        let bindings = held.iter().map(|held| held.assignment.binding.clone()).collect();
        let identities = held.iter().map(|held| held.assignment.identity.clone()).collect();
        Self { held, bindings, identities, exceptions: Vec::new() }
    }
}

impl View for Known {
    fn excepts(&self, pod: &Pod) -> bool {
        self.exceptions.iter().any(|exception| exception.covers(pod))
    }

    fn assignments(&self, _: &ObjectRef) -> impl Iterator<Item = &Held> {
        self.held.iter()
    }

    fn selection(&self, pod: &Pod, matching: Matching) -> Selection<'_> {
        let find = |id: &ObjectRef| self.identities.iter().find(|identity| identity.id == *id);
        select(pod, &self.bindings, find, matching)
    }
}

/// The answer in few words, `seconds` after the pod's start.
fn ask(known: &Known, pod: &Pod, selector: &Selector, terms: &Terms, seconds: i64) -> String {
    in_words(&answer(known, Caller { pod, settled: at(0) }, selector, terms, at(seconds)))
}

fn in_words(answer: &Answer<'_>) -> String {
    match answer {
        Answer::Serve(choice) => format!("serve {} of {}", choice.identity.id, choice.others + 1),
        Answer::Find(choices, otherwise) => format!("find in {} or {}", choices.len(), without(otherwise)),
        Answer::PassThrough => "pass".to_owned(),
        Answer::Without(outcome) => without(outcome),
    }
}

fn without(outcome: &Without) -> String {
    match outcome {
        Without::Wait(wait) => {
            assert_eq!((wait.refusal.status, wait.refusal.retry_after), (503, Some(5)));
            let until = wait.until.map(|until| format!(" until {}", until.as_second() - START));
            format!("wait {}{}", wait.at_most.as_secs(), until.unwrap_or_default())
        }
        Without::Refuse(refusal) => {
            assert!(refusal.text.starts_with("Identity not found"), "{}", refusal.text);
            assert!(refusal.text.contains("shop/web-0"), "{}", refusal.text);
            format!("refuse {}", refusal.status)
        }
    }
}

fn standard(known: &Known, selector: &Selector, seconds: i64) -> String {
    ask(known, &pod(), selector, &terms(Mode::Standard), seconds)
}

fn managed(known: &Known, selector: &Selector, seconds: i64) -> String {
    ask(known, &pod(), selector, &terms(Mode::Managed), seconds)
}

fn client(name: &str) -> Selector {
    Selector::Client(ClientId::parse(&format!("CLIENT-{name}")).unwrap())
}

#[test]
fn an_excepted_pod_passes_through_whatever_it_has() {
    let exceptions = vec![Exception {
        id: ObjectRef::new("shop", "let"),
        pod_labels: [("aadpodidbinding".into(), "APP".into())].into(),
    }];
    let known = Known { exceptions, held: vec![assigned("a")], ..Known::default() };
    assert_eq!(standard(&known, &Selector::Any, 0), "pass");
    assert_eq!(managed(&known, &client("a"), 0), "pass");
}

#[test]
fn an_assigned_identity_is_served_however_it_is_named() {
    let known = Known::of(vec![assigned("a"), assigned("b")]);
    let cases = [
        (client("b"), "serve shop/b of 1"),
        (Selector::Resource(resource_id("B")), "serve shop/b of 1"),
        (Selector::Any, "serve shop/a of 2"),
    ];
    for (selector, wanted) in cases {
        assert_eq!(standard(&known, &selector, 1000), wanted, "{selector:?}");
    }
    let principal = Selector::Principal(PrincipalId::parse("oid").unwrap());
    assert_eq!(standard(&known, &principal, 1000), "find in 2 or refuse 400");
}

#[test]
fn with_several_identities_the_choice_does_not_depend_on_order() {
    let known = Known::of(vec![assigned("b"), assigned("c"), assigned("a")]);
    assert_eq!(standard(&known, &Selector::Any, 0), "serve shop/a of 3");
    let known = Known {
        bindings: vec![binding("shop", "2", "a"), binding("shop", "1", "b")],
        identities: vec![identity("shop", "a"), identity("shop", "b")],
        ..Known::default()
    };
    assert_eq!(managed(&known, &Selector::Any, 0), "serve shop/b of 2");
}

#[test]
fn an_identity_that_is_not_ready_does_not_hold_up_one_that_is() {
    let known = Known::of(vec![created("a"), assigned("b")]);
    assert_eq!(standard(&known, &Selector::Any, 0), "serve shop/b of 1");
    assert_eq!(standard(&known, &client("a"), 0), "wait 50");
}

#[test]
fn an_assignment_under_way_is_waited_for_at_any_age_of_the_pod() {
    let known = Known::of(vec![created("a")]);
    for selector in [Selector::Any, client("a"), Selector::Principal(PrincipalId::parse("o").unwrap())] {
        assert_eq!(standard(&known, &selector, 100_000), "wait 50", "{selector:?}");
    }
    let bound = Known {
        bindings: vec![binding("shop", "a", "a")],
        identities: vec![identity("shop", "a")],
        ..Known::default()
    };
    assert_eq!(standard(&bound, &Selector::Any, 100_000), "wait 40");
}

/// W-59.
#[test]
fn a_pod_without_the_label_or_with_an_empty_one_never_gets_a_token() {
    let mut known = Known::of(vec![assigned("a")]);
    known.bindings = vec![Binding { selector: "".into(), ..binding("shop", "a", "a") }];
    known.identities = vec![identity("shop", "a")];
    for labels in [vec![], vec![("aadpodidbinding".into(), "".into())]] {
        let pod = Pod { labels: labels.into_iter().collect(), ..pod() };
        for mode in [Mode::Standard, Mode::Managed] {
            assert_eq!(ask(&known, &pod, &Selector::Any, &terms(mode), 0), "refuse 400", "W-59");
        }
    }
}

#[test]
fn what_is_missing_may_come_until_a_minute_after_the_pods_start() {
    let nothing = Known::default();
    let no_identity = Known { bindings: vec![binding("shop", "a", "a")], ..Known::default() };
    for (known, name) in [(&nothing, "no binding"), (&no_identity, "no identity")] {
        assert_eq!(standard(known, &Selector::Any, 59), "wait 40 until 60", "{name}");
        assert_eq!(standard(known, &Selector::Any, 60), "refuse 400", "{name}");
    }
    for (known, name) in [(&nothing, "no binding"), (&no_identity, "no identity")] {
        assert_eq!(managed(known, &Selector::Any, 59), "wait 40 until 60", "{name}");
        assert_eq!(managed(known, &Selector::Any, 60), "refuse 400", "{name}");
    }
}

#[test]
fn another_identity_than_the_pods_own_is_refused_by_name() {
    let known = Known {
        held: vec![assigned("a")],
        bindings: vec![binding("shop", "a", "a")],
        identities: vec![identity("shop", "a")],
        ..Known::default()
    };
    let pod = pod();
    for mode in [Mode::Standard, Mode::Managed] {
        let caller = Caller { pod: &pod, settled: at(0) };
        let Answer::Without(Without::Refuse(refusal)) =
            answer(&known, caller, &client("other"), &terms(mode), at(100))
        else {
            panic!("{mode:?} gave a foreign identity");
        };
        assert!(refusal.text.contains("AzureIdentity shop/a"), "{}", refusal.text);
    }
}

#[test]
fn w53_only_assignments_that_mic_may_have_written_count() {
    let mut foreign = assigned("a");
    foreign.assignment.id.namespace = "evil".into();
    let mut own = assigned("a");
    own.assignment.id.namespace = "shop".into();
    assert_eq!(standard(&Known::of(vec![foreign]), &Selector::Any, 100), "wait 40");
    assert_eq!(standard(&Known::of(vec![own]), &Selector::Any, 100), "serve shop/a of 1");
}

#[test]
fn w53_an_assignment_gives_nothing_that_no_binding_gives_now() {
    type Change = fn(&mut Known);
    let changes: [(&str, Change); 6] = [
        ("no binding", |known| known.bindings.clear()),
        ("no identity", |known| known.identities.clear()),
        ("neither", |known| (known.bindings, known.identities) = (vec![], vec![])),
        ("other label", |known| known.bindings[0].selector = "old".into()),
        ("other identity", |known| known.bindings[0].identity = "b".into()),
        ("invalid", |known| known.identities[0].kind = Err(InvalidIdentity::Type(7))),
    ];
    for (name, change) in changes {
        let mut known = Known::of(vec![assigned("a")]);
        change(&mut known);
        assert_eq!(standard(&known, &Selector::Any, 100), "refuse 400", "{name}");
        assert_eq!(standard(&known, &client("a"), 100), "refuse 400", "{name}");
    }
}

#[test]
fn w53_the_copy_of_an_assignment_is_never_what_a_token_is_for() {
    let live = identity("shop", "a");
    let forged = Identity { kind: identity("shop", "kubelet").kind, ..live.clone() };
    let mut known = Known::of(vec![held(forged, binding("shop", "a", "a"), AssignmentState::Assigned)]);
    known.identities = vec![live.clone()];
    let pod = pod();
    let caller = Caller { pod: &pod, settled: at(0) };
    let Answer::Serve(choice) = answer(&known, caller, &Selector::Any, &terms(Mode::Standard), at(0)) else {
        panic!("the specs are said to be the same");
    };
    assert_eq!(*choice.identity, live);
    assert_eq!(standard(&known, &client("kubelet"), 100), "refuse 400");
}

#[test]
fn w53_an_assignment_of_another_version_of_its_identity_is_waited_for_and_named() {
    let mut known = Known::of(vec![assigned("a")]);
    known.identities[0].spec_hash += 1;
    assert_eq!(standard(&known, &Selector::Any, 100_000), "wait 50");
    let pod = pod();
    let caller = Caller { pod: &pod, settled: at(0) };
    let Answer::Without(Without::Wait(wait)) =
        answer(&known, caller, &Selector::Any, &terms(Mode::Standard), at(100))
    else {
        panic!("served by a record of something else");
    };
    for part in ["AzureAssignedIdentity default/web-0-shop-a", "AzureIdentity shop/a", "shop/web-0"] {
        assert!(wait.refusal.text.contains(part), "{}", wait.refusal.text);
    }
}

#[test]
fn an_identity_that_was_recreated_as_it_was_needs_no_new_assignment() {
    let mut known = Known::of(vec![assigned("a")]);
    known.identities[0].uid = Uid::new("another");
    known.bindings[0].uid = Uid::new("another");
    assert_eq!(standard(&known, &Selector::Any, 100), "serve shop/a of 1");
}

#[test]
fn an_identity_that_two_bindings_give_is_one() {
    let mut known = Known::of(vec![assigned("a")]);
    known.bindings.push(binding("shop", "second", "a"));
    assert_eq!(standard(&known, &Selector::Any, 100), "serve shop/a of 1");
    assert_eq!(managed(&known, &Selector::Any, 100), "serve shop/a of 1");
    // Also where MIC wrote down the binding that is gone.
    known.bindings.remove(0);
    assert_eq!(standard(&known, &Selector::Any, 100), "serve shop/a of 1");
}

#[test]
fn an_assignment_of_another_pod_node_or_life_does_not_count() {
    type Change = fn(&mut Assignment);
    let changes: [(&str, Change); 5] = [
        ("other pod", |aai| aai.pod = ObjectRef::new("shop", "web-1")),
        ("same name elsewhere", |aai| aai.pod = ObjectRef::new("other", "web-0")),
        ("other node", |aai| aai.node = NodeName::new("node-2")),
        ("going", |aai| aai.terminating = true),
        ("gone", |aai| aai.state = AssignmentState::Unassigned),
    ];
    for (name, change) in changes {
        let mut known = Known::of(vec![assigned("a")]);
        change(&mut known.held[0].assignment);
        assert_eq!(standard(&known, &Selector::Any, 100), "wait 40", "{name}");
    }
}

#[test]
fn w05_identities_that_are_all_filtered_away_are_a_refusal() {
    let mut elsewhere = held(identity("other", "a"), binding("other", "a", "a"), AssignmentState::Assigned);
    let wide = terms(Mode::Standard);
    let narrow = Terms { matching: Matching::Namespaced, ..terms(Mode::Standard) };
    let known = |held: &Held| Known::of(vec![held.clone()]);
    assert_eq!(ask(&known(&elsewhere), &pod(), &Selector::Any, &wide, 100), "serve other/a of 1");
    assert_eq!(ask(&known(&elsewhere), &pod(), &Selector::Any, &narrow, 100), "refuse 400");
    elsewhere.assignment.identity.namespaced = true;
    assert_eq!(ask(&known(&elsewhere), &pod(), &Selector::Any, &wide, 100), "refuse 400");
}

#[test]
fn a_refusal_does_not_tell_what_other_namespaces_hold() {
    let known = Known {
        bindings: vec![binding("secret-project", "hidden", "x")],
        identities: vec![identity("secret-project", "x")],
        ..Known::default()
    };
    let pod = pod();
    let caller = Caller { pod: &pod, settled: at(0) };
    let Answer::Without(Without::Refuse(refusal)) =
        answer(&known, caller, &Selector::Any, &terms(Mode::Managed), at(100))
    else {
        panic!("matched over namespaces");
    };
    assert!(!refusal.text.contains("hidden") && !refusal.text.contains("secret-project"), "{}", refusal.text);
}

#[test]
fn imds_may_need_five_minutes_to_hear_of_an_assignment() {
    let terms = terms(Mode::Standard);
    let identity = identity("shop", "a");
    let choice = |assigned| Choice { identity: &identity, assigned, others: 0 };
    let words = |assigned, seconds| without(&unknown_to_imds(choice(assigned), &pod(), &terms, at(seconds)));
    assert_eq!(words(Some(at(0)), 299), "wait 50 until 300");
    assert_eq!(words(Some(at(0)), 300), "refuse 400");
    assert_eq!(words(None, 0), "refuse 400");
}

#[test]
fn who_is_not_held_shall_come_again_later_than_who_was() {
    let held = |seconds| {
        let refusal = Refusal::not_yet("it");
        let wait = Wait { at_most: Duration::from_secs(seconds), until: None, refusal };
        wait.given_up().retry_after
    };
    assert_eq!([0, 14, 15, 50].map(held), [Some(20), Some(20), Some(5), Some(5)]);
    let throttled =
        Wait { at_most: Duration::ZERO, until: None, refusal: Refusal::throttled("it", Some(90)) };
    assert_eq!(throttled.given_up().retry_after, Some(90), "what upstream said is not shortened");
}
