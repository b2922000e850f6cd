//! How do IMDS and Entra do, and how long are they waited for?

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use http::StatusCode;
use podid_azure::{entra, imds};
use podid_runtime::metrics::{PlainCounter, Spread, SpreadOver};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::time::Instant;

use super::bounded::Bounded;

/// Most words of upstreams that get a series of their own.
const CODES: usize = 64;

/// How long one answer takes, in seconds.
const LATENCIES: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0];

/// How long a question waits for its turn, in seconds.
const WAITS: [f64; 10] = [0.001, 0.01, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 50.0];

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Upstream {
    /// IMDS, for a token.
    Imds,
    /// IMDS, for anything else.
    Metadata,
    /// Entra.
    Entra,
}

/// Why there was no good answer.
#[derive(Debug)]
pub(crate) struct Trouble<'a> {
    /// One of few words.
    result: &'static str,
    /// The upstream's own word, if it has one for it, else the same.
    code: Cow<'a, str>,
}

/// Calls of IMDS and Entra, and the lines before them.
#[derive(Debug)]
pub(super) struct Upstreams {
    durations: Family<ResultLabels, Spread, SpreadOver>,
    errors: Family<CodeLabels, PlainCounter>,
    codes: Bounded,
    queued: Family<UpstreamLabels, Gauge<i64, AtomicI64>>,
    waits: Family<UpstreamLabels, Spread, SpreadOver>,
}

/// A question that waits for its turn.
#[derive(Debug)]
#[must_use = "it waits until this is dropped"]
pub(crate) struct Queued {
    begun: Instant,
    length: Gauge<i64, AtomicI64>,
    wait: Spread,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    upstream: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CodeLabels {
    upstream: &'static str,
    code: Arc<str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct UpstreamLabels {
    upstream: &'static str,
}

// === impl Upstream ===

impl Upstream {
    pub(super) const ALL: [Self; 3] = [Self::Imds, Self::Metadata, Self::Entra];

    fn word(self) -> &'static str {
        match self {
            Self::Imds => "imds",
            Self::Metadata => "imds-metadata",
            Self::Entra => "entra",
        }
    }
}

// === impl Trouble ===

impl Trouble<'_> {
    /// No answer, or none that can be used.
    pub(crate) const UNAVAILABLE: Self = Self::plain("unavailable");

    const IDENTITY_NOT_FOUND: Self = Self::plain("identity-not-found");
    const THROTTLED: Self = Self::plain("throttled");
    const CREDENTIAL_UNUSABLE: Self = Self::plain("credential-unusable");

    /// One of each kind.
    pub(super) fn all() -> [Self; 5] {
        let refused = Self { result: "refused", code: Cow::Borrowed("invalid_resource") };
        [Self::UNAVAILABLE, Self::IDENTITY_NOT_FOUND, Self::THROTTLED, Self::CREDENTIAL_UNUSABLE, refused]
    }

    const fn plain(word: &'static str) -> Self {
        Self { result: word, code: Cow::Borrowed(word) }
    }

    /// What a status says of an answer that is passed on; nothing if it is a good one.
    pub(crate) fn of_status(status: StatusCode) -> Option<Self> {
        let code = Cow::Owned(status.as_u16().to_string());
        match status.as_u16() {
            ..400 => None,
            429 => Some(Self { result: "throttled", code }),
            400..500 => Some(Self { result: "refused", code }),
            500.. => Some(Self { result: "unavailable", code }),
        }
    }
}

impl<'a> Trouble<'a> {
    /// Entra's number says more than the word before it.
    fn refused(code: &'a str) -> Self {
        let number = code.split_once("AADSTS").map(|(_, rest)| rest.trim_end_matches(')'));
        let code = match number {
            Some(number) => Cow::Owned(format!("AADSTS{number}")),
            None if code.contains(' ') => Cow::Owned(code.replace(' ', "-")),
            None => Cow::Borrowed(code),
        };
        Self { result: "refused", code }
    }
}

impl<'a> From<&'a imds::Error> for Trouble<'a> {
    fn from(error: &'a imds::Error) -> Self {
        match error {
            imds::Error::IdentityNotFound => Self::IDENTITY_NOT_FOUND,
            imds::Error::Throttled { .. } => Self::THROTTLED,
            imds::Error::Unavailable { .. } => Self::UNAVAILABLE,
            imds::Error::Refused { code, .. } => Self::refused(code),
        }
    }
}

impl<'a> From<&'a entra::Error> for Trouble<'a> {
    fn from(error: &'a entra::Error) -> Self {
        match error {
            entra::Error::Throttled { .. } => Self::THROTTLED,
            entra::Error::Unavailable { .. } => Self::UNAVAILABLE,
            entra::Error::Refused { code, .. } => Self::refused(code),
            entra::Error::Proof(_) => Self::CREDENTIAL_UNUSABLE,
        }
    }
}

// === impl Upstreams ===

impl Upstreams {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "nmi_upstream_duration_seconds",
            "How long IMDS and Entra took to answer, in seconds, by how they did: ok, identity-not-found, throttled, unavailable, refused or credential-unusable",
            self.durations.clone(),
        );
        registry.register(
            "nmi_upstream_errors_total",
            "Calls of IMDS and Entra without a good answer, by the word or number that they gave",
            self.errors.clone(),
        );
        registry.register(
            "nmi_upstream_queue_length",
            "Questions to IMDS and Entra that wait for their turn now",
            self.queued.clone(),
        );
        registry.register(
            "nmi_upstream_queue_wait_seconds",
            "How long questions to IMDS and Entra waited for their turn, in seconds",
            self.waits.clone(),
        );
    }

    pub(super) fn count(&self, upstream: Upstream, duration: Duration, trouble: Option<Trouble<'_>>) {
        let upstream = upstream.word();
        let result = trouble.as_ref().map_or("ok", |trouble| trouble.result);
        self.durations.get_or_create(&ResultLabels { upstream, result }).observe(duration.as_secs_f64());
        if let Some(trouble) = trouble {
            let code = self.codes.label(&trouble.code);
            self.errors.get_or_create(&CodeLabels { upstream, code }).inc();
        }
    }

    pub(super) fn queue(&self, upstream: Upstream) -> Queued {
        let labels = UpstreamLabels { upstream: upstream.word() };
        let length = self.queued.get_or_create(&labels).clone();
        length.inc();
        Queued { begun: Instant::now(), length, wait: self.waits.get_or_create(&labels).clone() }
    }
}

impl Default for Upstreams {
    fn default() -> Self {
        let new = Self {
            durations: Family::new_with_constructor(SpreadOver(&LATENCIES)),
            errors: Family::default(),
            codes: Bounded::new(CODES),
            queued: Family::default(),
            waits: Family::new_with_constructor(SpreadOver(&WAITS)),
        };
        for upstream in Upstream::ALL.map(Upstream::word) {
            drop(new.queued.get_or_create(&UpstreamLabels { upstream }));
            drop(new.waits.get_or_create(&UpstreamLabels { upstream }));
            drop(new.durations.get_or_create(&ResultLabels { upstream, result: "ok" }));
        }
        new
    }
}

// === impl Queued ===

impl Drop for Queued {
    fn drop(&mut self) {
        self.length.dec();
        self.wait.observe(self.begun.elapsed().as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_entra_is_the_code_where_there_is_one() {
        for (told, code) in [
            ("invalid_client (AADSTS7000215)", "AADSTS7000215"),
            ("AADSTS70011", "AADSTS70011"),
            ("invalid_resource", "invalid_resource"),
            ("status 418", "status-418"),
        ] {
            assert_eq!(Trouble::refused(told).code, code);
        }
    }

    #[test]
    fn an_answer_that_is_passed_on_is_judged_by_its_status() {
        let of = |status| Trouble::of_status(StatusCode::from_u16(status).unwrap());
        let judged = |status| of(status).map(|trouble| (trouble.result, trouble.code.into_owned()));
        assert_eq!(judged(200), None);
        assert_eq!(judged(404), Some(("refused", "404".to_owned())));
        assert_eq!(judged(429), Some(("throttled", "429".to_owned())));
        assert_eq!(judged(503), Some(("unavailable", "503".to_owned())));
    }

    #[test]
    fn words_of_upstreams_make_a_bounded_number_of_series() {
        let upstreams = Upstreams::default();
        for number in 0..1000 {
            let code = format!("word-{number}");
            upstreams.count(Upstream::Imds, Duration::ZERO, Some(Trouble::refused(&code)));
        }
        let other = CodeLabels { upstream: "imds", code: "other".into() };
        assert_eq!(upstreams.errors.get(&other).unwrap().get(), 1000 - CODES as u64);
    }
}
