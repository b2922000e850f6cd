use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::*;
use crate::adopt::{self, Workload, WorkloadKind};
use crate::code::Obstacle;
use crate::desired::fixtures;
use crate::facts::{self, Assignment, AssignmentState, Phase};
use crate::ids::{ClientId, Uid};
use crate::refusal::Cause;
use crate::request::Selector;

const NOW: &str = "2026-12-01T08:00:00Z";
const SCALE_SET: &str = "azure:///subscriptions/s/resourceGroups/MC_rg/providers/Microsoft.Compute/\
                         virtualMachineScaleSets/pool/virtualMachines/0";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn workload(kind: WorkloadKind, name: &str, arguments: &[&str]) -> Workload {
    Workload {
        kind,
        id: ObjectRef::new("podid", name),
        labels: BTreeMap::new(),
        selector: BTreeMap::new(),
        pod_labels: BTreeMap::new(),
        image: "r.example/podid:1".into(),
        arguments: arguments.iter().map(|text| (*text).into()).collect(),
        command: 0,
        environment: BTreeMap::new(),
        service_account: name.into(),
        wanted: 1,
        installed_by_hand: false,
    }
}

fn runner(name: &str, arguments: &[&str]) -> Runner {
    Runner {
        workload: workload(WorkloadKind::Pod, name, arguments),
        node: Some(NodeName::new("node-1")),
        owner: None,
        run: Run::Ready,
        words: None,
    }
}

fn identity(fact: facts::Identity) -> adopt::Identity {
    adopt::Identity { fact, type_: 0, secret: None, authority: None, auxiliary_tenants: 0 }
}

fn record(pod: &facts::Pod, identity: &facts::Identity, state: AssignmentState) -> Assignment {
    Assignment {
        id: ObjectRef::new("default", "record"),
        uid: Uid::new("r"),
        pod: pod.id.clone(),
        node: NodeName::new("node-1"),
        identity: identity.clone(),
        binding: fixtures::binding("shop", "app", "app", "web"),
        state,
        created: Some(now()),
        terminating: false,
    }
}

/// A cluster in which pod `shop/web` gets its token.
fn well() -> Scene {
    let pod = fixtures::pod("shop", "web", "web", Some("node-1"));
    let app = fixtures::managed("shop", "app");
    let node = Node {
        fact: facts::Node { name: NodeName::new("node-1"), provider_id: SCALE_SET.into() },
        labels: [("kubernetes.io/os".into(), "linux".into())].into(),
        taints: [].into(),
        cordoned: false,
        ready: true,
    };
    let entry = Entry { holder: "mic-0".into(), renewed: Some(now()), duration: Duration::from_secs(15) };
    let target = crate::target::target(&node.fact).unwrap();
    let resource = fixtures::resource("app");
    Scene {
        definitions: Seen::Known(Vec::new()),
        nodes: Seen::Known([(node.fact.name.clone(), node)].into()),
        bindings: Seen::Known(vec![fixtures::binding("shop", "app", "app", "web")]),
        exceptions: Seen::Known(Vec::new()),
        records: Seen::Known(vec![record(&pod, &app, AssignmentState::Assigned)]),
        installed: Seen::Known(Vec::new()),
        runners: Seen::Known(vec![runner("mic-0", &["mic"]), runner("nmi-0", &["nmi"])]),
        lock: Seen::Known(Lock { id: ObjectRef::new("default", "mic"), lease: Some(entry), legacy: None }),
        notices: Seen::Known(Vec::new()),
        machines: [(target, Seen::Known(Some(Machine { identities: [resource.clone()].into() })))].into(),
        managed: [(
            resource,
            Seen::Known(Some(AzureIdentity { client_id: ClientId::parse("client-app").ok() })),
        )]
        .into(),
        pods: vec![Pod { fact: pod, owner: None, unschedulable: None }],
        identities: Seen::Known(vec![identity(app)]),
        ..Scene::blank(now())
    }
}

fn asked(scene: &Scene, selector: Selector) -> Chain {
    walk(&Index::new(scene), &Question { pod: ObjectRef::new("shop", "web"), selector }).unwrap()
}

fn ask(scene: &Scene) -> Chain {
    asked(scene, Selector::Any)
}

/// The code and the step at which the chain breaks when `change` is done to a cluster that is well.
fn broken(change: impl FnOnce(&mut Scene)) -> (&'static str, Step) {
    let mut scene = well();
    change(&mut scene);
    let chain = ask(&scene);
    let step = chain.links.iter().find(|link| matches!(link.outcome, Outcome::Broken(_)));
    (chain.cross().map_or("", |cross| cross.code.word()), step.map_or(Step::Token, |link| link.step))
}

fn known<T>(seen: &mut Seen<T>) -> &mut T {
    match seen {
        Seen::Known(known) => known,
        Seen::Unseen(_) => panic!("it is known in these tests"),
    }
}

#[test]
fn a_pod_that_lacks_nothing_gets_its_token() {
    let chain = ask(&well());
    assert_eq!(chain.verdict(), Verdict::Token, "{chain:#?}");
    assert!(chain.links.iter().all(|link| matches!(link.outcome, Outcome::Holds(_))), "{chain:#?}");
    assert_eq!(chain.identity, Some(ObjectRef::new("shop", "app")));
}

#[test]
fn each_broken_link_is_told_at_its_place() {
    type Change = fn(&mut Scene);
    let cases: [(&str, Step, Change); 24] = [
        ("no-label", Step::Label, |scene| scene.pods[0].fact.labels.clear()),
        ("no-binding", Step::Binding, |scene| known(&mut scene.bindings).clear()),
        ("identity-missing", Step::Identity, |scene| known(&mut scene.identities).clear()),
        ("identity-invalid", Step::Identity, |scene| {
            known(&mut scene.identities)[0].fact.kind = Err(facts::InvalidIdentity::Type(7));
        }),
        ("identity-protected", Step::Identity, |scene| {
            known(&mut scene.runners)[1] = runner("nmi-0", &["nmi", "--protected-identity=x,client-app"]);
        }),
        ("other-namespace", Step::Namespace, |scene| {
            scene.pods[0].fact.id = ObjectRef::new("shop", "web");
            known(&mut scene.bindings)[0].id = ObjectRef::new("other", "app");
            known(&mut scene.runners)[1] = runner("nmi-0", &["nmi", "--force-namespaced"]);
        }),
        ("excepted", Step::Exception, |scene| {
            known(&mut scene.exceptions).push(facts::Exception {
                id: ObjectRef::new("shop", "all"),
                pod_labels: [(facts::POD_LABEL.into(), "WEB".into())].into(),
            });
        }),
        ("pod-finished", Step::Pod, |scene| scene.pods[0].fact.phase = Phase::Finished),
        ("host-network", Step::Pod, |scene| scene.pods[0].fact.host_network = true),
        ("pod-unscheduled", Step::Node, |scene| scene.pods[0].fact.node = None),
        ("node-missing", Step::Node, |scene| known(&mut scene.nodes).clear()),
        ("no-provider-id", Step::Machine, |scene| {
            for node in known(&mut scene.nodes).values_mut() {
                node.fact.provider_id = "".into();
            }
        }),
        ("assigning", Step::Assignment, |scene| {
            known(&mut scene.records)[0].state = AssignmentState::Created;
        }),
        ("assignment-outdated", Step::Assignment, |scene| {
            known(&mut scene.records)[0].identity.spec_hash = 9;
        }),
        ("not-assigned", Step::Assignment, |scene| known(&mut scene.records).clear()),
        ("mic-absent", Step::Assignment, |scene| {
            known(&mut scene.records).clear();
            drop(known(&mut scene.runners).remove(0));
        }),
        ("mic-not-ready", Step::Assignment, |scene| {
            known(&mut scene.records).clear();
            known(&mut scene.runners)[0].run = Run::NotReady;
        }),
        ("mic-no-leader", Step::Assignment, |scene| {
            known(&mut scene.records).clear();
            scene.now = now().checked_add(Duration::from_secs(21)).unwrap();
        }),
        ("no-operator-role", Step::Assignment, |scene| {
            known(&mut scene.records).clear();
            let binding = ObjectRef::new("shop", "app");
            let message = Code::Obstacle(Obstacle::NoOperatorRole).mark("ARM refuses it.").into();
            known(&mut scene.notices).push(Notice { binding, message, warning: true, at: Some(now()) });
        }),
        ("identity-deleted", Step::Azure, |scene| {
            scene.managed.values_mut().for_each(|seen| *seen = Seen::Known(None));
        }),
        ("machine-missing", Step::Azure, |scene| {
            scene.machines.values_mut().for_each(|seen| *seen = Seen::Known(None));
        }),
        ("unknown-to-imds", Step::Azure, |scene| {
            scene.machines.values_mut().for_each(|seen| *seen = Seen::Known(Some(Machine::default())));
        }),
        ("nmi-absent", Step::Agent, |scene| drop(known(&mut scene.runners).remove(1))),
        ("redirect-broken", Step::Redirect, |scene| {
            let agent = &mut known(&mut scene.runners)[1];
            agent.run = Run::NotReady;
            agent.words = Some(Seen::Known(Words { redirect: true, ..Words::default() }));
        }),
    ];
    for (code, step, change) in cases {
        assert_eq!(broken(change), (code, step));
    }
}

#[test]
fn whatever_lies_behind_the_first_cross_is_left_open() {
    let mut scene = well();
    known(&mut scene.bindings).clear();
    known(&mut scene.runners).clear();
    let chain = ask(&scene);
    let at = chain.links.iter().position(|link| matches!(link.outcome, Outcome::Broken(_))).unwrap();
    assert!(chain.links[at + 1..].iter().all(|link| link.outcome == Outcome::Open), "{chain:#?}");
    assert_eq!(chain.cross().map(|cross| cross.code), Some(Cause::NoBinding.into()));
}

#[test]
fn what_cannot_be_seen_stops_nothing_and_proves_nothing() {
    let mut scene = well();
    scene.nodes = Seen::Unseen("you may not list nodes".into());
    assert_eq!(ask(&scene).verdict(), Verdict::Unknown);
    known(&mut scene.runners)[1].run = Run::NotReady;
    assert_eq!(ask(&scene).verdict(), Verdict::Broken(Obstacle::NmiNotReady.into()));
    let mut scene = well();
    scene.managed.clear();
    assert_eq!(ask(&scene).verdict(), Verdict::Token, "MIC's record is enough where Azure cannot be asked");
    let mut scene = well();
    scene.bindings = Seen::Unseen("you may not list azureidentitybindings".into());
    assert_eq!(ask(&scene).verdict(), Verdict::Unknown);
}

#[test]
fn a_pod_without_a_label_that_imds_is_meant_to_answer_lacks_nothing() {
    for free in [true, false] {
        let mut scene = well();
        scene.pods[0].fact.labels = [("app".into(), "web".into())].into();
        scene.pods[0].fact.host_network = free;
        if !free {
            known(&mut scene.exceptions).push(facts::Exception {
                id: ObjectRef::new("shop", "e"),
                pod_labels: [("app".into(), "web".into())].into(),
            });
        }
        assert_eq!(ask(&scene).verdict(), Verdict::PassThrough);
    }
}

#[test]
fn an_identity_is_asked_for_by_the_id_that_the_program_names() {
    let scene = well();
    let of = |selector| asked(&scene, selector).verdict();
    let client = |id| Selector::Client(ClientId::parse(id).unwrap());
    assert_eq!(of(client("CLIENT-APP")), Verdict::Token);
    assert_eq!(of(client("other")), Verdict::Broken(Cause::NotGranted.into()));
    assert_eq!(
        of(Selector::Resource(fixtures::resource("other"))),
        Verdict::Broken(Cause::NotGranted.into())
    );
}

#[test]
fn managed_mode_asks_nobody_for_an_assignment() {
    let mut scene = well();
    known(&mut scene.records).clear();
    *known(&mut scene.runners) = vec![runner("nmi-0", &["nmi", "--operation-mode=managed"])];
    assert_eq!(ask(&scene).verdict(), Verdict::Token);
}

#[test]
fn what_an_author_wrote_into_an_object_cannot_leave_its_word_in_a_command() {
    let mut scene = well();
    known(&mut scene.bindings)[0].selector = "Web'; reboot; '".into();
    scene.pods[0].fact.labels = [(facts::POD_LABEL.into(), "web'; reboot; '".into())].into();
    let chain = ask(&scene);
    let commands = chain.cross().unwrap().mend.join("\n");
    assert!(!commands.is_empty() && commands.contains(r"'\''; reboot; '\'''"), "{commands}");
}

#[test]
fn no_command_takes_away_an_original_that_is_at_work() {
    let mut scene = well();
    let mut old = runner("old-nmi", &[]);
    old.workload.image = "mcr.microsoft.com/oss/azure/aad-pod-identity/nmi:v1.8.17".into();
    old.owner = Some(Owner { kind: "daemonset".into(), name: "old-nmi".into() });
    let mut daemon_set = old.workload.clone();
    daemon_set.kind = WorkloadKind::DaemonSet;
    *known(&mut scene.runners) = vec![runner("mic-0", &["mic"]), old];
    *known(&mut scene.installed) =
        vec![Installed { workload: daemon_set, node_selector: BTreeMap::new(), tolerates_all: true }];
    let chain = ask(&scene);
    assert_eq!(chain.cross().map(|cross| cross.code), Some(Obstacle::OriginalAgent.into()));
    let health = cluster::look(&Index::new(&scene), &[]);
    let crosses = health.iter().filter_map(|health| match &health.state {
        cluster::State::Broken(cross) | cluster::State::Weak(cross) => Some(&**cross),
        _ => None,
    });
    let commands: Vec<_> = chain.cross().into_iter().chain(crosses).flat_map(|cross| &cross.mend).collect();
    assert!(commands.iter().any(|command| *command == "podid adopt check"), "{commands:?}");
    assert!(!commands.iter().any(|command| command.contains("delete")), "{commands:?}");
}
