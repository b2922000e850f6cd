//! What becomes of the redirect when the agent ends?
//!
//! It stays, closed, for the successor, unless the agent saw that there will be none: the DaemonSet that
//! runs it was deleted together with its pods. What is not known counts as "there will be one". The last
//! word decides: a DaemonSet that was deleted and made again has pods that are about to come.

use crate::facts::{DaemonSet, Deletion};

/// What the agent does with its redirect at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Farewell {
    /// New connections meet silence until the successor opens the door.
    Close,
    /// Pods reach the metadata service itself again.
    Remove,
}

/// What the agent has seen of the DaemonSet that runs it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Seen {
    /// Nothing, so far or because nobody looks.
    #[default]
    Nothing,
    /// It exists and is to stay.
    Wanted,
    /// It is being deleted, or gone, and its pods go with it.
    Deleted,
    /// It is being deleted, or gone, and its pods stay: somebody has plans with them.
    Abandoned,
}

// === impl Seen ===

impl Seen {
    /// What is known after the DaemonSet was seen as it is now; none if it does not exist.
    #[must_use]
    pub fn then(self, now: Option<&DaemonSet>) -> Self {
        let Some(now) = now else {
            return match self {
                // One that was never there was not deleted: the name may be wrong.
                Self::Nothing => Self::Nothing,
                Self::Wanted | Self::Deleted => Self::Deleted,
                Self::Abandoned => Self::Abandoned,
            };
        };
        match now.deletion {
            None => Self::Wanted,
            Some(Deletion::WithPods) => Self::Deleted,
            Some(Deletion::WithoutPods) => Self::Abandoned,
        }
    }

    /// What to do, given this.
    #[must_use]
    pub fn farewell(self) -> Farewell {
        match self {
            Self::Deleted => Farewell::Remove,
            Self::Nothing | Self::Wanted | Self::Abandoned => Farewell::Close,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ObjectRef;

    #[derive(Clone, Copy)]
    enum Event {
        There,
        Going,
        LeavingPods,
        Gone,
    }
    use Event::{Going, Gone, LeavingPods, There};

    fn after(history: &[Event]) -> Farewell {
        let daemon_set = |deletion| DaemonSet { id: ObjectRef::new("kube-system", "nmi"), deletion };
        let seen = history.iter().fold(Seen::default(), |seen, event| match event {
            There => seen.then(Some(&daemon_set(None))),
            Going => seen.then(Some(&daemon_set(Some(Deletion::WithPods)))),
            LeavingPods => seen.then(Some(&daemon_set(Some(Deletion::WithoutPods)))),
            Gone => seen.then(None),
        });
        seen.farewell()
    }

    #[test]
    fn the_redirect_goes_only_when_the_daemon_set_was_seen_to_go_with_its_pods() {
        let cases: [(&str, &[Event], Farewell); 10] = [
            ("nobody looked", &[], Farewell::Close),
            ("it was never there", &[Gone, Gone], Farewell::Close),
            ("a rollout", &[There, There], Farewell::Close),
            ("deleted", &[There, Gone], Farewell::Remove),
            ("deleted, pods first", &[There, Going], Farewell::Remove),
            ("seen first while it goes", &[Going, Gone], Farewell::Remove),
            ("deleted and made again", &[There, Gone, There], Farewell::Close),
            ("made again and deleted again", &[There, Gone, There, Gone], Farewell::Remove),
            ("its pods stay", &[There, LeavingPods, Gone], Farewell::Close),
            ("its pods stay and get another", &[There, LeavingPods, Gone, There], Farewell::Close),
        ];
        for (name, history, expected) in cases {
            assert_eq!(after(history), expected, "{name}");
        }
    }
}
