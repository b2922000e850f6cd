//! Random clusters, in which plans and PATCHes are carried out in any order until nothing is left.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::{btree_set, vec as some};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;
use crate::assign::{Decision, Deferred, Ledger, Present, Protected, Wish, decide, removable};
use crate::desired::fixtures::resource;

/// A cluster in which each node is a machine of its own.
#[derive(Clone, Debug)]
struct Cluster {
    pods: Vec<Pod>,
    bindings: Vec<Binding>,
    identities: Vec<Identity>,
    records: BTreeMap<ObjectRef, Assignment>,
    machines: BTreeMap<NodeName, Machine>,
    written: u32,
}

#[derive(Clone, Debug, Default)]
struct Machine {
    present: Present,
    ledger: Ledger,
    read: bool,
}

/// A step with everything that it writes.
enum Write {
    Put { instead: Option<ObjectRef>, new: Box<Assignment> },
    Mark(ObjectRef),
    Delete(ObjectRef),
}

impl Cluster {
    fn desired<'a>(&'a self, pod: &'a Pod) -> Vec<Desired<'a>> {
        let lookup = |id: &ObjectRef| self.identities.iter().find(|identity| identity.id == *id);
        desired(pod, &self.bindings, lookup, Matching::ClusterWide).desired
    }

    fn all_desired(&self) -> impl Iterator<Item = Desired<'_>> {
        self.pods.iter().flat_map(|pod| self.desired(pod))
    }

    fn wish(&self, node: &NodeName) -> Wish {
        let here = self.all_desired().filter(|wanted| wanted.node == node);
        let records =
            self.records.values().filter(|r| r.node == *node && r.state != AssignmentState::Created);
        Wish {
            needed: here.filter_map(|wanted| wanted.resource_id().cloned()).collect(),
            recorded: records.filter_map(|record| record.identity.resource_id().cloned()).collect(),
        }
    }

    fn standing(&self, node: &NodeName, identity: &Identity) -> Standing {
        let Some(id) = identity.resource_id() else { return Standing::Apart };
        let (machine, wish) = (&self.machines[node], self.wish(node));
        let there = machine.present.identities.contains_key(id);
        let unwritten = there && wish.wants(id) && !machine.ledger.knows(id);
        if !machine.read || unwritten {
            Standing::Unknown
        } else if !there {
            Standing::Absent
        } else if !wish.needed.contains(id)
            && removable(id, &machine.present, &machine.ledger, &Protected::default())
        {
            Standing::Leaving
        } else {
            Standing::Ready
        }
    }

    /// The steps of all pods, also of those that only a record still names.
    fn steps(&self) -> Vec<Step<'_>> {
        let named =
            self.pods.iter().map(|pod| &pod.id).chain(self.records.values().map(|record| &record.pod));
        let taken =
            |id: &ObjectRef, key: &Key| self.records.get(id).is_some_and(|record| Key::of(record) != *key);
        let plan_of = |name: &ObjectRef| {
            let pod = self.pods.iter().find(|pod| pod.id == *name);
            let wanted = pod.map(|pod| self.desired(pod)).unwrap_or_default();
            let current: Vec<&Assignment> =
                self.records.values().filter(|record| record.pod == *name).collect();
            plan(&wanted, &current, Matching::ClusterWide, |node, id| self.standing(node, id), taken)
        };
        named.collect::<BTreeSet<_>>().into_iter().flat_map(plan_of).collect()
    }

    fn decision(&self, node: &NodeName) -> Decision {
        let machine = &self.machines[node];
        decide(
            &machine.present,
            &self.wish(node),
            &machine.ledger,
            &Protected::default(),
            &Deferred::default(),
        )
        .unwrap()
    }

    fn has_work(&self, node: &NodeName) -> bool {
        let (machine, decision) = (&self.machines[node], self.decision(node));
        !machine.read || !decision.patches.is_empty() || decision.after != machine.ledger
    }

    /// Reads and writes one machine.
    fn work(&mut self, node: &NodeName) {
        let decision = self.decision(node);
        let machine = self.machines.get_mut(node).unwrap();
        machine.read = true;
        machine.ledger = decision.after;
        for patch in decision.patches {
            machine.present.kind = patch.kind;
            machine.present.identities.extend(patch.add.into_iter().map(|id| (id, None)));
            machine.present.identities.retain(|id, _| !patch.remove.contains(id));
        }
    }

    /// Carries out one step as the API server does: a name that is taken is refused.
    fn write(&mut self, write: Write) {
        match write {
            Write::Put { instead, new } => {
                if let Some(old) = instead {
                    self.records.remove(&old);
                }
                self.written += 1;
                let uid = Uid::new(format!("{}", self.written));
                self.records.entry(new.id.clone()).or_insert(Assignment { uid, ..*new });
            }
            Write::Mark(id) => self.records.get_mut(&id).unwrap().state = AssignmentState::Assigned,
            Write::Delete(id) => drop(self.records.remove(&id)),
        }
    }

    /// Does one of the possible things; false when nothing is left to do.
    fn advance(&mut self, pick: Index) -> bool {
        let nodes: Vec<NodeName> = self.machines.keys().filter(|node| self.has_work(node)).cloned().collect();
        let mut writes: Vec<Write> = self.steps().iter().map(write_of).collect();
        if nodes.len() + writes.len() == 0 {
            return false;
        }
        let choice = pick.index(nodes.len() + writes.len());
        match choice.checked_sub(nodes.len()) {
            None => self.work(&nodes[choice]),
            Some(step) => self.write(writes.swap_remove(step)),
        }
        true
    }

    /// Whether each assigned record that a pod relies on has its identity on its machine.
    fn tells_the_truth(&self) -> bool {
        self.all_desired().all(|wanted| {
            let relied = |record: &&Assignment| {
                Key::of(record) == wanted.key()
                    && record.node == *wanted.node
                    && record.state == AssignmentState::Assigned
            };
            let mut ids = self.records.values().filter(relied).filter_map(|r| r.identity.resource_id());
            ids.all(|id| self.machines[wanted.node].present.identities.contains_key(id))
        })
    }
}

fn write_of(step: &Step<'_>) -> Write {
    let new = |wanted: &Desired<'_>, id: &ObjectRef, state: AssignmentState| {
        let record = record(wanted.pod, wanted.grant.binding, wanted.grant.identity, state);
        Box::new(Assignment { id: id.clone(), ..record })
    };
    match step {
        Step::Create { wanted, id, state } => Write::Put { instead: None, new: new(wanted, id, *state) },
        Step::Replace { record, wanted, id, state } => {
            Write::Put { instead: Some(record.id.clone()), new: new(wanted, id, *state) }
        }
        Step::Mark { record } => Write::Mark(record.id.clone()),
        Step::Delete { record } => Write::Delete(record.id.clone()),
    }
}

/// Pods whose records would share names: `a` in `b-c` and `a-b` in `c`.
fn pods() -> impl Strategy<Value = Vec<Pod>> {
    let id = select(vec![("b-c", "a"), ("c", "a-b"), ("c", "x"), ("d", "x")]);
    let one = (id, select(vec!["app", "web"]), select(vec![None, Some("n0"), Some("n1")]));
    some(one, 0..5).prop_map(|all| {
        let unique: BTreeMap<_, _> = all.into_iter().map(|(id, label, node)| (id, (label, node))).collect();
        unique.into_iter().map(|((ns, name), (label, node))| pod(ns, name, label, node)).collect()
    })
}

fn bindings() -> impl Strategy<Value = Vec<Binding>> {
    some((0..3u8, select(vec!["app", "web"])), 0..4).prop_map(|bound| {
        let all = bound.into_iter().enumerate();
        all.map(|(n, (i, label))| binding("ids", &format!("b{n}"), &format!("i{i}"), label)).collect()
    })
}

fn cluster() -> impl Strategy<Value = Cluster> {
    (pods(), bindings(), btree_set(0..2u8, 0..2)).prop_map(|(pods, bindings, there)| {
        let identities = there.into_iter().map(|n| (resource(&format!("i{n}")), None)).collect();
        let machine = Machine { present: Present { identities, ..Present::default() }, ..Machine::default() };
        Cluster {
            pods,
            bindings,
            identities: vec![managed("ids", "i0"), managed("ids", "i1"), principal("ids", "i2")],
            records: BTreeMap::new(),
            machines: ["n0", "n1"].map(|node| (NodeName::new(node), machine.clone())).into(),
            written: 0,
        }
    })
}

proptest! {
    #[test]
    fn plans_carried_out_in_any_order_from_any_state_end_in_what_is_desired(
        before in cluster(), after in cluster(), stop in 0..40usize, picks in some(any::<Index>(), 200),
    ) {
        // The first cluster is left anywhere on its way; then everything that users write changes at once.
        let mut now = before.clone();
        for pick in &picks[..stop] {
            now.advance(*pick);
        }
        now.pods = after.pods;
        now.bindings = after.bindings;
        let mut busy = true;
        for pick in &picks[stop..] {
            busy = busy && now.advance(*pick);
            prop_assert!(now.tells_the_truth(), "{now:?}");
        }
        prop_assert!(!busy, "still something to do after {} steps", picks.len() - stop);

        let desired: BTreeSet<_> = now.all_desired().map(|wanted| (wanted.key(), wanted.node.clone())).collect();
        let records: Vec<_> = now.records.values().collect();
        prop_assert_eq!(records.len(), desired.len(), "one record for each");
        prop_assert_eq!(records.iter().map(|r| (Key::of(r), r.node.clone())).collect::<BTreeSet<_>>(), desired);
        prop_assert!(records.iter().all(|record| record.state == AssignmentState::Assigned));
        for (node, machine) in &now.machines {
            let needed = now.wish(node).needed;
            let foreign = before.machines[node].present.identities.keys();
            for id in foreign.chain(&needed) {
                prop_assert!(machine.present.identities.contains_key(id), "{id} must be on {node}");
            }
            prop_assert!(machine.ledger.put.is_subset(&needed), "nothing of ours is left behind");
        }
    }
}
