use proptest::prelude::*;

use super::*;

const TERMS: Terms = Terms {
    rate: Rate { burst: 2, per_second: 2.0 },
    at_once: 3,
    of_one: 4,
    patience: Duration::from_secs(10),
};
const START: Duration = Duration::from_secs(1000);

fn line(terms: Terms) -> Line<&'static str> {
    Line::new(terms, START)
}

fn enter(line: &mut Line<&'static str>, asker: &'static str, now: Duration) -> Ticket {
    match line.enter(&asker, now) {
        Entry::In(ticket) => ticket,
        other => panic!("{asker}: {other:?}"),
    }
}

/// Whose turn it is one after the other, when each question is answered at once.
fn served(line: &mut Line<&'static str>, mut now: Duration) -> Vec<&'static str> {
    let mut askers = Vec::new();
    loop {
        match line.next(now) {
            Next::Go(ticket) => {
                askers.push(line.under_way[&ticket]);
                line.leave(ticket);
            }
            Next::After(wait) => now += wait,
            Next::Full => panic!("nobody is asking"),
            Next::Nobody => return askers,
        }
    }
}

#[test]
fn askers_take_turns_however_many_questions_one_has() {
    let mut line = line(TERMS);
    for asker in ["noisy", "noisy", "noisy", "noisy", "a", "b", "a"] {
        enter(&mut line, asker, START);
    }
    assert_eq!(served(&mut line, START), ["noisy", "a", "b", "noisy", "a", "noisy", "noisy"]);
}

#[test]
fn one_asker_has_no_more_than_its_share_of_places() {
    let mut line = line(TERMS);
    let first = enter(&mut line, "noisy", START);
    for _ in 1..4 {
        enter(&mut line, "noisy", START);
    }
    assert!(matches!(line.enter(&"noisy", START), Entry::Enough(_)));
    // What is under way counts, too.
    assert_eq!(line.next(START), Next::Go(first));
    assert!(matches!(line.enter(&"noisy", START), Entry::Enough(_)));
    enter(&mut line, "other", START);
    line.leave(first);
    enter(&mut line, "noisy", START);
}

#[test]
fn whoever_would_wait_too_long_is_told_when_and_others_before_it_are_not() {
    const ASKERS: [&str; 24] = [
        "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s", "t",
        "u", "v", "w", "x",
    ];
    let mut line = line(TERMS);
    // Two at once and two a second are 22 within ten seconds.
    let told: Vec<bool> =
        ASKERS.iter().map(|asker| matches!(line.enter(asker, START), Entry::In(_))).collect();
    assert_eq!(told.iter().filter(|in_time| **in_time).count(), 22);
    assert!(told.is_sorted_by(|earlier, later| earlier >= later), "{told:?}");
    assert_eq!(line.enter(&"late", START), Entry::TooLate(Duration::from_millis(10_500)));
    assert_eq!(served(&mut line, START), ASKERS[..22]);
}

#[test]
fn no_more_are_under_way_than_the_source_bears() {
    let mut line = line(Terms { rate: Rate { burst: 9, per_second: 1.0 }, ..TERMS });
    let tickets = ["a", "b", "c", "d"].map(|asker| enter(&mut line, asker, START));
    for ticket in &tickets[..3] {
        assert_eq!(line.next(START), Next::Go(*ticket));
    }
    assert_eq!(line.next(START), Next::Full);
    line.leave(tickets[1]);
    assert_eq!(line.next(START), Next::Go(tickets[3]));
}

#[test]
fn a_source_that_asks_for_a_pause_gets_it_and_nobody_waits_past_it_in_vain() {
    let mut line = line(TERMS);
    let waiting = enter(&mut line, "a", START);
    line.close(Duration::from_secs(7), START);
    assert_eq!(line.next(START), Next::After(Duration::from_secs(7)));
    enter(&mut line, "b", START);
    line.close(Duration::from_secs(30), START);
    assert_eq!(line.enter(&"c", START), Entry::TooLate(Duration::from_millis(30_500)));
    assert_eq!(line.next(START + Duration::from_secs(30)), Next::Go(waiting));
}

#[test]
fn who_gives_up_makes_room_and_costs_nothing() {
    let mut line = line(Terms { rate: Rate { burst: 1, per_second: 1.0 }, ..TERMS });
    let gone = enter(&mut line, "a", START);
    let next = enter(&mut line, "b", START);
    line.leave(gone);
    line.leave(gone);
    assert_eq!(line.next(START), Next::Go(next));
    assert_eq!(line.next(START), Next::Nobody);
    assert!(line.waiting.is_empty() && line.round.is_empty());
}

/// Lets everyone ask whose turn comes until `end`, each answered at once; returns when who asked.
fn run(line: &mut Line<u8>, mut now: Duration, end: Duration) -> Vec<(Ticket, Duration)> {
    let mut asked = Vec::new();
    loop {
        match line.next(now) {
            Next::Go(ticket) => {
                line.leave(ticket);
                asked.push((ticket, now));
            }
            Next::After(wait) if now + wait <= end => now += wait,
            Next::After(_) | Next::Nobody => return asked,
            Next::Full => panic!("nobody is asking"),
        }
    }
}

proptest! {
    #[test]
    fn whoever_is_let_in_with_one_question_has_its_turn_in_time_and_the_rate_holds(
        arrivals in prop::collection::vec((0_u8..40, 0_u64..900), 1..120),
    ) {
        let (mut line, mut now) = (Line::new(TERMS, START), START);
        let (mut entered, mut asked) = (BTreeMap::new(), Vec::new());
        for (asker, pause) in arrivals {
            let then = now + Duration::from_millis(pause);
            asked.extend(run(&mut line, now, then));
            now = then;
            if !line.waiting.contains_key(&asker)
                && let Entry::In(ticket) = line.enter(&asker, now)
            {
                entered.insert(ticket, now);
            }
        }
        asked.extend(run(&mut line, now, now + Duration::from_hours(1)));
        prop_assert_eq!(asked.len(), entered.len());
        for (ticket, at) in &asked {
            prop_assert!(*at <= entered[ticket] + TERMS.patience + Duration::from_millis(1));
        }
        for (index, (_, first)) in asked.iter().enumerate() {
            let second = asked[index..].iter().take_while(|(_, at)| *at < *first + Duration::from_secs(1));
            prop_assert!(second.count() <= 4);
        }
    }
}
