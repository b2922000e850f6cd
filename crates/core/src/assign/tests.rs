//! Cases and invariants of what a VM or scale set gains and loses.

use proptest::collection::btree_set;
use proptest::prelude::*;

use super::*;
use crate::desired::fixtures::resource;

fn set(names: &[&str]) -> Identities {
    names.iter().map(|name| resource(name)).collect()
}

fn present(kind: Kind, names: &[&str]) -> Present {
    let with_client = |name: &&str| (resource(name), ClientId::parse(&format!("client-{name}")).ok());
    Present { kind, identities: names.iter().map(with_client).collect(), ..Present::default() }
}

fn put(names: &[&str]) -> Ledger {
    Ledger { put: set(names), ..Ledger::default() }
}

fn need(names: &[&str]) -> Wish {
    Wish { needed: set(names), ..Wish::default() }
}

fn act(present: &Present, wish: &Wish, ledger: &Ledger) -> Result<Decision, Refusal> {
    decide(present, wish, ledger, &Protected::default(), &Deferred::default())
}

/// Names added, names removed and the type of the only PATCH.
fn only(decision: &Decision) -> (Vec<&str>, Vec<&str>, &str) {
    let [patch] = decision.patches.as_slice() else { panic!("{:?}", decision.patches) };
    (
        patch.add.iter().map(IdentityResourceId::name).collect(),
        patch.remove.iter().map(IdentityResourceId::name).collect(),
        patch.kind.as_str(),
    )
}

#[test]
fn a_needed_identity_is_added_and_recorded_first() {
    let decision = act(&present(Kind::None, &[]), &need(&["a"]), &put(&[])).unwrap();
    assert_eq!(only(&decision), (vec!["a"], vec![], "UserAssigned"));
    assert_eq!((decision.ledger, decision.after), (put(&["a"]), put(&["a"])));
}

#[test]
fn what_is_to_be_removed_later_stays_ours_and_one_that_is_needed_again_costs_nothing() {
    let there = present(Kind::User, &["a", "b"]);
    let deferred = Deferred { remove: set(&["a"]), ..Deferred::default() };
    let decide =
        |wish: &Wish| decide(&there, wish, &put(&["a", "b"]), &Protected::default(), &deferred).unwrap();
    let decision = decide(&need(&["b"]));
    assert_eq!(decision.patches, []);
    assert_eq!((decision.ledger, decision.after), (put(&["a", "b"]), put(&["a", "b"])));
    assert_eq!(decide(&need(&["a", "b"])).patches, []);
}

#[test]
fn what_a_lost_patch_may_yet_put_there_stays_ours_until_it_cannot() {
    let nothing = present(Kind::None, &[]);
    let late = Deferred { arriving: set(&["a", "not-ours"]), ..Deferred::default() };
    let decide = |deferred: &Deferred| {
        decide(&nothing, &need(&[]), &put(&["a"]), &Protected::default(), deferred).unwrap()
    };
    assert_eq!((decide(&late).patches, decide(&late).after), (Vec::new(), put(&["a"])));
    assert_eq!(decide(&Deferred::default()).after, put(&[]));
}

#[test]
fn nothing_to_change_is_no_patch_at_all() {
    for kind in [Kind::None, Kind::System, Kind::Other("Odd".to_owned())] {
        assert_eq!(act(&present(kind, &[]), &need(&[]), &put(&["a"])).unwrap().patches, []);
    }
    assert_eq!(act(&present(Kind::User, &["a"]), &need(&["a"]), &put(&["a"])).unwrap().patches, []);
}

#[test]
fn what_podid_put_there_goes_with_its_last_user() {
    let decision = act(&present(Kind::User, &["a", "b"]), &need(&["b"]), &put(&["a", "b"])).unwrap();
    assert_eq!(only(&decision), (vec![], vec!["a"], "UserAssigned"));
    assert_eq!((decision.ledger, decision.after), (put(&["a", "b"]), put(&["b"])));
}

#[test]
fn a_foreign_identity_stays_also_when_a_pod_has_used_it() {
    let there = present(Kind::User, &["foreign"]);
    let used = act(&there, &need(&["foreign"]), &put(&[])).unwrap();
    assert_eq!(used.patches, []);
    assert_eq!(used.after.found, set(&["foreign"]));

    let recorded = Wish { recorded: set(&["foreign"]), ..Wish::default() };
    let going = act(&there, &recorded, &used.after).unwrap();
    assert_eq!(
        (going.patches, &going.after),
        (vec![], &used.after),
        "known as found until its record is gone"
    );
    let gone = act(&there, &need(&[]), &going.after).unwrap();
    assert_eq!((gone.patches, gone.after), (vec![], Ledger::default()));
}

#[test]
fn what_the_original_assigned_is_taken_over_once_and_later_removed() {
    let pool = ComputeId::scale_set("s", "g", "pool");
    let ledgers = taken_over([(pool.clone(), resource("theirs")), (pool.clone(), resource("gone"))]);
    assert_eq!(ledgers, [(pool.clone(), put(&["theirs", "gone"]))].into());

    let there = present(Kind::User, &["theirs", "foreign"]);
    let wish = Wish { needed: set(&["theirs"]), recorded: set(&["theirs"]) };
    let over = act(&there, &wish, &ledgers[&pool]).unwrap();
    assert_eq!((over.patches, &over.after), (vec![], &put(&["theirs"])));
    let decision = act(&there, &Wish { needed: set(&[]), ..wish }, &over.after).unwrap();
    assert_eq!(only(&decision), (vec![], vec!["theirs"], "UserAssigned"));
}

#[test]
fn a_forged_record_takes_no_foreign_identity_off() {
    let there = present(Kind::User, &["foreign"]);
    let forged = Wish { recorded: set(&["foreign"]), ..Wish::default() };
    let seen = act(&there, &forged, &Ledger::default()).unwrap();
    assert_eq!((seen.patches, &seen.after.found), (vec![], &set(&["foreign"])));
    let gone = act(&there, &need(&[]), &seen.after).unwrap();
    assert_eq!((gone.patches, gone.after), (vec![], Ledger::default()));
}

#[test]
fn w48_protected_identities_stay_and_client_ids_compare_without_case() {
    let clients = [ClientId::parse("CLIENT-cluster").unwrap()].into();
    let protected = Protected { clients, resources: set(&["listed"]) };
    let ours = put(&["cluster", "listed", "a"]);
    let there = present(Kind::User, &["cluster", "listed", "a"]);
    let decision = decide(&there, &need(&[]), &ours, &protected, &Deferred::default()).unwrap();
    assert_eq!(only(&decision), (vec![], vec!["a"], "UserAssigned"));
    assert!(!removable(&resource("cluster"), &there, &ours, &protected));
    assert!(removable(&resource("a"), &there, &ours, &protected));
}

#[test]
fn w33_the_system_identity_survives_and_an_unknown_type_is_not_overwritten() {
    let cases = [
        (Kind::None, "UserAssigned", "None"),
        (Kind::User, "UserAssigned", "None"),
        (Kind::System, "SystemAssigned, UserAssigned", "SystemAssigned"),
        (Kind::SystemAndUser, "SystemAssigned, UserAssigned", "SystemAssigned"),
    ];
    for (kind, added, emptied) in cases {
        let decision = act(&present(kind.clone(), &[]), &need(&["a"]), &put(&[])).unwrap();
        assert_eq!(only(&decision).2, added);
        let decision = act(&present(kind, &["a"]), &need(&[]), &put(&["a"])).unwrap();
        assert_eq!(only(&decision).2, emptied);
    }
    let odd = present(Kind::Other("Delegated".to_owned()), &[]);
    assert_eq!(act(&odd, &need(&["a"]), &put(&[])), Err(Refusal::Kind("Delegated".to_owned())));
}

#[test]
fn entries_that_we_cannot_read_keep_the_type_from_emptying() {
    let there = Present { unknown: 1, ..present(Kind::User, &["a"]) };
    assert_eq!(only(&act(&there, &need(&[]), &put(&["a"])).unwrap()).2, "UserAssigned");
}

#[test]
fn a_target_that_is_being_deleted_is_not_written() {
    let there = Present { deleting: true, ..present(Kind::User, &[]) };
    assert_eq!(act(&there, &need(&["a"]), &put(&[])), Err(Refusal::Deleting));
    assert_eq!(act(&there, &need(&[]), &put(&[])).unwrap().patches, []);
}

#[test]
fn a_barred_identity_holds_up_no_other() {
    let decision = decide(
        &present(Kind::None, &[]),
        &need(&["a", "bad"]),
        &put(&["bad"]),
        &Protected::default(),
        &Deferred { add: set(&["bad"]), ..Deferred::default() },
    );
    let decision = decision.unwrap();
    assert_eq!(only(&decision), (vec!["a"], vec![], "UserAssigned"));
    assert_eq!(decision.ledger, put(&["a"]), "what is neither there nor being added is not ours");
}

#[test]
fn the_type_is_read_in_every_spelling() {
    for text in
        ["SystemAssigned, UserAssigned", "systemassigned,userassigned", "UserAssigned, SystemAssigned"]
    {
        assert_eq!(Kind::parse(text), Kind::SystemAndUser, "{text}");
    }
    assert_eq!(Kind::parse(""), Kind::None);
    assert_eq!(Kind::parse("Delegated").as_str(), "Delegated");
}

#[test]
fn a_patch_has_at_most_150_entries_and_the_last_one_empties_the_set() {
    let names: Vec<String> = (0..310).map(|n| format!("i{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let decision = act(&present(Kind::User, &names), &need(&[]), &put(&names)).unwrap();
    let sizes: Vec<_> = decision.patches.iter().map(|p| (p.remove.len(), p.kind.as_str())).collect();
    assert_eq!(sizes, [(150, "UserAssigned"), (150, "UserAssigned"), (10, "None")]);
}

fn some() -> impl Strategy<Value = Identities> {
    btree_set((0..7u8).prop_map(|n| resource(&format!("i{n}"))), 0..7)
}

fn kinds() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(Kind::None), Just(Kind::System), Just(Kind::User), Just(Kind::SystemAndUser)]
}

/// What ARM holds after `patches`.
fn patched(mut present: Present, patches: &[Patch]) -> Present {
    for patch in patches {
        present.kind = patch.kind.clone();
        present.identities.extend(patch.add.iter().map(|id| (id.clone(), None)));
        present.identities.retain(|id, _| !patch.remove.contains(id));
    }
    present
}

proptest! {
    #[test]
    fn never_takes_what_is_needed_foreign_or_protected_and_is_done_in_one_go(
        kind in kinds(), there in some(), needed in some(), recorded in some(), put in some(), found in some(),
        safe in some(), add in some(), remove in some(),
    ) {
        let present = Present { kind, identities: there.into_iter().map(|id| (id, None)).collect(), ..Present::default() };
        let ledger = Ledger { found: found.difference(&put).cloned().collect(), put };
        let wish = Wish { needed, recorded };
        let protected = Protected { resources: safe, ..Protected::default() };
        let deferred = Deferred { add, remove, ..Deferred::default() };
        let decision = decide(&present, &wish, &ledger, &protected, &deferred).unwrap();

        for patch in &decision.patches {
            prop_assert!(patch.add.len() + patch.remove.len() <= PATCH_LIMIT);
            for id in &patch.add {
                prop_assert!(wish.needed.contains(id) && !deferred.add.contains(id));
                prop_assert!(decision.ledger.put.contains(id), "in the ledger before the PATCH");
            }
            for id in &patch.remove {
                prop_assert!(!wish.needed.contains(id), "somebody needs it");
                prop_assert!(!deferred.remove.contains(id), "somebody may need it again");
                prop_assert!(!protected.resources.contains(id));
                prop_assert!(removable(id, &present, &ledger, &protected), "podid did not put it there");
                prop_assert!(decision.ledger.put.contains(id), "in the ledger until the PATCH is done");
            }
        }
        let result = patched(present.clone(), &decision.patches);
        for id in wish.needed.difference(&deferred.add) {
            prop_assert!(result.identities.contains_key(id));
            prop_assert!(decision.after.knows(id));
        }
        let system = |kind: &Kind| matches!(kind, Kind::System | Kind::SystemAndUser);
        prop_assert_eq!(system(&present.kind), system(&result.kind));

        for id in result.identities.keys().filter(|id| wish.wants(id)) {
            prop_assert!(decision.after.knows(id), "what is used and there, somebody put there");
        }
        let again = decide(&result, &wish, &decision.after, &protected, &deferred).unwrap();
        prop_assert_eq!(again.patches, vec![]);
        prop_assert_eq!(again.after, decision.after);
    }

    #[test]
    fn a_crash_after_any_write_ends_in_the_same_state(
        there in some(), needed in some(), put in some(), done in any::<bool>(),
    ) {
        let present = Present { kind: Kind::User, identities: there.into_iter().map(|id| (id, None)).collect(), ..Present::default() };
        let (wish, ledger) = (Wish { needed, ..Wish::default() }, Ledger { put, ..Ledger::default() });
        let act = |present: &Present, ledger: &Ledger| decide(present, &wish, ledger, &Protected::default(), &Deferred::default()).unwrap();
        let decision = act(&present, &ledger);
        let finished = patched(present.clone(), &decision.patches);
        // The ledger was written; the PATCH was done or not; MIC starts again.
        let found_again = if done { finished.clone() } else { present };
        let again = act(&found_again, &decision.ledger);
        prop_assert_eq!(patched(found_again, &again.patches), finished);
        prop_assert_eq!(again.after, decision.after);
    }
}
