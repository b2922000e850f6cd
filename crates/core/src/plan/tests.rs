//! Cases of one pod's plan, and a model in which plans are carried out until nothing is left to do.

use super::*;
use crate::desired::desired;
use crate::desired::fixtures::{binding, managed, pod, principal};
use crate::facts::{Binding, Pod};
use crate::ids::Uid;

mod model;

/// One pod, one identity, and what is known of them.
struct Case {
    pod: Pod,
    binding: Binding,
    identity: Identity,
    standing: Standing,
    records: Vec<Assignment>,
    taken: Vec<ObjectRef>,
    matching: Matching,
}

impl Case {
    fn new(standing: Standing) -> Self {
        Self {
            pod: pod("ns", "web", "app", Some("n")),
            binding: binding("ns", "b", "app", "app"),
            identity: managed("ns", "app"),
            standing,
            records: Vec::new(),
            taken: Vec::new(),
            matching: Matching::ClusterWide,
        }
    }

    fn with(mut self, edit: impl FnOnce(&mut Assignment)) -> Self {
        let mut record = record(&self.pod, &self.binding, &self.identity, AssignmentState::Assigned);
        edit(&mut record);
        self.records.push(record);
        self
    }

    /// The steps in words.
    fn steps(&self) -> Vec<String> {
        let lookup = |id: &ObjectRef| Some(&self.identity).filter(|identity| identity.id == *id);
        let wanted = desired(&self.pod, [&self.binding], lookup, self.matching).desired;
        let current: Vec<&Assignment> = self.records.iter().collect();
        let standing = |_: &NodeName, _: &Identity| self.standing;
        let steps = plan(&wanted, &current, self.matching, standing, |id, _| self.taken.contains(id));
        steps.iter().map(words).collect()
    }
}

fn record(pod: &Pod, binding: &Binding, identity: &Identity, state: AssignmentState) -> Assignment {
    let id = ObjectRef::new("default", format!("{}-{}-{}", pod.id.name, pod.id.namespace, identity.id.name));
    Assignment {
        uid: Uid::new(format!("uid of {id}")),
        id,
        pod: pod.id.clone(),
        node: pod.node.clone().unwrap(),
        identity: identity.clone(),
        binding: binding.clone(),
        state,
        created: None,
        terminating: false,
    }
}

fn words(step: &Step<'_>) -> String {
    match step {
        Step::Create { id, state, .. } => format!("create {} {state:?}", id.name),
        Step::Replace { record, id, state, .. } => {
            format!("replace {} by {} {state:?}", record.id.name, id.name)
        }
        Step::Mark { record } => format!("mark {}", record.id.name),
        Step::Delete { record } => format!("delete {}", record.id.name),
    }
}

#[test]
fn a_new_assignment_is_created_and_marked_once_its_identity_is_there() {
    assert_eq!(Case::new(Standing::Absent).steps(), ["create web-ns-app Created"]);
    let created = |standing| Case::new(standing).with(|record| record.state = AssignmentState::Created);
    assert_eq!(created(Standing::Absent).steps(), [""; 0]);
    assert_eq!(created(Standing::Unknown).steps(), [""; 0]);
    assert_eq!(created(Standing::Ready).steps(), ["mark web-ns-app"]);
}

#[test]
fn w22_an_identity_that_is_there_already_takes_one_write() {
    assert_eq!(Case::new(Standing::Ready).steps(), ["create web-ns-app Assigned"]);
}

#[test]
fn an_identity_that_is_being_taken_off_is_not_called_assigned() {
    assert_eq!(Case::new(Standing::Leaving).steps(), ["create web-ns-app Created"]);
}

#[test]
fn a_service_principal_is_assigned_at_once() {
    let mut case = Case::new(Standing::Apart);
    case.identity = principal("ns", "app");
    assert_eq!(case.steps(), ["create web-ns-app Assigned"]);
}

#[test]
fn an_assignment_that_is_as_it_should_be_needs_nothing() {
    for standing in [Standing::Ready, Standing::Absent, Standing::Unknown, Standing::Apart] {
        assert_eq!(Case::new(standing).with(|_| {}).steps(), [""; 0]);
    }
}

#[test]
fn a_record_goes_only_after_arm() {
    let gone = |standing| {
        let mut case = Case::new(standing).with(|_| {});
        case.pod.node = None;
        case.steps()
    };
    assert_eq!(gone(Standing::Leaving), [""; 0]);
    assert_eq!(gone(Standing::Unknown), [""; 0]);
    for settled in [Standing::Absent, Standing::Ready, Standing::Apart] {
        assert_eq!(gone(settled), ["delete web-ns-app"]);
    }
}

#[test]
fn w11_a_record_left_unassigned_or_terminating_serves_the_next_pod_of_that_name() {
    let unassigned = Case::new(Standing::Ready).with(|record| record.state = AssignmentState::Unassigned);
    assert_eq!(unassigned.steps(), ["mark web-ns-app"]);
    let terminating = Case::new(Standing::Ready).with(|record| record.terminating = true);
    assert_eq!(terminating.steps(), ["replace web-ns-app by web-ns-app Assigned"]);
}

#[test]
fn w32_only_an_edited_spec_writes_a_record_anew() {
    let same = Case::new(Standing::Ready).with(|record| record.identity.uid = Uid::new("edited and back"));
    assert_eq!(same.steps(), [""; 0]);
    let edits: [fn(&mut Assignment); 4] = [
        |record| record.identity.spec_hash = 9,
        |record| record.binding.spec_hash = 9,
        |record| record.binding.id = ObjectRef::new("ns", "other"),
        |record| record.id = ObjectRef::new("elsewhere", "web-ns-app"),
    ];
    for edit in edits {
        assert_eq!(
            Case::new(Standing::Ready).with(edit).steps(),
            ["replace web-ns-app by web-ns-app Assigned"]
        );
    }
}

#[test]
fn a_record_of_the_original_stays_where_it_is_when_matching_becomes_namespaced_or_back() {
    for matching in [Matching::ClusterWide, Matching::Namespaced] {
        for namespace in ["default", "ns"] {
            let mut case = Case::new(Standing::Ready);
            case.matching = matching;
            let case = case.with(|record| record.id = ObjectRef::new(namespace, "web-ns-app"));
            assert_eq!(case.steps(), [""; 0], "{matching:?} {namespace}");
        }
    }
}

#[test]
fn a_pod_that_came_back_on_another_node_takes_its_record_along() {
    let moved = |standing| Case::new(standing).with(|record| record.node = NodeName::new("old")).steps();
    assert_eq!(moved(Standing::Leaving), ["replace web-ns-app by web-ns-app Created"]);
}

#[test]
fn the_evidence_of_an_older_assignment_stays_until_its_ledger_is_written() {
    let moved = Case::new(Standing::Unknown).with(|record| record.node = NodeName::new("old"));
    assert_eq!(moved.steps().len(), 1);
    assert!(moved.steps()[0].starts_with("create web-ns-app-"), "{:?}", moved.steps());
    let edited = Case::new(Standing::Unknown).with(|record| record.identity.spec_hash = 9);
    assert_eq!(edited.steps(), [""; 0]);
}

#[test]
fn of_two_records_for_one_assignment_the_better_stays() {
    let case = Case::new(Standing::Ready).with(|record| record.state = AssignmentState::Created);
    let case = case.with(|record| record.id = ObjectRef::new("default", "web-ns-app-0123"));
    assert_eq!(case.steps(), ["delete web-ns-app"]);
}

#[test]
fn w12_a_taken_name_is_not_used() {
    let mut case = Case::new(Standing::Absent);
    case.taken.push(ObjectRef::new("default", "web-ns-app"));
    let steps = case.steps();
    assert!(steps[0].starts_with("create web-ns-app-"), "{steps:?}");
}
