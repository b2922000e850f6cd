//! Where does the chance come from that keeps nodes from acting in step?

use ring::rand::{SecureRandom, SystemRandom};

/// A number from 0 up to but not including 1. Without a random source it is always the same, which is safe.
pub(crate) fn draw() -> f64 {
    let mut bytes = [0; 4];
    if SystemRandom::new().fill(&mut bytes).is_err() {
        return 0.5;
    }
    f64::from(u32::from_ne_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
}
