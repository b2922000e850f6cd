//! May this object have another event?

use std::collections::HashMap;
use std::time::Duration;

use podid_core::ids::ObjectRef;
use tokio::time::Instant;

use super::Subject;

/// Events that an object may have at once.
const BURST: u32 = 25;

/// Time after which it may have one more; client-go's figure.
const REFILL: Duration = Duration::from_mins(5);

/// Objects whose spending is remembered.
const REMEMBERED: usize = 4096;

/// What each object has left.
#[derive(Debug, Default)]
pub(super) struct Budget {
    objects: HashMap<(Subject, ObjectRef), Purse>,
}

#[derive(Debug)]
struct Purse {
    left: u32,
    since: Instant,
}

// === impl Budget ===

impl Budget {
    /// Takes one event from the object's budget; false if there is none left.
    pub(super) fn spend(&mut self, subject: Subject, id: &ObjectRef, now: Instant) -> bool {
        if self.objects.len() >= REMEMBERED {
            self.objects.retain(|_, purse| now.duration_since(purse.since) < REFILL);
        }
        if self.objects.len() >= REMEMBERED {
            return false;
        }
        let purse = self.objects.entry((subject, id.clone())).or_insert(Purse { left: BURST, since: now });
        let earned = now.duration_since(purse.since).as_secs() / REFILL.as_secs();
        if earned > 0 {
            purse.left = BURST.min(purse.left.saturating_add(u32::try_from(earned).unwrap_or(BURST)));
            purse.since = now;
        }
        let Some(left) = purse.left.checked_sub(1) else { return false };
        purse.left = left;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_on_one_object_is_cut_short_and_leaves_others_alone() {
        let (mut budget, now) = (Budget::default(), Instant::now());
        let noisy = ObjectRef::new("n", "noisy");
        let passed = (0..100).filter(|_| budget.spend(Subject::Binding, &noisy, now)).count();
        assert_eq!(passed, 25);
        assert!(budget.spend(Subject::Binding, &ObjectRef::new("n", "quiet"), now));
        assert!(!budget.spend(Subject::Binding, &noisy, now + REFILL - Duration::from_secs(1)));
        assert!(budget.spend(Subject::Binding, &noisy, now + REFILL));
    }
}
