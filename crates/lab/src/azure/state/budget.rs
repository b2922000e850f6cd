//! How many more requests does a limit allow now?

use std::collections::HashMap;

use jiff::Timestamp;

use crate::azure::settings::Bucket;

/// The buckets in use, by what they limit.
#[derive(Default)]
pub(crate) struct Budgets(HashMap<String, Level>);

struct Level {
    left: f64,
    at: Timestamp,
}

/// The bucket is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exhausted {
    /// Whole seconds until one request fits again.
    pub(crate) retry_after: u64,
}

// === impl Budgets ===

impl Budgets {
    /// Takes one request out of the bucket of `key`; says how many are left.
    pub(crate) fn take(&mut self, key: &str, bucket: Bucket, now: Timestamp) -> Result<u64, Exhausted> {
        let size = f64::from(bucket.size);
        let level = self.0.entry(key.to_owned()).or_insert(Level { left: size, at: now });
        let passed = now.duration_since(level.at).as_secs_f64().max(0.0);
        level.left = (level.left + passed * bucket.per_second).min(size);
        level.at = now;
        if level.left >= 1.0 {
            level.left -= 1.0;
            return Ok(whole(level.left));
        }
        let wait = (1.0 - level.left) / bucket.per_second;
        Err(Exhausted { retry_after: whole(wait.ceil()).clamp(1, 3600) })
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and not negative")]
fn whole(number: f64) -> u64 {
    number.max(0.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    #[test]
    fn a_bucket_empties_and_fills_again() {
        let mut budgets = Budgets::default();
        let bucket = Bucket { size: 2, per_second: 0.5 };
        let start = Timestamp::UNIX_EPOCH;
        assert_eq!(budgets.take("a", bucket, start), Ok(1));
        assert_eq!(budgets.take("a", bucket, start), Ok(0));
        assert_eq!(budgets.take("a", bucket, start), Err(Exhausted { retry_after: 2 }));
        assert_eq!(budgets.take("b", bucket, start), Ok(1));
        assert_eq!(budgets.take("a", bucket, start + SignedDuration::from_secs(2)), Ok(0));
    }
}
