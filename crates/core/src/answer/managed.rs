//! What does a pod get where nobody assigns and bindings decide?

use super::{Answer, Caller, Choice, Terms, View, Without, choose, in_time, protected, reason};
use crate::request::Selector;

use jiff::Timestamp;

pub(super) fn answer<'a, V: View>(
    view: &'a V,
    caller: Caller<'_>,
    selector: &Selector,
    terms: &Terms,
    now: Timestamp,
) -> Answer<'a> {
    let pod = caller.pod;
    if pod.selector().is_none() {
        return Answer::Without(Without::Refuse(reason::no_label(pod).never()));
    }
    let mut selection = view.selection(pod, terms.matching);
    let withheld = terms.protected.withhold(&mut selection);
    let choices = selection.grants.iter().map(|grant| Choice {
        identity: grant.identity,
        binding: grant.binding,
        assigned: None,
        others: 0,
    });
    choose(choices, selector, || {
        if let Some(refusal) = protected::refusal(&withheld, &selection, selector, pod) {
            return Without::Refuse(refusal);
        }
        in_time(reason::not_selected(&selection, pod, selector, terms.matching), caller, terms, now)
    })
}
