//! How long does planning take in a large cluster?
//!
//! 10,000 pods on 1,000 nodes of 100 scale sets, 500 bindings, 200 identities; each pod has two identities. The
//! facts are indexed as the controller keeps them: bindings by selector, identities and records by name.
//! `full` decides everything anew, for every pod and scale set; `one_pod` is what one pod event costs. Both are
//! measured with twice and four times as much of everything, too, to see how they grow.
#![allow(clippy::unwrap_used, reason = "the cluster is made up; nothing in it can be wrong")]

use std::collections::{BTreeMap, HashMap};
use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use podid_core::assign::{self, Deferred, Identities, Ledger, Present, Protected, Wish};
use podid_core::desired::{Desired, desired};
use podid_core::facts::{
    Assignment, AssignmentState, Binding, Identity, IdentityKind, Node, POD_LABEL, Phase, Pod,
};
use podid_core::ids::{ClientId, ComputeId, IdentityResourceId, NodeName, ObjectRef, Uid};
use podid_core::plan::{Standing, Step, plan};
use podid_core::select::Matching;
use podid_core::target::target;

const IDENTITIES_PER_POD: usize = 2;

/// How much there is of everything.
#[derive(Clone, Copy)]
struct Size {
    pods: usize,
    nodes: usize,
    scale_sets: usize,
    bindings: usize,
    identities: usize,
}

/// The facts of the cluster, owned.
struct Facts {
    nodes: Vec<Node>,
    pods: Vec<Pod>,
    bindings: Vec<Binding>,
    identities: Vec<Identity>,
    records: Vec<Assignment>,
}

/// The facts as they are looked up.
struct World<'a> {
    pods: &'a [Pod],
    targets: HashMap<&'a NodeName, ComputeId>,
    bindings: HashMap<&'a str, Vec<&'a Binding>>,
    identities: HashMap<&'a ObjectRef, &'a Identity>,
    records: HashMap<&'a ObjectRef, Vec<&'a Assignment>>,
    /// What every identity's standing is, on every scale set.
    standing: Standing,
}

// === impl Size ===

impl Size {
    /// The cluster of the budget, so many times.
    fn times(factor: usize) -> Self {
        Self {
            pods: 10_000 * factor,
            nodes: 1_000 * factor,
            scale_sets: 100 * factor,
            bindings: 500 * factor,
            identities: 200 * factor,
        }
    }

    /// Bindings that share a selector give a pod several identities.
    fn selectors(self) -> usize {
        self.bindings / IDENTITIES_PER_POD
    }
}

// === impl Facts ===

impl Facts {
    fn new(size: Size) -> Self {
        Self {
            nodes: (0..size.nodes).map(|number| node(number, size)).collect(),
            pods: (0..size.pods).map(|number| pod(number, size)).collect(),
            bindings: (0..size.bindings).map(|number| binding(number, size)).collect(),
            identities: (0..size.identities).map(identity).collect(),
            records: Vec::new(),
        }
    }

    /// Writes down every assignment that planning would create, as if all work had been done.
    fn settle(&mut self) {
        let records = {
            let world = self.world(Standing::Ready);
            let steps = world.pods.iter().flat_map(|pod| world.steps(pod).1);
            steps
                .map(|step| {
                    if let Step::Create { wanted, id, state } = step {
                        record(&wanted, id, state)
                    } else {
                        unreachable!()
                    }
                })
                .collect()
        };
        self.records = records;
    }

    fn world(&self, standing: Standing) -> World<'_> {
        let mut bindings: HashMap<_, Vec<_>> = HashMap::new();
        for binding in &self.bindings {
            bindings.entry(&*binding.selector).or_default().push(binding);
        }
        let mut records: HashMap<_, Vec<_>> = HashMap::new();
        for record in &self.records {
            records.entry(&record.pod).or_default().push(record);
        }
        World {
            pods: &self.pods,
            targets: self.nodes.iter().map(|node| (&node.name, target(node).unwrap())).collect(),
            bindings,
            identities: self.identities.iter().map(|identity| (&identity.id, identity)).collect(),
            records,
            standing,
        }
    }
}

// === impl World ===

impl<'a> World<'a> {
    /// What one pod should have, and the steps to it.
    fn steps(&self, pod: &'a Pod) -> (Vec<Desired<'a>>, Vec<Step<'a>>) {
        let bindings = pod.selector().and_then(|label| self.bindings.get(label));
        let verdict = desired(
            pod,
            bindings.into_iter().flatten().copied(),
            |id| self.identities.get(id).copied(),
            Matching::ClusterWide,
        );
        let current = self.records.get(&pod.id).map_or(&[][..], Vec::as_slice);
        let steps =
            plan(&verdict.desired, current, Matching::ClusterWide, |_, _| self.standing, |_, _| false);
        (verdict.desired, steps)
    }

    /// Plans every pod and decides about every scale set; gives the number of steps and PATCHes.
    fn plan_everything(&self) -> (usize, usize) {
        let mut wishes: BTreeMap<&ComputeId, Wish> = BTreeMap::new();
        let mut steps = 0;
        for pod in self.pods {
            let (wanted, planned) = self.steps(pod);
            steps += planned.len();
            for wanted in wanted {
                let wish = wishes.entry(&self.targets[wanted.node]).or_default();
                wish.needed.extend(wanted.resource_id().cloned());
            }
        }
        let patches = wishes.values().map(|wish| {
            let present = self.present(wish);
            let ledger =
                Ledger { put: present.identities.keys().cloned().collect(), found: Identities::new() };
            assign::decide(&present, wish, &ledger, &Protected::default(), &Deferred::default())
                .map_or(0, |decision| decision.patches.len())
        });
        (steps, patches.sum())
    }

    /// What a scale set has: everything that is wanted of it, or nothing.
    fn present(&self, wish: &Wish) -> Present {
        let mut present = Present::default();
        if self.standing == Standing::Ready {
            present.identities = wish.needed.iter().map(|id| (id.clone(), None)).collect();
        }
        present
    }
}

fn name(kind: &str, number: usize) -> Arc<str> {
    format!("{kind}-{number}").into()
}

fn node(number: usize, size: Size) -> Node {
    let (set, instance) = (number % size.scale_sets, number / size.scale_sets);
    Node {
        name: NodeName::new(name("node", number)),
        provider_id: format!(
            "azure:///subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/cluster/providers/\
             Microsoft.Compute/virtualMachineScaleSets/set-{set}/virtualMachines/{instance}"
        )
        .into(),
    }
}

fn pod(number: usize, size: Size) -> Pod {
    Pod {
        id: ObjectRef::new(name("namespace", number % 50), name("pod", number)),
        uid: Uid::new(name("uid", number)),
        node: Some(NodeName::new(name("node", number % size.nodes))),
        labels: [(POD_LABEL.into(), name("app", number % size.selectors()))].into(),
        addresses: Vec::new(),
        phase: Phase::Running,
        host_network: false,
        terminating: false,
        started: None,
    }
}

fn binding(number: usize, size: Size) -> Binding {
    Binding {
        id: ObjectRef::new("identities", name("binding", number)),
        uid: Uid::new(name("uid", number)),
        spec_hash: number as u64,
        identity: name("identity", number % size.identities),
        selector: name("app", number % size.selectors()),
    }
}

fn identity(number: usize) -> Identity {
    let resource_id = format!(
        "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/identities/providers/\
         Microsoft.ManagedIdentity/userAssignedIdentities/identity-{number}"
    );
    Identity {
        id: ObjectRef::new("identities", name("identity", number)),
        uid: Uid::new(name("uid", number)),
        spec_hash: number as u64,
        kind: Ok(IdentityKind::Managed {
            resource_id: IdentityResourceId::parse(&resource_id).unwrap(),
            client_id: ClientId::parse(&format!("00000000-0000-0000-0000-{number:012}")).unwrap(),
        }),
        namespaced: false,
    }
}

fn record(wanted: &Desired<'_>, id: ObjectRef, state: AssignmentState) -> Assignment {
    Assignment {
        uid: Uid::new(id.name.clone()),
        id,
        pod: wanted.pod.id.clone(),
        node: wanted.node.clone(),
        identity: wanted.grant.identity.clone(),
        binding: wanted.grant.binding.clone(),
        state,
        created: None,
        terminating: false,
    }
}

fn bench(criterion: &mut Criterion) {
    for factor in [1, 2, 4] {
        measure(criterion, factor);
    }
}

fn measure(criterion: &mut Criterion, factor: usize) {
    let size = Size::times(factor);
    let mut facts = Facts::new(size);
    let mut group = criterion.benchmark_group(format!("x{factor}"));
    {
        let world = facts.world(Standing::Absent);
        let (steps, patches) = world.plan_everything();
        assert_eq!(
            (steps, patches),
            (size.pods * IDENTITIES_PER_POD, size.scale_sets),
            "a fresh cluster needs everything"
        );
        group.bench_function("full, nothing done yet", |b| b.iter(|| black_box(world.plan_everything())));
        let pod = &world.pods[size.pods / 2];
        group.bench_function("one_pod, new", |b| b.iter(|| black_box(world.steps(black_box(pod)))));
    }
    facts.settle();
    let world = facts.world(Standing::Ready);
    assert_eq!(world.plan_everything(), (0, 0), "a settled cluster needs nothing");
    group.bench_function("full, nothing to do", |b| b.iter(|| black_box(world.plan_everything())));
    let pod = &world.pods[size.pods / 2];
    group.bench_function("one_pod, unchanged", |b| b.iter(|| black_box(world.steps(black_box(pod)))));
    group.finish();
}

criterion_group!(plans, bench);
criterion_main!(plans);
