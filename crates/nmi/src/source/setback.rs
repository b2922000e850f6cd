//! No token from the source: hold the caller, or tell it what?
//!
//! Trouble that passes is waited for; what somebody has to change is said at once. Upstream bodies
//! are never repeated, only our clients' words for them (W-03).

use std::time::Duration;

use jiff::Timestamp;
use podid_azure::pace::Refused;
use podid_azure::{entra, imds};
use podid_core::answer::{Choice, LONGEST_HOLD, Terms, Wait, Without, unknown_to_imds};
use podid_core::facts::Pod;
use podid_core::redact::Foreign;
use podid_core::refusal::{Cause, Refusal};

use super::{Error, Failed};

/// The least of a `Retry-After` in seconds.
const SOONEST_BACK: u32 = 5;

/// A caller who got no token from the source.
#[derive(Debug)]
pub(crate) enum Setback {
    /// Ask again after this pause, if the caller can be held so long.
    Again(Wait, Duration),
    /// This is final.
    Final(Refusal),
}

/// Judges `failure`, for `pod` asking for `resource`.
pub(crate) fn setback(
    failure: &Failed,
    choice: Choice<'_>,
    pod: &Pod,
    resource: &str,
    terms: &Terms,
    now: Timestamp,
) -> Setback {
    let Failed::Source { error, retry_after } = failure else {
        return again(
            Refusal::trouble(Cause::UpstreamSlow, failure.to_string()),
            Duration::from_millis(100),
            terms,
        );
    };
    let identity = &choice.identity.id;
    let trouble = |cause: Cause, error: &dyn std::fmt::Display| {
        Refusal::trouble(
            cause,
            format!("No token of AzureIdentity {identity} for pod {} at present: {error}.", pod.id),
        )
    };
    let refused = |who: &str, word: &str, next: &str| {
        Setback::Final(Refusal::invalid(
            Cause::UpstreamRefused,
            format!(
                "{who} gives no token of AzureIdentity {identity} for resource {}: {word}. {next}",
                Foreign(resource)
            ),
        ))
    };
    match &**error {
        Error::Imds(imds::Error::IdentityNotFound) => match unknown_to_imds(choice, pod, terms, now) {
            Without::Wait(wait) => Setback::Again(wait, *retry_after),
            Without::Refuse(refusal) => Setback::Final(refusal),
        },
        Error::Imds(error @ imds::Error::Throttled { retry_after: asked }) => {
            throttled(&trouble(Cause::Throttled, error).text, *asked, *retry_after, terms)
        }
        Error::Entra(error @ entra::Error::Throttled { retry_after: asked }) => {
            throttled(&trouble(Cause::Throttled, error).text, *asked, *retry_after, terms)
        }
        Error::Imds(error @ imds::Error::Unavailable { .. }) => {
            again(trouble(Cause::UpstreamDown, error), *retry_after, terms)
        }
        Error::Entra(error @ entra::Error::Unavailable { .. }) => {
            again(trouble(Cause::UpstreamDown, error), *retry_after, terms)
        }
        Error::Busy(refused @ Refused::Enough { .. }) => {
            again(trouble(Cause::Throttled, refused), *retry_after, terms)
        }
        // Others wait already for as long as anyone is held.
        Error::Busy(refused @ Refused::TooLate { .. }) => {
            let refusal = trouble(Cause::Throttled, refused);
            Setback::Final(Refusal { retry_after: Some(back_in(*retry_after)), ..refusal })
        }
        Error::SecretUnread(reason) => again(trouble(Cause::SecretUnread, reason), *retry_after, terms),
        Error::Imds(imds::Error::Refused { status, code }) => refused(
            "IMDS",
            &format!("status {status}, {}", Foreign(code)),
            "Check that the resource exists in the identity's tenant.",
        ),
        Error::Entra(error @ (entra::Error::Refused { .. } | entra::Error::Proof(_))) => refused(
            "Entra",
            &Foreign(&error.to_string()).to_string(),
            "Correct the identity, its Secret or the resource.",
        ),
        Error::Unusable(reason) => Setback::Final(Refusal::never(Cause::IdentityUnusable, reason)),
    }
}

/// Seconds after which a turn that comes after `wait` is close enough to be waited for.
fn back_in(wait: Duration) -> u32 {
    u32::try_from(wait.saturating_sub(LONGEST_HOLD).as_secs()).unwrap_or(u32::MAX).max(SOONEST_BACK)
}

fn throttled(text: &str, asked: Option<Duration>, pause: Duration, terms: &Terms) -> Setback {
    let seconds = asked.map(|asked| u32::try_from(asked.as_secs()).unwrap_or(u32::MAX).max(1));
    again(Refusal::throttled(text, seconds), pause, terms)
}

fn again(refusal: Refusal, pause: Duration, terms: &Terms) -> Setback {
    Setback::Again(Wait { at_most: terms.hold_under_way, until: None, refusal }, pause)
}
