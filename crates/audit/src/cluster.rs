//! What is in a live cluster, as rules ask for it?
//!
//! [`Picture`] is made from what `podid-kube` reads, and pure from then on: every object by the name that
//! its target has, so that a rule finds what its target is.

mod picture;

use podid_kube::Client;
use podid_kube::call::CallError;
use podid_kube::census::{self, Census};

use crate::report::Report;
use crate::run::Run;

pub use picture::{Picture, kind};

/// Looks at the cluster behind `client`.
pub async fn look(client: &Client) -> Result<Census, CallError> {
    census::census(client).await
}

/// Asks the rules about everything in the picture, and notes what could not be seen.
pub fn audit(picture: &Picture, run: &Run<'_, Picture>, report: &mut Report) {
    for target in picture.targets() {
        run.look(&target, report);
    }
    for line in &picture.unseen {
        let (what, why) = line.split_once(": ").unwrap_or((line, "it could not be read"));
        report.cannot_read(what, why);
    }
}
