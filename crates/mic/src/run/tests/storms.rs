//! Whatever users, Azure, the API server and death do, in whatever order: what holds when it is quiet again?

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use http::Method;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use podid_core::code::Obstacle;

use crate::compute::Fault;
use crate::problem::Problem;
use crate::testing::{Effect, Stage, identity_id, pool};

const POOLS: usize = 2;
const NODES: usize = 4;
const PODS: usize = 6;
const IDENTITIES: usize = 4;
const LABELS: usize = 3;
/// Put there by somebody else before podid came; number 0 is bound to pods, too.
const FOREIGN: [&str; 2] = ["id0", "other"];

/// One thing that happens.
#[derive(Clone, Debug)]
enum Act {
    Pod(usize, usize, usize),
    Finish(usize),
    NoPod(usize),
    Node(usize),
    NoNode(usize),
    Bind(usize, usize),
    Unbind(usize),
    /// The `AzureIdentity` stands for another managed identity from now on.
    Edit(usize, usize),
    /// Somebody else puts an identity on a scale set.
    Put(usize),
    /// Somebody else takes off all that podid put on a scale set.
    Clear(usize),
    Refuse(usize),
    Forgive,
    FailPatch(Effect, Option<u64>),
    /// Every write to the API server ends with this status, until it is well again.
    FailWrites(u16),
    Recover,
    Slow(u64),
    Kill,
    Restart,
    Wait(u64),
}

/// What users and others want, as far as it matters.
#[derive(Default)]
struct Wanted {
    /// Label and node.
    pods: BTreeMap<usize, (usize, usize)>,
    nodes: BTreeSet<usize>,
    /// Selector and managed identity.
    bound: BTreeMap<usize, (usize, usize)>,
    foreign: BTreeSet<(usize, String)>,
}

fn act() -> impl Strategy<Value = Act> {
    let effect = prop_oneof![Just(Effect::Nothing), Just(Effect::Part), Just(Effect::Whole)];
    prop_oneof![
        6 => (0..PODS, 0..LABELS, 0..NODES).prop_map(|(pod, label, node)| Act::Pod(pod, label, node)),
        1 => (0..PODS).prop_map(Act::Finish),
        3 => (0..PODS).prop_map(Act::NoPod),
        2 => (0..NODES).prop_map(Act::Node),
        1 => (0..NODES).prop_map(Act::NoNode),
        4 => (0..IDENTITIES, 0..LABELS).prop_map(|(identity, label)| Act::Bind(identity, label)),
        2 => (0..IDENTITIES).prop_map(Act::Unbind),
        1 => (0..IDENTITIES, 0..IDENTITIES).prop_map(|(identity, resource)| Act::Edit(identity, resource)),
        1 => (0..POOLS).prop_map(Act::Put),
        1 => (0..POOLS).prop_map(Act::Clear),
        1 => (0..IDENTITIES).prop_map(Act::Refuse),
        1 => Just(Act::Forgive),
        2 => (effect, proptest::option::of(1..120_u64)).prop_map(|(effect, after)| Act::FailPatch(effect, after)),
        1 => prop_oneof![Just(409), Just(500), Just(503)].prop_map(Act::FailWrites),
        2 => Just(Act::Recover),
        1 => prop_oneof![Just(0), Just(3_000)].prop_map(Act::Slow),
        3 => Just(Act::Kill),
        1 => Just(Act::Restart),
        1 => (1_000..20_000_u64).prop_map(Act::Wait),
    ]
}

/// What happens, and how many milliseconds pass until the next.
fn storm() -> impl Strategy<Value = Vec<(Act, u64)>> {
    vec((act(), prop_oneof![Just(0), 0..1_500_u64]), 1..40)
}

fn name(identity: usize) -> String {
    format!("id{identity}")
}

fn pool_of(node: usize) -> String {
    format!("pool{}", node % POOLS)
}

// === impl Wanted ===

impl Wanted {
    /// Does `act` on the stage, and notes what it means.
    async fn play(&mut self, stage: &mut Stage, act: &Act) {
        match *act {
            Act::Pod(pod, label, node) => {
                // A pod keeps its node as long as it lives, and one that has ended is another one's predecessor.
                if !self.pods.contains_key(&pod) {
                    stage.no_pod("web", &format!("p{pod}"));
                }
                let node = self.pods.get(&pod).map_or(node, |(_, node)| *node);
                self.pods.insert(pod, (label, node));
                stage.pod("web", &format!("p{pod}"), &format!("l{label}"), &format!("n{node}"));
            }
            Act::Finish(pod) => {
                if let Some((label, node)) = self.pods.remove(&pod) {
                    let (pod, label, node) = (format!("p{pod}"), format!("l{label}"), format!("n{node}"));
                    stage.pod_in_phase("web", &pod, &label, &node, "Succeeded");
                }
            }
            Act::NoPod(pod) => {
                self.pods.remove(&pod);
                stage.no_pod("web", &format!("p{pod}"));
            }
            Act::Node(node) => {
                self.nodes.insert(node);
                stage.node(&format!("n{node}"), &pool_of(node), u32::try_from(node).unwrap());
            }
            Act::NoNode(node) => {
                // The node's pods go with it, as the API server's garbage collector has it.
                self.nodes.remove(&node);
                stage.api.delete("nodes", "", &format!("n{node}"));
                let gone: Vec<_> =
                    self.pods.iter().filter(|(_, pod)| pod.1 == node).map(|(n, _)| *n).collect();
                for pod in gone {
                    self.pods.remove(&pod);
                    stage.no_pod("web", &format!("p{pod}"));
                }
            }
            Act::Bind(identity, label) => {
                let resource = self.bound.get(&identity).map_or(identity, |(_, resource)| *resource);
                self.bound.insert(identity, (label, resource));
                stage.managed(&name(identity), &name(resource));
                stage.binding(&name(identity), &format!("l{label}"));
            }
            Act::Unbind(identity) => {
                self.bound.remove(&identity);
                stage.api.delete("azureidentitybindings", "ids", &name(identity));
            }
            Act::Edit(identity, resource) => {
                if let Some((label, _)) = self.bound.get(&identity).copied() {
                    self.bound.insert(identity, (label, resource));
                    stage.managed(&name(identity), &name(resource));
                }
            }
            Act::Put(number) => {
                stage.arm.put(&pool(&format!("pool{number}")), identity_id("somebodys"));
                self.foreign.insert((number, "somebodys".to_owned()));
            }
            Act::Clear(number) => {
                let target = pool(&format!("pool{number}"));
                stage.arm.clear(&target);
                for (_, name) in self.foreign.iter().filter(|(pool, _)| *pool == number) {
                    stage.arm.put(&target, identity_id(name));
                }
            }
            Act::Refuse(identity) => stage.arm.refuse(identity_id(&name(identity))),
            Act::Forgive => stage.arm.forgive(),
            Act::FailPatch(effect, after) => {
                let fault = Fault::Later {
                    after: after.map(Duration::from_secs),
                    problem: Problem::new(Obstacle::ArmTrouble, "told to"),
                };
                stage.arm.fail_next_after(effect, fault);
            }
            Act::FailWrites(code) => stage.api.fail(move |method, path| {
                let locks = ["leases", "endpoints"].iter().any(|lock| path.contains(lock));
                (*method != Method::GET && !locks).then_some(code)
            }),
            Act::Recover => {
                stage.api.recover();
                stage.arm.recover();
            }
            Act::Slow(millis) => stage.arm.latency(Duration::from_millis(millis)),
            Act::Kill => {
                stage.kill().await;
                stage.start().await;
            }
            Act::Restart => {
                stage.stop().await.unwrap();
                stage.start().await;
            }
            Act::Wait(millis) => tokio::time::sleep(Duration::from_millis(millis)).await,
        }
    }

    /// Pods on nodes that are known, with each identity that their label gives them.
    fn pairs(&self) -> impl Iterator<Item = (usize, usize, usize)> {
        let pods = self.pods.iter().filter(|(_, (_, node))| self.nodes.contains(node));
        pods.flat_map(|(_, (label, node))| {
            let mine = self.bound.iter().filter(move |(_, (selector, _))| selector == label);
            mine.map(move |(identity, (_, resource))| (*identity, *resource, *node))
        })
    }

    /// What each scale set should have: what its pods need, and what is somebody else's.
    fn on_pools(&self) -> Vec<BTreeSet<String>> {
        let mut pools: Vec<BTreeSet<String>> = vec![BTreeSet::new(); POOLS];
        for (_, resource, node) in self.pairs() {
            pools[node % POOLS].insert(name(resource));
        }
        for (number, name) in &self.foreign {
            pools[*number].insert(name.clone());
        }
        pools
    }

    fn holds(&self, stage: &Stage) -> bool {
        let present: Vec<BTreeSet<String>> = (0..POOLS)
            .map(|number| stage.arm.names(&pool(&format!("pool{number}"))).into_iter().collect())
            .collect();
        present == self.on_pools() && stage.are_assigned(self.pairs().count())
    }
}

/// Plays a storm, lets it pass, and looks.
async fn weather(acts: &[(Act, u64)]) {
    let mut stage = Stage::new();
    let mut wanted = Wanted::default();
    for number in 0..POOLS {
        for name in FOREIGN {
            stage.arm.put(&pool(&format!("pool{number}")), identity_id(name));
            wanted.foreign.insert((number, name.to_owned()));
        }
    }
    for node in 0..NODES {
        wanted.play(&mut stage, &Act::Node(node)).await;
    }
    // Long enough to be killed in the middle.
    stage.arm.latency(Duration::from_secs(1));
    stage.start().await;
    for (act, pause) in acts {
        wanted.play(&mut stage, act).await;
        tokio::time::sleep(Duration::from_millis(*pause)).await;
    }
    wanted.play(&mut stage, &Act::Recover).await;
    // What was under way takes effect, and is seen when ARM is compared the next time.
    tokio::time::sleep(Duration::from_mins(10)).await;
    stage.until("quiet", |stage| wanted.holds(stage)).await;
    stage.settle().await;
    assert!(wanted.holds(&stage), "it did not stay so");
    stage.stop().await.unwrap();
}

/// After each storm: every running pod that is bound has its identities on its scale set and a record that says so;
/// nothing that somebody else put there was touched, and nothing of podid's is left behind.
#[test]
fn after_any_storm_every_pod_has_its_identities_and_nothing_foreign_was_touched_or_own_left_behind() {
    // The same storms each time, so that nobody is surprised by somebody else's; `STORMS=1000` makes as many new ones.
    let more = std::env::var("STORMS").ok().and_then(|count| count.parse().ok());
    let config = Config { cases: more.unwrap_or(64), max_shrink_iters: 8, ..Config::default() };
    let mut runner = if more.is_some() {
        TestRunner::new(config)
    } else {
        TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
    };
    let play = |acts: Vec<(Act, u64)>| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        runtime.unwrap().block_on(weather(&acts));
        Ok(())
    };
    runner.run(&storm(), play).unwrap_or_else(|failure| panic!("{failure}"));
}
