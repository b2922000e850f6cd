//! Which flags of the original are accepted and change nothing, and what is done instead?

/// Flags of the original that are accepted and change nothing.
#[derive(clap::Args)]
pub(super) struct Superseded {
    #[arg(long = "mic-namespace", alias = "MICNamespace", hide = true)]
    mic_namespace: Option<String>,
    #[arg(long, hide = true)]
    ipt_update_interval_sec: Option<i64>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    set_retry_after_header: Option<bool>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    enable_conntrack_deletion: Option<bool>,
    #[arg(long = "enable-profile", alias = "enableProfile", hide = true, num_args = 0..=1, require_equals = true,
          default_missing_value = "true")]
    enable_profile: Option<bool>,
}

// === impl Superseded ===

impl Superseded {
    /// Says once what became of each flag that was given.
    pub(super) fn report(&self) {
        let given = [
            (
                self.mic_namespace.is_some(),
                "MICNamespace",
                "MIC needs an AzurePodIdentityException like any pod",
            ),
            (
                self.ipt_update_interval_sec.is_some(),
                "ipt-update-interval-sec",
                "the redirect is repaired when it changes",
            ),
            (
                self.set_retry_after_header.is_some(),
                "set-retry-after-header",
                "503 with Retry-After is always the answer for now",
            ),
            (
                self.enable_conntrack_deletion.is_some(),
                "enable-conntrack-deletion",
                "old connections are always cut",
            ),
            (self.enable_profile.is_some(), "enableProfile", "there is no profiling port"),
        ];
        for (_, flag, instead) in given.into_iter().filter(|(given, ..)| *given) {
            tracing::warn!(flag, instead, "flag of the original without effect");
        }
    }
}
