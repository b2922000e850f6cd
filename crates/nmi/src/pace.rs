//! At which pace are the sources asked on behalf of all pods of this node, and who counts as one asker?
//!
//! IMDS allows a machine 20 token requests a second, 5 of them at once, and 5 requests a second for
//! everything else (IMDS documentation, "Rate limiting"). Other programs of the node ask it, too, so a part is
//! left to them.

use std::net::IpAddr;
use std::time::Duration;

use podid_azure::pace::Pace;
use podid_core::answer::LONGEST_HOLD;
use podid_core::ids::Uid;
use podid_core::throttle::Rate;
use podid_core::turn::Terms;

/// Who asks, as far as fairness goes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Asker {
    /// This pod.
    Pod(Uid),
    /// Whoever is at this address: where nobody has to know the pod.
    Address(IpAddr),
}

/// The paces. Clones are the same.
#[derive(Clone, Debug)]
pub struct Paces {
    tokens: Pace<Asker>,
    metadata: Pace<Asker>,
    /// Entra.
    pub(crate) entra: Pace<Asker>,
}

/// A part of IMDS that has a limit of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The token route.
    Tokens,
    /// Everything else.
    Metadata,
}

/// How long a source is left alone that wants to be asked less and does not say how long.
pub(crate) const UNTOLD: Duration = Duration::from_secs(1);

/// Longest pause that a source's `Retry-After` makes for everyone.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// In any second at most 20 are asked, in the long run 15. Four places are enough for a pod that starts;
/// if it wants more, it is held until one is free.
const TOKENS: Terms =
    Terms { rate: Rate { burst: 5, per_second: 15.0 }, at_once: 5, of_one: 4, patience: LONGEST_HOLD };

/// Clients of instance metadata give up after some seconds.
const METADATA: Terms = Terms {
    rate: Rate { burst: 2, per_second: 3.0 },
    at_once: 4,
    of_one: 2,
    patience: Duration::from_secs(10),
};

/// Entra tells no figures for one machine. This is far above what the pods of a node need, and low enough
/// that one of them is no burden for the tenant.
const ENTRA: Terms =
    Terms { rate: Rate { burst: 20, per_second: 20.0 }, at_once: 16, of_one: 4, patience: LONGEST_HOLD };

// === impl Paces ===

impl Paces {
    /// For benches and fuzzing, whose sources bear everything.
    pub fn unlimited() -> Self {
        let rate = Rate { burst: u32::MAX, per_second: f64::from(u32::MAX) };
        let terms = Terms { rate, at_once: u32::MAX, of_one: usize::MAX, patience: LONGEST_HOLD };
        Self { tokens: Pace::new(terms), metadata: Pace::new(terms), entra: Pace::new(terms) }
    }

    /// The line for a part of IMDS.
    pub(crate) fn imds(&self, part: Part) -> &Pace<Asker> {
        match part {
            Part::Tokens => &self.tokens,
            Part::Metadata => &self.metadata,
        }
    }
}

impl Default for Paces {
    fn default() -> Self {
        Self { tokens: Pace::new(TOKENS), metadata: Pace::new(METADATA), entra: Pace::new(ENTRA) }
    }
}
