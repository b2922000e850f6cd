//! Does the agent keep its rules whatever bytes come? A short run; `cargo xtask fuzz request` makes a long one.
#![allow(clippy::unwrap_used, clippy::panic, reason = "these are tests")]

use podid_fuzz::corpus;
use podid_fuzz::run::{Found, Until, by_chance, every_byte, replay};

/// Fails with the inputs that broke a rule, which are kept.
fn assert_unbroken(found: &Found) {
    let broken: Vec<_> = found
        .broken
        .iter()
        .map(|(input, wrong)| format!("{wrong}: {}", corpus::keep(input).unwrap().display()))
        .collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[tokio::test]
async fn what_sdks_send_what_is_refused_and_what_once_broke_a_rule_is_answered_by_the_rules() {
    let found = replay().await.unwrap();
    assert_unbroken(&found);
    assert!(found.sent > 20, "the corpus is gone");
    assert!(found.kinds > 5, "everything is answered alike, so nothing is tried");
}

#[tokio::test]
async fn a_request_with_any_byte_changed_gets_a_token_only_if_it_still_asks_for_one() {
    let found = every_byte().await.unwrap();
    assert_unbroken(&found);
    assert!(found.sent > 2_000);
}

#[tokio::test]
async fn whatever_comes_there_is_an_answer_or_a_hang_up_no_panic_and_no_way_around_the_token_route() {
    let found = by_chance(1, Until::Sent(4_000)).await.unwrap();
    assert_unbroken(&found);
    assert!(found.kinds > 20, "only {} kinds of answer: chance does not get far", found.kinds);
}
