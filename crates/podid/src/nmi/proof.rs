//! Which arguments say whether the redirect is tested?

/// Arguments of the redirect's self-test.
#[derive(clap::Args)]
pub(super) struct Proof {
    /// Test over a link of its own whether connections to the metadata address reach this agent: at the start, after
    /// every change of the rules and every ten minutes. Not ready while they do not
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "true",
          default_missing_value = "true", action = clap::ArgAction::Set)]
    redirect_selftest: bool,
}

// === impl Proof ===

impl Proof {
    /// Whether the redirect is tested.
    pub(super) fn wanted(&self) -> bool {
        self.redirect_selftest
    }
}
