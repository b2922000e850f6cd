//! Has a spec changed?

/// FNV-1a over length-prefixed fields: the same in every process and version, unlike the standard
/// library's hasher. It detects edits; it is no defence against forgery.
pub(super) struct SpecHash(u64);

// === impl SpecHash ===

impl SpecHash {
    pub(super) fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// Adds a field; the length in front keeps ("ab", "c") apart from ("a", "bc").
    pub(super) fn field(mut self, text: &str) -> Self {
        let length = (text.len() as u64).to_le_bytes();
        for byte in length.iter().chain(text.as_bytes()) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        self
    }

    pub(super) fn finish(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_fields_have_the_same_hash_for_ever() {
        assert_eq!(SpecHash::new().field("a").field("").finish(), 0xffd8_0a17_8d19_199f);
    }

    #[test]
    fn where_a_field_ends_matters() {
        let one = SpecHash::new().field("ab").field("c").finish();
        let other = SpecHash::new().field("a").field("bc").finish();
        assert_ne!(one, other);
    }
}
