//! Cases of one target's life, with ARM and the clock played by hand.

use podid_core::assign::Kind;
use podid_core::code::Obstacle;

use super::*;

const PACING: Pacing =
    Pacing { compare: Duration::from_mins(3), refused: Duration::from_secs(1), stay: Duration::ZERO };

fn id(name: &str) -> IdentityResourceId {
    let id = format!(
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}"
    );
    IdentityResourceId::parse(&id).unwrap()
}

fn set(names: &[&str]) -> Identities {
    names.iter().map(|name| id(name)).collect()
}

/// A lane, what is wished of it, and an ARM that does what it is told unless told otherwise.
struct Case {
    lane: Lane,
    wish: Wish,
    now: Instant,
    there: Present,
}

impl Case {
    fn new(needed: &[&str]) -> Self {
        Self::with_ledger(needed, Ledger::default())
    }

    fn with_ledger(needed: &[&str], ledger: Ledger) -> Self {
        Self {
            lane: Lane::new(&ComputeId::scale_set("s", "g", "pool"), ledger, PACING),
            wish: Wish { needed: set(needed), ..Wish::default() },
            now: Instant::now(),
            there: Present::default(),
        }
    }

    fn next(&mut self) -> Next {
        self.lane.next(&self.wish, &Protected::default(), self.now).0
    }

    fn standing(&self, name: &str) -> Standing {
        self.lane.standing(&id(name), &self.wish, &Protected::default())
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    /// How long nothing is due; a ledger that is due before is written.
    fn wait(&mut self) -> Duration {
        match self.next() {
            Next::Wait(Some(until)) => until - self.now,
            Next::Do(Work::Write { decision, .. }) if decision.patches.is_empty() => {
                self.succeed(decision);
                self.wait()
            }
            other => panic!("{other:?}"),
        }
    }

    fn read(&mut self) {
        assert_eq!(self.look(), []);
    }

    /// The same, where there is something to tell.
    fn look(&mut self) -> Vec<Notice> {
        assert_eq!(self.next(), Next::Do(Work::Read));
        let reading = Reading { present: self.there.clone(), etag: Some("tag".to_owned()) };
        self.lane.finish(Done::Read(Ok(reading)), self.now)
    }

    /// The PATCH that is due; what it adds and removes, by name.
    fn patch(&mut self) -> (Decision, Vec<String>, Vec<String>) {
        let next = self.next();
        let Next::Do(Work::Write { decision, .. }) = next else { panic!("{next:?}") };
        let names = |ids: &[IdentityResourceId]| ids.iter().map(|id| id.name().to_owned()).collect();
        let patch = &decision.patches[0];
        (decision.clone(), names(&patch.add), names(&patch.remove))
    }

    fn succeed(&mut self, decision: Decision) -> Vec<Notice> {
        for patch in &decision.patches {
            self.there.kind = patch.kind.clone();
            self.there.identities.extend(patch.add.iter().map(|id| (id.clone(), None)));
            self.there.identities.retain(|id, _| !patch.remove.contains(id));
        }
        let done = Done::Write { ledger: Some(decision.after), patches: decision.patches, failed: None };
        self.lane.finish(done, self.now)
    }

    fn fail(&mut self, mut decision: Decision, fault: Fault) -> Vec<Notice> {
        let failed = Some((Some(decision.patches.remove(0)), fault));
        self.lane.finish(Done::Write { ledger: Some(decision.ledger), patches: Vec::new(), failed }, self.now)
    }

    /// Reads where that is due, then gives the PATCH that is due.
    fn read_and_patch(&mut self) -> (Decision, Vec<String>, Vec<String>) {
        self.read();
        self.patch()
    }
}

fn refused(named: &[&str]) -> Fault {
    Fault::Identities {
        named: set(named),
        problem: Problem::new(Obstacle::NoOperatorRole, "LinkedAuthorizationFailed"),
    }
}

fn later(after: Option<Duration>) -> Fault {
    Fault::Later { after, problem: Problem::new(Obstacle::ArmTrouble, "429") }
}

#[test]
fn what_is_needed_is_read_patched_and_then_left_alone() {
    let mut case = Case::new(&["a", "b"]);
    assert_eq!(case.standing("a"), Standing::Unknown);
    let (decision, add, remove) = case.read_and_patch();
    assert_eq!((add, remove), (vec!["a".to_owned(), "b".to_owned()], vec![]));
    assert_eq!(case.standing("a"), Standing::Absent);
    assert_eq!(case.next(), Next::Wait(None), "one piece of work at a time");
    let notices = case.succeed(decision);
    assert_eq!(notices, [Notice::Patched { add: vec![id("a"), id("b")], remove: vec![] }]);
    assert_eq!(case.standing("a"), Standing::Ready);
    let rest = case.wait();
    assert!(rest <= PACING.compare && rest > PACING.compare / 3, "only the comparison is left: {rest:?}");
}

#[test]
fn a_crowd_that_comes_while_arm_is_busy_shares_one_more_patch() {
    let mut case = Case::new(&["a"]);
    let (decision, ..) = case.read_and_patch();
    case.wish.needed = set(&["a", "b", "c", "d"]);
    case.pass(Duration::from_secs(2));
    case.succeed(decision);
    let (_, add, _) = case.patch();
    assert_eq!(add, ["b", "c", "d"]);
}

#[test]
fn two_patches_keep_a_distance_but_no_longer_than_needed() {
    let mut case = Case::new(&["a"]);
    let (decision, ..) = case.read_and_patch();
    case.succeed(decision);
    case.wish.needed = set(&["a", "b"]);
    assert_eq!(case.wait(), PACE);
    case.pass(PACE);
    assert_eq!(case.patch().1, ["b"]);
}

#[test]
fn a_patch_builds_only_on_a_fresh_reading_and_carries_its_tag() {
    let mut case = Case::new(&[]);
    case.wish.recorded = set(&["z"]);
    case.read();
    case.wish.needed = set(&["a"]);
    case.pass(FRESH);
    case.read();
    let Next::Do(Work::Write { etag, .. }) = case.next() else { panic!() };
    assert_eq!(etag.as_deref(), Some("tag"));
}

#[test]
fn a_named_culprit_is_set_aside_and_the_others_go_on_at_once() {
    let mut case = Case::new(&["a", "bad", "c"]);
    let (decision, ..) = case.read_and_patch();
    let notices = case.fail(decision, refused(&["bad"]));
    assert!(matches!(&notices[..], [Notice::Refused { ids, .. }] if *ids == [id("bad")]), "{notices:?}");
    assert_eq!(case.standing("a"), Standing::Unknown, "the failed PATCH may have had its effect");
    let (decision, add, _) = case.read_and_patch();
    assert_eq!(add, ["a", "c"]);
    case.succeed(decision);
    assert_eq!((case.standing("a"), case.standing("bad")), (Standing::Ready, Standing::Absent));
}

#[test]
fn a_refused_identity_is_tried_again_alone_and_ever_later() {
    let mut case = Case::new(&["bad"]);
    let mut waits = Vec::new();
    for _ in 0..4 {
        let (decision, add, _) = case.read_and_patch();
        assert_eq!(add, ["bad"]);
        case.fail(decision, refused(&["bad"]));
        case.read();
        let wait = case.wait();
        waits.push(wait);
        case.pass(wait.max(FRESH));
    }
    assert!(waits.windows(2).all(|pair| pair[0] < pair[1]), "{waits:?}");
    let (decision, ..) = case.read_and_patch();
    case.succeed(decision);
    assert_eq!(case.standing("bad"), Standing::Ready);
}

#[test]
fn a_crowd_that_is_never_accepted_costs_few_patches_and_shares_none_with_a_newcomer() {
    let junk: Vec<String> = (0..20).map(|n| format!("junk-{n:02}")).collect();
    let mut case = Case::new(&junk.iter().map(String::as_str).collect::<Vec<_>>());
    let end = case.now + Duration::from_mins(1);
    let mut refusals = 0;
    while case.now < end {
        match case.next() {
            Next::Do(Work::Read) => {
                let reading = Reading { present: case.there.clone(), etag: None };
                case.lane.finish(Done::Read(Ok(reading)), case.now);
            }
            Next::Do(Work::Write { decision, .. }) if decision.patches.is_empty() => {
                case.succeed(decision);
            }
            Next::Do(Work::Write { decision, .. }) => {
                refusals += 1;
                // ARM names one of them at a time.
                let first = decision.patches[0].add[0].name().to_owned();
                case.fail(decision, refused(&[&first]));
            }
            Next::Wait(until) => case.now = until.unwrap(),
            Next::Forget => panic!("forgotten"),
        }
    }
    assert!((20..=20 + 60 / 2).contains(&refusals), "{refusals} refusals in a minute");

    case.wish.needed.insert(id("good"));
    case.pass(FRESH);
    assert_eq!(case.read_and_patch().1, ["good"]);
}

/// W-35.
#[test]
fn a_culprit_that_nobody_names_is_found_by_halving() {
    let names = ["a", "b", "c", "d", "e", "f", "g"];
    let mut case = Case::new(&names);
    let mut blamed = Vec::new();
    let mut patches = 0;
    while names.iter().any(|name| *name != "e" && case.standing(name) != Standing::Ready) {
        case.pass(PACE);
        match case.next() {
            Next::Do(Work::Read) => {
                let reading = Reading { present: case.there.clone(), etag: None };
                case.lane.finish(Done::Read(Ok(reading)), case.now);
            }
            Next::Do(Work::Write { decision, .. }) => {
                patches += 1;
                let bad = decision.patches[0].add.contains(&id("e"));
                let notices = if bad { case.fail(decision, refused(&[])) } else { case.succeed(decision) };
                blamed.extend(notices.into_iter().filter_map(|notice| match notice {
                    Notice::Refused { ids, .. } => Some(ids),
                    _ => None,
                }));
            }
            Next::Wait(_) => {}
            Next::Forget => panic!("needed"),
        }
        assert!(patches < 12, "does not end");
    }
    assert_eq!(
        blamed.concat().iter().map(IdentityResourceId::name).collect::<Vec<_>>(),
        vec!["e"; blamed.len()]
    );
    assert!(!blamed.is_empty());
}

/// W-21.
#[test]
fn retry_after_is_obeyed_and_trouble_waits_ever_longer() {
    let mut case = Case::new(&["a"]);
    let (decision, ..) = case.read_and_patch();
    let asked = Duration::from_secs(77);
    let notices = case.fail(decision, later(Some(asked)));
    assert!(matches!(&notices[..], [Notice::Trouble { wait, .. }] if *wait == asked));
    assert_eq!(case.wait(), asked);

    let mut waits = Vec::new();
    for _ in 0..5 {
        case.pass(Duration::from_mins(10));
        let (decision, ..) = case.read_and_patch();
        case.fail(decision, later(None));
        waits.push(case.wait());
    }
    assert!(
        waits.windows(2).all(|pair| pair[0] < pair[1]),
        "reading well in between is no recovery: {waits:?}"
    );
}

#[test]
fn a_patch_that_timed_out_but_took_effect_is_not_sent_again() {
    let mut case = Case::new(&["a"]);
    let (decision, ..) = case.read_and_patch();
    case.there.identities.insert(id("a"), None);
    case.there.kind = Kind::User;
    case.fail(decision, later(None));
    let wait = case.wait();
    case.pass(wait);
    case.read();
    assert_eq!(case.standing("a"), Standing::Ready);
    assert!(matches!(case.next(), Next::Wait(_)));
}

#[test]
fn an_identity_on_its_way_off_is_not_ready_for_whoever_comes_now() {
    let mut case = Case::with_ledger(&["b"], Ledger { put: set(&["a", "b"]), ..Ledger::default() });
    case.there = Present {
        kind: Kind::User,
        identities: [(id("a"), None), (id("b"), None)].into(),
        ..Present::default()
    };
    case.read();
    assert_eq!((case.standing("a"), case.standing("b")), (Standing::Leaving, Standing::Ready));
    let (decision, _, remove) = case.patch();
    assert_eq!(remove, ["a"]);
    case.wish.needed = set(&["a", "b"]);
    assert_eq!(case.standing("a"), Standing::Leaving);
    case.succeed(decision);
    assert_eq!(case.standing("a"), Standing::Absent);
    case.pass(PACE);
    assert_eq!(case.patch().1, ["a"], "and is put back");
}

/// W-47.
#[test]
fn drift_is_found_and_repaired() {
    let mut case = Case::new(&["a"]);
    let (decision, ..) = case.read_and_patch();
    case.succeed(decision);
    let wait = case.wait();
    case.there.identities.clear();
    case.pass(wait);
    assert_eq!(case.look(), [Notice::Drifted(vec![id("a")])]);
    let (decision, add, _) = case.patch();
    assert_eq!(add, ["a"]);
    assert_eq!(case.succeed(decision)[1], Notice::Repaired(vec![id("a")]));
    let wait = case.wait();
    case.pass(wait);
    case.read();
}

#[test]
fn a_target_that_does_not_exist_holds_nothing_and_is_looked_for_again() {
    let mut case = Case::with_ledger(&["a"], Ledger { put: set(&["a", "b"]), ..Ledger::default() });
    assert_eq!(case.next(), Next::Do(Work::Read));
    let notices = case.lane.finish(Done::Read(Err(Fault::Missing)), case.now);
    assert!(matches!(&notices[..], [Notice::Trouble { .. }]));
    assert_eq!((case.standing("a"), case.standing("b")), (Standing::Absent, Standing::Absent));
    assert_eq!(case.lane.next(&case.wish, &Protected::default(), case.now).1, None, "told once");
    assert_eq!(case.wait(), LOOK_AGAIN);
    case.pass(LOOK_AGAIN);
    assert_eq!(case.read_and_patch().1, ["a"]);
}

#[test]
fn a_target_without_users_and_without_anything_of_ours_is_forgotten() {
    let mut case = Case::with_ledger(&[], Ledger { put: set(&["a"]), ..Ledger::default() });
    case.there = Present { kind: Kind::User, identities: [(id("a"), None)].into(), ..Present::default() };
    let (decision, _, remove) = case.read_and_patch();
    assert_eq!(remove, ["a"]);
    case.succeed(decision);
    assert_eq!(case.next(), Next::Forget);
}

#[test]
fn a_ledger_that_cannot_be_written_holds_the_patch_back() {
    let mut case = Case::new(&["a"]);
    let (..) = case.read_and_patch();
    let failed = Some((None, later(None)));
    let notices = case.lane.finish(Done::Write { ledger: None, patches: vec![], failed }, case.now);
    assert!(matches!(&notices[..], [Notice::Trouble { .. }]));
    assert_eq!(case.standing("a"), Standing::Absent);
    let wait = case.wait();
    case.pass(wait);
    assert_eq!(case.patch().1, ["a"]);
}
