//! Which arguments say what no pod gets, and what every pod may ask?

use podid_core::answer::ProtectedId;
use podid_core::request::PassThrough;
use podid_nmi::Callers;

/// Arguments about callers.
#[derive(clap::Args)]
pub(super) struct CallerArgs {
    /// Identity that no pod may have, whatever is bound to it: its client id or resource id; may be repeated.
    /// Pods with an exception ask IMDS themselves and are not held back
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    protected_identity: Vec<ProtectedId>,

    /// What pods without an exception may ask IMDS beside tokens: instance (reading instance metadata and versions)
    /// or all (as aad-pod-identity: anything under /metadata, by any method, but identity paths)
    #[arg(long, value_name = "WHAT", default_value = "instance", value_parser = parse_pass_through)]
    pass_through: PassThrough,
}

fn parse_pass_through(text: &str) -> Result<PassThrough, String> {
    match text {
        "instance" => Ok(PassThrough::Instance),
        "all" => Ok(PassThrough::All),
        _ => Err("use instance or all".to_owned()),
    }
}

// === impl CallerArgs ===

impl CallerArgs {
    pub(super) fn config(&self) -> Callers {
        Callers { protected: self.protected_identity.iter().cloned().collect() }
    }

    pub(super) fn pass_through(&self) -> PassThrough {
        self.pass_through
    }
}
