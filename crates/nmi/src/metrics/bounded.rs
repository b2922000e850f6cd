//! Which values may be labels, when somebody else chooses them?

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};

/// Longest value that becomes a label, in bytes.
const LONGEST: usize = 128;

/// The first values that were seen, up to a limit.
#[derive(Debug)]
pub(super) struct Bounded {
    limit: usize,
    seen: RwLock<HashSet<Arc<str>>>,
    other: Arc<str>,
}

// === impl Bounded ===

impl Bounded {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, seen: RwLock::default(), other: "other".into() }
    }

    /// `value` if it was seen before or there is room for it, else "other".
    pub(super) fn label(&self, value: &str) -> Arc<str> {
        if let Some(label) = self.seen(value) {
            return label;
        }
        if value.len() > LONGEST || !value.bytes().all(|byte| byte.is_ascii_graphic()) {
            return self.other.clone();
        }
        let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= self.limit {
            return self.other.clone();
        }
        let label: Arc<str> = value.into();
        seen.insert(label.clone());
        label
    }

    /// `value` if it was seen before, else "other".
    pub(super) fn known_label(&self, value: &str) -> Arc<str> {
        self.seen(value).unwrap_or_else(|| self.other.clone())
    }

    fn seen(&self, value: &str) -> Option<Arc<str>> {
        self.seen.read().unwrap_or_else(PoisonError::into_inner).get(value).cloned()
    }
}
