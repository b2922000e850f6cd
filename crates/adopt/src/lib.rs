//! What would change for this cluster if podid took the place of the original, in words for people?
//!
//! [`check`] reads the cluster, [`podid_core::adopt`] judges it, and [`Report`] tells it: [`Report::table`]
//! to people, [`Report::json`] to programs. Nothing is written to the cluster.

mod report;
mod table;

use jiff::Timestamp;
use podid_core::adopt::{self, Plan, Scope};
use podid_core::select::Matching;
use podid_kube::Client;
use podid_kube::call::CallError;
use podid_kube::survey::survey;

pub use report::Report;

/// What to look at, and how podid is going to be installed.
pub struct Settings<'a> {
    /// The namespaces to look at.
    pub scope: Scope,
    /// How far matching will reach.
    pub matching: Matching,
    /// Why an `adEndpoint` will not be asked; none if it will.
    pub refuses_authority: &'a dyn Fn(&str) -> Option<String>,
}

/// Looks at the cluster. Fails only if the API server does not answer.
pub async fn check(client: &Client, settings: Settings<'_>) -> Result<Report, CallError> {
    let seen = Box::pin(survey(client, settings.scope)).await?;
    let plan = Plan {
        matching: settings.matching,
        refuses_authority: settings.refuses_authority,
        now: Timestamp::now(),
    };
    let findings = adopt::check(&seen.cluster, &plan);
    Ok(Report::new(&seen.cluster, findings, seen.unseen))
}
