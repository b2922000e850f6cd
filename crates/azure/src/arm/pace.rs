//! From which of ARM's budgets is a request paid, and what do answers tell about them?

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::HeaderMap;
use podid_core::ids::ComputeKind;
use podid_core::throttle::{Admission, Bucket as Kept, Budget, Rate};

use crate::clock::Clock;

/// The budgets of one client.
#[derive(Debug)]
pub(super) struct Pace {
    clock: Clock,
    budget: Mutex<Budget<Bucket>>,
}

/// One budget. The original had four gates (VM and scale set, read and write); these are per subscription.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Bucket {
    subscription: Arc<str>,
    family: Family,
    verb: Verb,
}

/// What is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Family {
    VirtualMachine,
    ScaleSet,
    Operation,
    /// Anything that has no budget of its own.
    Other,
}

/// Whether something is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verb {
    Read,
    Write,
}

/// What is left of the budgets of one kind, in all subscriptions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BudgetLeft {
    /// What is asked about: `vm`, `vmss` or `operation`.
    pub kind: &'static str,
    /// `read` or `write`.
    pub verb: &'static str,
    /// Which part of the budget is left, between 0 and 1, where least is.
    pub left: f64,
}

/// The budgets that the controller spends from.
const KINDS: [(Family, Verb); 5] = [
    (Family::VirtualMachine, Verb::Read),
    (Family::VirtualMachine, Verb::Write),
    (Family::ScaleSet, Verb::Read),
    (Family::ScaleSet, Verb::Write),
    (Family::Operation, Verb::Read),
];

/// How long a bucket is closed by a 429 that does not say how long.
const UNTOLD: Duration = Duration::from_secs(10);

// === impl BudgetLeft ===

impl BudgetLeft {
    /// As it is before anything was asked.
    pub fn all_whole() -> [Self; 5] {
        KINDS.map(|(family, verb)| Self { kind: family.word(), verb: verb.word(), left: 1.0 })
    }
}

// === impl Pace ===

impl Pace {
    pub(super) fn new() -> Self {
        Self { clock: Clock::system(), budget: Mutex::new(Budget::new()) }
    }

    /// Asks for one request of `bucket`.
    pub(super) fn take(&self, bucket: &Bucket) -> Admission {
        self.with(bucket, Kept::take)
    }

    /// Learns from an answer to a request of `bucket`.
    pub(super) fn learn(&self, bucket: &Bucket, status: u16, headers: &HeaderMap) {
        let remaining = remaining(headers, bucket.verb);
        let asked = crate::http::retry_after(headers);
        let closed =
            if status == 429 { Some(asked.unwrap_or(UNTOLD)) } else { asked.filter(|_| status == 503) };
        self.with(bucket, |kept, now| {
            if let Some(remaining) = remaining {
                kept.learn_remaining(remaining, now);
            }
            if let Some(wait) = closed {
                kept.close(wait, now);
            }
        });
    }

    /// What is left of each kind of budget; what was never asked for is whole.
    pub(super) fn left(&self) -> [BudgetLeft; 5] {
        let now = self.clock.steady();
        let budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        KINDS.map(|(family, verb)| {
            let buckets = budget.buckets().filter(|(key, _)| (key.family, key.verb) == (family, verb));
            let left = buckets.map(|(_, bucket)| bucket.left(now)).fold(1.0, f64::min);
            BudgetLeft { kind: family.word(), verb: verb.word(), left }
        })
    }

    fn with<T>(&self, bucket: &Bucket, use_it: impl FnOnce(&mut Kept, Duration) -> T) -> T {
        let now = self.clock.steady();
        let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        use_it(budget.bucket(bucket.clone(), bucket.verb.rate(), now), now)
    }
}

// === impl Bucket ===

impl Bucket {
    /// The budget for a request about the resource with the ARM id `id`.
    pub(super) fn of(id: &str, family: Family, verb: Verb) -> Self {
        let lower = id.to_ascii_lowercase();
        let (_, rest) = lower.split_once("/subscriptions/").unwrap_or_default();
        let subscription = rest.split(['/', '?']).next().unwrap_or_default().into();
        Self { subscription, family, verb }
    }
}

impl Family {
    fn word(self) -> &'static str {
        match self {
            Self::VirtualMachine => "vm",
            Self::ScaleSet => "vmss",
            Self::Operation => "operation",
            Self::Other => "other",
        }
    }
}

impl Verb {
    fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }

    /// ARM's limits per subscription, region and principal (ARM documentation, "Throttling").
    fn rate(self) -> Rate {
        match self {
            Self::Read => Rate { burst: 250, per_second: 25.0 },
            Self::Write => Rate { burst: 200, per_second: 10.0 },
        }
    }
}

impl From<ComputeKind> for Family {
    fn from(kind: ComputeKind) -> Self {
        match kind {
            ComputeKind::VirtualMachine => Self::VirtualMachine,
            ComputeKind::ScaleSet => Self::ScaleSet,
        }
    }
}

/// The least number of requests left that an answer tells of: ARM's own count, and those of the compute
/// service, `policy;count` in a list.
fn remaining(headers: &HeaderMap, verb: Verb) -> Option<u32> {
    let own = match verb {
        Verb::Read => "x-ms-ratelimit-remaining-subscription-reads",
        Verb::Write => "x-ms-ratelimit-remaining-subscription-writes",
    };
    let texts = |name| headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    let compute = texts("x-ms-ratelimit-remaining-resource")
        .flat_map(|list| list.split(','))
        .filter_map(|policy| policy.rsplit_once(';').map(|(_, count)| count));
    texts(own).chain(compute).filter_map(|count| count.trim().parse().ok()).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(subscription: &str, verb: Verb) -> Bucket {
        Bucket::of(&format!("/subscriptions/{subscription}/resourceGroups/g"), Family::ScaleSet, verb)
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn the_least_count_that_is_told_counts() {
        let compute = "Microsoft.Compute/PutVM3Min;237,Microsoft.Compute/PutVM30Min; 41 ";
        let cases = [
            (headers(&[("x-ms-ratelimit-remaining-subscription-reads", "11999")]), Some(11999), None),
            (headers(&[("x-ms-ratelimit-remaining-resource", compute)]), Some(41), Some(41)),
            (headers(&[("x-ms-ratelimit-remaining-subscription-writes", "x")]), None, None),
            (HeaderMap::new(), None, None),
        ];
        for (headers, read, write) in cases {
            assert_eq!(remaining(&headers, Verb::Read), read, "{headers:?}");
            assert_eq!(remaining(&headers, Verb::Write), write, "{headers:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_429_closes_its_own_budget_only() {
        let pace = Pace::new();
        let writes = bucket("S", Verb::Write);
        pace.learn(&writes, 429, &headers(&[("retry-after", "30")]));
        assert_eq!(pace.take(&bucket("s", Verb::Write)), Admission::Wait(Duration::from_secs(30)));
        let empty: Vec<_> = pace.left().into_iter().filter(|budget| budget.left < 0.5).collect();
        assert_eq!(empty, [BudgetLeft { kind: "vmss", verb: "write", left: 0.0 }]);
        assert_eq!(pace.take(&bucket("s", Verb::Read)), Admission::Go);
        assert_eq!(pace.take(&bucket("other", Verb::Write)), Admission::Go);
        tokio::time::advance(Duration::from_secs(30)).await;
        assert_eq!(pace.take(&writes), Admission::Go);
    }

    #[tokio::test(start_paused = true)]
    async fn a_count_of_zero_slows_down_to_the_refill() {
        let pace = Pace::new();
        let writes = bucket("s", Verb::Write);
        pace.learn(&writes, 200, &headers(&[("x-ms-ratelimit-remaining-subscription-writes", "0")]));
        assert_eq!(pace.take(&writes), Admission::Wait(Duration::from_millis(100)));
    }
}
