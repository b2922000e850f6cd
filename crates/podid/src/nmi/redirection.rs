//! What is asked of the redirect beside redirecting?

use podid_nmi::redirect::Options;

/// Flags of the rules in the kernel.
#[derive(clap::Args)]
pub(super) struct Redirection {
    /// A Cilium local redirect policy brings pods here: listen at the node's address, and accept what is addressed to it
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false",
          default_missing_value = "true", action = clap::ArgAction::Set)]
    local_redirect_policy: bool,

    /// Keep pods away from WireServer, 168.63.129.16 at the ports 80 and 32526; the node itself still reaches it
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false",
          default_missing_value = "true", action = clap::ArgAction::Set)]
    block_wireserver: bool,

    /// Remove the chain aad-metadata that aad-pod-identity left among the node's rules. Rules of iptables-legacy cannot be
    /// reached; the log says what to run
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false",
          default_missing_value = "true", action = clap::ArgAction::Set)]
    cleanup_original: bool,
}

// === impl Redirection ===

impl Redirection {
    pub(super) fn options(&self) -> Options {
        Options {
            local_redirect_policy: self.local_redirect_policy,
            block_wireserver: self.block_wireserver,
            cleanup_original: self.cleanup_original,
        }
    }
}
