//! How long is a caller held, and what ends the hold?
//!
//! The answer is decided anew whenever something changed, so entitlement is checked before the cache
//! on every request, again after every wait, and once more before a token leaves. A caller who hangs up
//! drops all of this.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use podid_azure::tokens::Served;
use podid_core::answer::{Answer, Choice, Held, LONGEST_HOLD, View, Wait, Without, answer};
use podid_core::facts::{Identity, Pod};
use podid_core::ids::ObjectRef;
use podid_core::refusal::{Cause, Refusal};
use podid_core::request::{Selector, TokenRequest};
use podid_core::select::{Matching, Selection};
use tokio::time::Instant;

use super::Server;
use crate::caller::Found;
use crate::pace::Asker;
use crate::record::Record;
use crate::reply::{self, Reply};
use crate::snapshot::{Owner, Resident, Snapshot};
use crate::source::{Failed, Kept, Setback, setback};

/// How long held requests may go on once the agent is to end: its successor can listen only after that,
/// and clients who connect meanwhile try again after 1 s and 3 s.
const FAREWELL: Duration = Duration::from_secs(2);

/// In which way the caller reached us.
#[derive(Clone, Copy, Debug)]
pub(super) enum Manner {
    /// From a pod's address.
    Guest(IpAddr),
    /// By naming a pod, from the node itself.
    Host,
}

/// What became of a token request.
pub(super) enum Decided {
    Token(Reply),
    /// For this pod, as it was found to be.
    PassThrough(Found),
    Refuse(Refusal),
}

/// What one look at the facts led to.
enum Look<'a> {
    /// A token of this identity, if the caller may still have it.
    Token(Reply, &'a Identity),
    PassThrough,
    Refuse(Refusal),
    /// Look again when the facts change.
    UntilChange(Wait),
    /// Look again after a pause: it is not the facts that must change.
    After(Wait, Duration),
}

/// The facts as they count for one caller: exceptions are for guests only.
struct Seen<'a> {
    facts: &'a Snapshot,
    manner: Manner,
}

impl Server {
    pub(super) async fn decide(
        &mut self,
        manner: Manner,
        mut found: Found,
        wanted: &TokenRequest,
        record: &mut Record,
    ) -> Decided {
        loop {
            let snapshot = self.snapshots.borrow_and_update().clone();
            found = match still(manner, found, &snapshot) {
                Ok(found) => found,
                Err(refusal) => return Decided::Refuse(refusal),
            };
            let seen = Seen { facts: &snapshot, manner };
            match self.look(&seen, &found.resident, wanted, record).await {
                Look::PassThrough => return Decided::PassThrough(found),
                Look::Refuse(refusal) => return Decided::Refuse(refusal),
                Look::Token(reply, identity) => {
                    if self.may_still_have(identity, manner, &found, &snapshot, wanted) {
                        return match self.reaches(manner, &found).await {
                            Ok(()) => Decided::Token(reply),
                            Err(refusal) => Decided::Refuse(refusal),
                        };
                    }
                }
                Look::UntilChange(wait) => {
                    if !Box::pin(self.hold(&wait, None, record)).await {
                        return Decided::Refuse(wait.given_up());
                    }
                }
                Look::After(wait, pause) => {
                    if !Box::pin(self.hold(&wait, Some(pause), record)).await {
                        return Decided::Refuse(wait.given_up());
                    }
                }
            }
        }
    }

    /// Makes sure that nothing has happened to the caller's address while it was held.
    pub(super) async fn reaches(&mut self, manner: Manner, found: &Found) -> Result<(), Refusal> {
        let Manner::Guest(peer) = manner else { return Ok(()) };
        if self.parts.neighbours.version(peer.to_canonical()) == found.version {
            return Ok(());
        }
        let now = Box::pin(self.caller(peer)).await?;
        if now.resident.pod.uid == found.resident.pod.uid { Ok(()) } else { Err(gone(found)) }
    }

    async fn look<'a>(
        &self,
        seen: &'a Seen<'_>,
        resident: &Resident,
        wanted: &TokenRequest,
        record: &mut Record,
    ) -> Look<'a> {
        let manner = seen.manner;
        match self.judge(seen, resident, wanted) {
            Answer::Serve(choice) => self.serve(manner, choice, resident, wanted, record).await,
            Answer::Find(choices, otherwise) => {
                let found = Box::pin(self.find(manner, &choices, resident, wanted, record)).await;
                found.unwrap_or_else(|| otherwise.into())
            }
            Answer::PassThrough => Look::PassThrough,
            Answer::Without(without) => without.into(),
        }
    }

    fn judge<'a>(&self, seen: &'a Seen<'_>, resident: &Resident, wanted: &TokenRequest) -> Answer<'a> {
        answer(seen, resident.caller(), &wanted.selector, &self.parts.terms, (self.parts.clock)())
    }

    /// Whether the newest facts entitle the caller as `before` did: fetching may have taken long.
    fn may_still_have(
        &self,
        identity: &Identity,
        manner: Manner,
        found: &Found,
        before: &Arc<Snapshot>,
        wanted: &TokenRequest,
    ) -> bool {
        if Arc::ptr_eq(&self.snapshots.borrow(), before) {
            return true;
        }
        let newest = self.snapshots.borrow().clone();
        let Ok(found) = still(manner, found.clone(), &newest) else { return false };
        match self.judge(&Seen { facts: &newest, manner }, &found.resident, wanted) {
            Answer::Serve(choice) => *choice.identity == *identity,
            Answer::Find(choices, _) => choices.iter().any(|choice| *choice.identity == *identity),
            Answer::PassThrough | Answer::Without(_) => false,
        }
    }

    async fn serve<'a>(
        &self,
        manner: Manner,
        choice: Choice<'a>,
        resident: &Resident,
        wanted: &TokenRequest,
        record: &mut Record,
    ) -> Look<'a> {
        record.identity(choice);
        match self.fetch(choice, &Asker::Pod(resident.pod.uid.clone()), wanted, record).await {
            Ok(served) => {
                record.token(served.cached, served.left);
                if choice.others > 0 {
                    flag(choice, resident, served.cached, record);
                }
                Look::Token(body(manner, &served.value, served.left), choice.identity)
            }
            Err(failure) => self.failed(&failure, choice, resident, wanted),
        }
    }

    /// A token of `choice`, unless the caller would be held too long for it; the fetch goes on without it.
    async fn fetch(
        &self,
        choice: Choice<'_>,
        asker: &Asker,
        wanted: &TokenRequest,
        record: &Record,
    ) -> Result<Served<Kept>, Failed> {
        // In this order: an answer that is there needs no timer.
        tokio::select! {
            biased;
            answer = self.parts.source.token(choice.identity, wanted, asker) => answer,
            () = tokio::time::sleep_until(record.begun() + LONGEST_HOLD) => Err(Failed::Abandoned),
            () = self.drained() => Err(Failed::Abandoned),
        }
    }

    /// The one of `choices` whose token names the object id asked for; none if no token does.
    async fn find<'a>(
        &self,
        manner: Manner,
        choices: &[Choice<'a>],
        resident: &Resident,
        wanted: &TokenRequest,
        record: &mut Record,
    ) -> Option<Look<'a>> {
        let Selector::Principal(principal) = &wanted.selector else { return None };
        let asker = Asker::Pod(resident.pod.uid.clone());
        let mut unasked = None;
        for choice in choices {
            match self.fetch(*choice, &asker, wanted, record).await {
                Ok(served) if served.value.principal() == Some(principal) => {
                    record.identity(*choice);
                    record.token(served.cached, served.left);
                    return Some(Look::Token(body(manner, &served.value, served.left), choice.identity));
                }
                Ok(_) => {}
                Err(failure) => unasked = unasked.or(Some(self.failed(&failure, *choice, resident, wanted))),
            }
        }
        unasked
    }

    fn failed(
        &self,
        failure: &Failed,
        choice: Choice<'_>,
        resident: &Resident,
        wanted: &TokenRequest,
    ) -> Look<'static> {
        let (terms, now) = (&self.parts.terms, (self.parts.clock)());
        match setback(failure, choice, &resident.pod, &wanted.resource, terms, now) {
            Setback::Again(wait, pause) => Look::After(wait, pause),
            Setback::Final(refusal) => Look::Refuse(refusal),
        }
    }

    /// Waits until it is worth looking again; false if the caller must not be held that long.
    async fn hold(&self, wait: &Wait, pause: Option<Duration>, record: &mut Record) -> bool {
        let (start, end) = (Instant::now(), record.begun() + wait.at_most);
        let turn = wait.until.map(|until| until.duration_since((self.parts.clock)()).unsigned_abs());
        let look_again = pause.or(turn).map_or(end, |after| start + after);
        if start >= end || pause.is_some() && look_again > end {
            return false;
        }
        let mut snapshots = self.snapshots.clone();
        record.hold_begins();
        let again = tokio::select! {
            changed = snapshots.changed(), if pause.is_none() => changed.is_ok(),
            () = tokio::time::sleep_until(look_again.min(end)) => look_again < end,
            () = self.drained() => false,
        };
        record.hold_ends();
        again
    }

    /// Completes when no caller is to be held any longer.
    async fn drained(&self) {
        self.parts.draining.begun().await;
        tokio::time::sleep(FAREWELL).await;
    }
}

/// The caller as the newest facts have it. Its address may have gone to another pod meanwhile, whose
/// identities are none of its business. One whom only the API knew is kept while the watch cannot tell.
pub(super) fn still(manner: Manner, found: Found, snapshot: &Snapshot) -> Result<Found, Refusal> {
    let now = match manner {
        Manner::Guest(address) => match snapshot.owner(address.to_canonical()) {
            Owner::One(resident) => Some(resident),
            Owner::Nobody | Owner::Several(_) if found.by_lookup => return Ok(found),
            Owner::Nobody | Owner::Several(_) => None,
        },
        Manner::Host => {
            snapshot.pods.get(&found.resident.pod.id).filter(|known| known.pod.is_live()).cloned()
        }
    };
    match now {
        Some(resident) if resident.pod.uid == found.resident.pod.uid => {
            Ok(Found { resident, by_lookup: false, version: found.version })
        }
        _ => Err(gone(&found)),
    }
}

fn gone(found: &Found) -> Refusal {
    Refusal::trouble(
        Cause::CallerChanged,
        format!(
            "Pod {} no longer has the address that the request came from. Connect and ask again.",
            found.resident.pod.id
        ),
    )
}

/// The pod gets the same identity every time, but perhaps not the one that it means.
fn flag(choice: Choice<'_>, resident: &Resident, cached: bool, record: &mut Record) {
    let (pod, identity, others) = (&resident.pod.id, &choice.identity.id, choice.others);
    record
        .reason(&format!("no identity was asked for by id; the pod has {others} more, this one sorts first"));
    if !cached {
        tracing::warn!(%pod, %identity, others, "a pod with several identities asks for none by id; let it name one");
    }
}

fn body(manner: Manner, kept: &Arc<Kept>, left: Duration) -> Reply {
    match manner {
        Manner::Guest(_) => reply::json(StatusCode::OK, kept.body(left)),
        Manner::Host => reply::json(StatusCode::OK, kept.host_body(left)),
    }
}

// === impl Look ===

impl From<Without> for Look<'_> {
    fn from(without: Without) -> Self {
        match without {
            Without::Wait(wait) => Self::UntilChange(wait),
            Without::Refuse(refusal) => Self::Refuse(refusal),
        }
    }
}

// === impl Seen ===

impl View for Seen<'_> {
    fn excepts(&self, pod: &Pod) -> bool {
        matches!(self.manner, Manner::Guest(_)) && self.facts.excepts(pod)
    }

    fn assignments(&self, pod: &ObjectRef) -> impl Iterator<Item = &Held> {
        self.facts.assignments(pod)
    }

    fn selection(&self, pod: &Pod, matching: Matching) -> Selection<'_> {
        self.facts.selection(pod, matching)
    }
}
