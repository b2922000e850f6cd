//! A small cluster with a small Azure: steps are carried out, interrupted, and planned again.

mod world;

use proptest::prelude::*;

use super::*;
use crate::desired::fixtures::{binding, managed, principal, resource};
use crate::facts::{Assignment, AssignmentState, InvalidIdentity};
use crate::ids::NodeName;
use add::Azure;
use delete::Left;
use state::{Mode, Remote, State, state};
use world::World;

fn wanted(name: &str) -> Wanted {
    Wanted { id: ObjectRef::new("shop", name), resource: resource(name), selector: name.into() }
}

fn held<T>(fact: T, ours: bool) -> Held<T> {
    Held { fact, ours, terminating: false, version: "1".into() }
}

fn side(name: &str) -> AzureSide {
    AzureSide {
        resource: resource(name),
        client: ClientId::parse(&format!("client-{name}")).unwrap(),
        principal: PrincipalId::parse("p").unwrap(),
    }
}

fn azure(name: &str) -> Azure {
    Azure { identity: side(name), lack_role: Vec::new(), nodes: Vec::new() }
}

fn cluster() -> Cluster {
    Cluster { place: Place::Active, identities: Vec::new(), bindings: Vec::new() }
}

fn kinds(steps: &[Step]) -> Vec<String> {
    steps.iter().map(|step| step.to_string().split(' ').take(2).collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn the_binding_comes_last_and_goes_first() {
    let mut world = World::new(["a", "b"]);
    let steps = world.plan_add(&wanted("app")).unwrap();
    let order = [
        "grant Managed",
        "create namespace",
        "create AzureIdentity",
        "put app",
        "put app",
        "create AzureIdentityBinding",
    ];
    assert_eq!(kinds(&steps), order);
    world.apply_all(&steps);
    assert_eq!(world.plan_add(&wanted("app")), Ok(vec![]), "a second run has nothing to do");
    let plan = world.plan_delete(&wanted("app").id).unwrap();
    let order = ["delete AzureIdentityBinding", "take app", "take app", "delete AzureIdentity"];
    assert_eq!(kinds(&plan.steps), order);
}

proptest! {
    #[test]
    fn an_add_that_was_interrupted_anywhere_is_finished_by_the_next(
        stops in prop::collection::vec(0usize..8, 0..6), found in any::<bool>(), selector in any::<bool>(),
    ) {
        let mut wanted = wanted("app");
        if selector {
            wanted.selector = "several".into();
        }
        let mut whole = World::new(["a", "b"]);
        let mut broken = World::new(["a", "b"]);
        if found {
            whole.attach("a", "app");
            broken.attach("a", "app");
        }
        let untouched = broken.clone();
        for step in whole.plan_add(&wanted).unwrap() {
            whole.apply(&step);
        }
        for stop in stops {
            let steps = broken.plan_add(&wanted).unwrap();
            broken.apply_all(&steps[..stop.min(steps.len())]);
        }
        let rest = broken.plan_add(&wanted).unwrap();
        broken.apply_all(&rest);
        prop_assert_eq!(&broken.outline(), &whole.outline());
        // What was there before is there after a delete, and nothing else but the role and the namespace.
        for _ in 0..8 {
            let Ok(plan) = broken.plan_delete(&wanted.id) else { break };
            if let Some(step) = plan.steps.first() {
                broken.apply(step);
            }
        }
        prop_assert_eq!(broken.nodes, untouched.nodes);
        prop_assert!(broken.cluster.identities.is_empty() && broken.cluster.bindings.is_empty());
    }
}

#[test]
fn what_is_wrong_is_said_before_anything_is_written() {
    let wanted = wanted("app");
    let with = |change: &dyn Fn(&mut Cluster)| {
        let mut cluster = cluster();
        change(&mut cluster);
        add::check(&wanted, &cluster, 2).map_err(|why| why.to_string())
    };
    let identity = |name: &str, resource: &str| {
        let mut fact = managed("shop", resource);
        fact.id = ObjectRef::new("shop", name);
        fact
    };
    assert_eq!(with(&|_| {}), Ok(()));
    let full = with(&|cluster| {
        cluster.identities = vec![held(identity("b", "b"), true), held(identity("c", "c"), false)];
    });
    assert!(full.unwrap_err().contains("2 pod identities, and 2 is the limit"));
    let again = with(&|cluster| {
        cluster.identities = vec![held(identity("app", "app"), true), held(identity("c", "c"), false)];
    });
    assert_eq!(again, Ok(()), "one that is there already is not one more");
    let taken = with(&|cluster| cluster.identities = vec![held(identity("app", "other"), true)]);
    assert!(taken.unwrap_err().contains("userAssignedIdentities/other; choose another --name"));
    let service = with(&|cluster| cluster.identities = vec![held(principal("shop", "app"), true)]);
    assert!(service.unwrap_err().contains("service principal client-app"));
    let going = with(&|cluster| {
        cluster.identities = vec![Held { terminating: true, ..held(identity("app", "app"), true) }];
    });
    assert!(going.unwrap_err().contains("is being deleted"));
    let place = with(&|cluster| cluster.place = Place::Terminating);
    assert!(place.unwrap_err().contains("namespace shop is being deleted"));
    let elsewhere = with(&|cluster| cluster.bindings = vec![held(binding("shop", "app", "x", "y"), false)]);
    let elsewhere = elsewhere.unwrap_err();
    assert!(
        elsewhere.contains("azureIdentity x, selector y") && elsewhere.contains("kubectl edit"),
        "{elsewhere}"
    );
}

#[test]
fn what_somebody_else_made_is_used_as_it_is_and_never_changed() {
    let mut cluster = cluster();
    cluster.identities = vec![held(managed("shop", "app"), false)];
    cluster.bindings = vec![held(binding("shop", "by-hand", "app", "app"), false)];
    assert_eq!(add::steps(&wanted("app"), &cluster, &azure("app"), 9), Ok(vec![]));
    let mut anew = azure("app");
    anew.identity.client = ClientId::parse("another").unwrap();
    let refused = add::steps(&wanted("app"), &cluster, &anew, 9).unwrap_err();
    assert!(matches!(refused, Refusal::Foreign { kind: "AzureIdentity", .. }), "{refused}");
    let refused = delete::plan(&wanted("app").id, &cluster, &[]).unwrap_err();
    assert!(matches!(refused, Refusal::NotOurs { .. }), "{refused}");
}

#[test]
fn our_own_identity_follows_one_that_was_made_anew_in_azure() {
    let mut world = World::new(["a"]);
    for step in world.plan_add(&wanted("app")).unwrap() {
        world.apply(&step);
    }
    world.make_anew();
    let steps = world.plan_add(&wanted("app")).unwrap();
    assert_eq!(kinds(&steps), ["update AzureIdentity", "put app"]);
    assert!(steps[1].to_string().ends_with("anew, as it was made anew in Azure"), "{}", steps[1]);
    world.apply_all(&steps);
    assert_eq!(world.plan_add(&wanted("app")), Ok(vec![]));
}

#[test]
fn a_selector_that_changed_changes_our_binding() {
    let mut cluster = cluster();
    cluster.identities = vec![held(managed("shop", "app"), true)];
    cluster.bindings = vec![held(binding("shop", "app", "app", "old"), true)];
    let steps = add::steps(&wanted("app"), &cluster, &azure("app"), 9).unwrap();
    assert_eq!(kinds(&steps), ["update AzureIdentityBinding"]);
}

#[test]
fn a_delete_leaves_what_others_need_or_made_and_says_so() {
    let mut cluster = cluster();
    let mut same = managed("shop", "app");
    same.id = ObjectRef::new("api", "same");
    cluster.identities = vec![held(managed("shop", "app"), true), held(same, false)];
    cluster.bindings = vec![
        held(binding("shop", "app", "app", "app"), true),
        held(binding("shop", "mine", "app", "x"), false),
    ];
    let target = ComputeId::scale_set("s", "g", "pool");
    let plan = delete::plan(&wanted("app").id, &cluster, &[(target.clone(), OnNodes::Ours)]).unwrap();
    assert_eq!(kinds(&plan.steps), ["delete AzureIdentityBinding", "delete AzureIdentity"]);
    let by = ObjectRef::new("api", "same");
    assert!(plan.left.contains(&Left::Needed { target: target.clone(), resource: resource("app"), by }));
    assert!(plan.left.contains(&Left::Binding(ObjectRef::new("shop", "mine"))));
    assert!(plan.left.contains(&Left::Role(resource("app"))));
    cluster.identities.pop();
    let plan = delete::plan(&wanted("app").id, &cluster, &[(target, OnNodes::Found)]).unwrap();
    let found = plan.left.iter().find(|left| matches!(left, Left::Found { .. })).unwrap().to_string();
    assert!(found.contains("az vmss identity remove --ids /subscriptions/s/"), "{found}");
    assert_eq!(delete::plan(&wanted("nobody").id, &cluster, &[]), Err(Refusal::Unknown(wanted("nobody").id)));
}

#[test]
fn a_state_says_what_is_true_now_and_what_to_do() {
    let target = ComputeId::scale_set("s", "g", "pool");
    let one = binding("shop", "app", "app", "app");
    let there = |on| Remote::There(side("app"), vec![(target.clone(), on)]);
    let unasked = || Remote::NotKnown("no login".to_owned());
    let ours = held(managed("shop", "app"), true);
    let mut invalid = ours.clone();
    invalid.fact.kind = Err(InvalidIdentity::Type(7));
    let going = Held { terminating: true, ..ours.clone() };
    let other = Remote::There(side("other"), Vec::new());
    let service = held(principal("shop", "app"), true);
    let cases = [
        (&ours, true, Mode::Managed, there(OnNodes::Ours), State::Assigned, ""),
        (&ours, true, Mode::Managed, there(OnNodes::Found), State::Assigned, ""),
        (&ours, true, Mode::Managed, there(OnNodes::Absent), State::Failed, "NotOnNodes"),
        (&ours, true, Mode::Managed, there(OnNodes::Stale), State::Failed, "NotOnNodes"),
        (&ours, true, Mode::Managed, unasked(), State::Unknown, "AzureNotAsked"),
        (&ours, true, Mode::Managed, Remote::Missing, State::Failed, "IdentityNotFound"),
        (&ours, true, Mode::Managed, other, State::Failed, "ClientIdDiffers"),
        (&ours, true, Mode::Standard, unasked(), State::Assigned, ""),
        (&ours, true, Mode::Standard, Remote::Missing, State::Failed, "IdentityNotFound"),
        (&ours, false, Mode::Standard, unasked(), State::Failed, "NoBinding"),
        (&invalid, true, Mode::Standard, unasked(), State::Failed, "InvalidIdentity"),
        (&going, true, Mode::Standard, unasked(), State::Deleting, "Deleting"),
        (&service, true, Mode::Managed, unasked(), State::Assigned, ""),
    ];
    for (held, bound, mode, remote, expected, code) in cases {
        let bindings: Vec<_> = bound.then_some(&one).into_iter().collect();
        let found = state(held, &bindings, &[], mode, &remote);
        let told = found.why.as_ref().map_or("", |why| why.code);
        assert_eq!((found.state, told), (expected, code), "{mode:?} {remote:?}");
    }
}

#[test]
fn an_assignment_that_mic_is_at_is_told() {
    let ours = held(managed("shop", "app"), true);
    let one = binding("shop", "app", "app", "app");
    let assignment = |pod: &str, state| Assignment {
        id: ObjectRef::new("default", format!("{pod}-shop-app")),
        uid: Uid::new(pod),
        pod: ObjectRef::new("shop", pod),
        node: NodeName::new("n"),
        identity: managed("shop", "app"),
        binding: one.clone(),
        state,
        created: None,
        terminating: false,
    };
    let (done, waits) =
        (assignment("a", AssignmentState::Assigned), assignment("b", AssignmentState::Created));
    let remote = Remote::NotKnown(String::new());
    let standing = state(&ours, &[&one], &[&done, &waits], Mode::Standard, &remote);
    assert_eq!(standing.state, State::Updating);
    assert!(standing.why.unwrap().message.contains("pod shop/b; its events"));
    assert_eq!(state(&ours, &[&one], &[&done], Mode::Standard, &remote).state, State::Assigned);
}

mod exceptions {
    use super::exception::{Request, delete, write};
    use super::*;
    use crate::facts::Exception;

    fn labels(text: &str) -> labels::Labels {
        labels::parse([text]).unwrap()
    }

    fn there(name: &str, text: &str, ours: bool) -> Held<Exception> {
        held(Exception { id: ObjectRef::new("shop", name), pod_labels: labels(text) }, ours)
    }

    #[test]
    fn one_that_says_what_it_should_is_left_alone() {
        let id = ObjectRef::new("shop", "e");
        let all = [there("e", "app=web", false)];
        let ask = |request, text: &str, place, limit| write(request, &id, &labels(text), place, &all, limit);
        assert_eq!(ask(Request::Add, "app=web", Place::Active, 1), Ok(vec![]));
        assert_eq!(ask(Request::Update, "app=web", Place::Active, 1), Ok(vec![]));
        let other = ask(Request::Add, "app=api", Place::Active, 1).unwrap_err().to_string();
        assert!(
            other.contains("podid exception update --namespace shop --name e --pod-labels app=api"),
            "{other}"
        );
        let update = ask(Request::Update, "app=api", Place::Active, 1).unwrap();
        assert_eq!(update[0].to_string(), "update AzurePodIdentityException shop/e");
    }

    #[test]
    fn one_that_is_not_there_is_made_within_the_limit_and_not_updated() {
        let id = ObjectRef::new("shop", "new");
        let all = [there("e", "app=web", true)];
        let ask = |request, place, limit| write(request, &id, &labels("app=x"), place, &all, limit);
        let steps = ask(Request::Add, Place::Absent, 2).unwrap();
        assert_eq!(steps[0].to_string(), "create namespace shop");
        assert!(matches!(ask(Request::Add, Place::Active, 1), Err(Refusal::Limit { there: 1, .. })));
        assert_eq!(ask(Request::Update, Place::Active, 9), Err(Refusal::UnknownException(id.clone())));
    }

    #[test]
    fn only_our_own_is_deleted() {
        let all = [there("ours", "app=web", true), there("theirs", "app=web", false)];
        let of = |name: &str| delete(&ObjectRef::new("shop", name), &all);
        assert_eq!(of("ours").unwrap()[0].to_string(), "delete AzurePodIdentityException shop/ours");
        assert!(matches!(of("theirs"), Err(Refusal::NotOurs { .. })));
        assert!(matches!(of("nobody"), Err(Refusal::UnknownException(_))));
    }
}
