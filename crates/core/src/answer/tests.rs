//! Facts about one pod, and the answer in few words.

mod choice;
mod patience;
mod protected;
mod records;
mod refusals;

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
        protected: Protected::default(),
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
