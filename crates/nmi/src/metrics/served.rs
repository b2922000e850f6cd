//! Were tokens there already, and how much life had they left?

use std::time::Duration;

use podid_runtime::metrics::{PlainCounter, Spread};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// From the least that is served while upstream answers (five minutes) to the longest that IMDS gives (a day), in
/// seconds.
const LIFE: [f64; 9] = [60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 21_600.0, 43_200.0, 86_400.0];

/// Tokens that were served.
#[derive(Debug)]
pub(super) struct ServedTokens {
    by_cache: Family<CacheLabels, PlainCounter>,
    hits: PlainCounter,
    misses: PlainCounter,
    life: Spread,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CacheLabels {
    cache: &'static str,
}

// === impl ServedTokens ===

impl ServedTokens {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "nmi_tokens_served_total",
            "Tokens that were served, by whether they were there already: hit or miss",
            self.by_cache.clone(),
        );
        registry.register(
            "nmi_token_life_seconds",
            "How much life tokens had left when they were served, in seconds",
            self.life.clone(),
        );
    }

    pub(super) fn count(&self, cached: bool, left: Duration) {
        if cached { &self.hits } else { &self.misses }.inc();
        self.life.observe(left.as_secs_f64());
    }
}

impl Default for ServedTokens {
    fn default() -> Self {
        let by_cache = Family::<CacheLabels, PlainCounter>::default();
        let counter = |cache| by_cache.get_or_create(&CacheLabels { cache }).clone();
        let (hits, misses) = (counter("hit"), counter("miss"));
        Self { by_cache, hits, misses, life: Spread::new(&LIFE) }
    }
}
