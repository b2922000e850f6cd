//! How slow, how strict and how forgetful is the simulated Azure? Every figure of a scenario, in one place.

use std::time::Duration;

use http::Method;
use jiff::fmt::serde::unsigned_duration::friendly::compact::required as duration;
use serde::{Deserialize, Serialize};

use super::fault::Fault;
use super::trace::Service;

/// Everything about the simulated Azure that a scenario may choose. Durations are written like `2s` or `150ms`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// GUID of the only tenant.
    pub tenant: String,
    /// GUID of the first subscription.
    pub subscription: String,
    /// Region of every resource.
    pub location: String,
    /// How long each service takes to answer.
    pub latency: Latencies,
    /// How identities get onto machines.
    pub assignment: Assignment,
    /// How roles are granted.
    pub roles: Grants,
    /// How long tokens live.
    pub tokens: Lifetimes,
    /// How much each service bears.
    pub limits: Limits,
    /// Faults that wait for their request.
    pub faults: Vec<Fault>,
    /// Resources that the tenant knows; a token for any other is refused (AADSTS500011).
    /// A slash at the end makes no difference.
    pub resources: Vec<String>,
}

/// How a PUT of a role assignment goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Grants {
    /// How long after the PUT requests are judged by it. Azure documents up to ten minutes.
    #[serde(with = "duration")]
    pub propagation: Duration,
}

/// Time until the answer, per service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Latencies {
    /// Instance metadata service.
    #[serde(with = "duration")]
    pub imds: Duration,
    /// ARM, `GET`.
    #[serde(with = "duration")]
    pub arm_read: Duration,
    /// ARM, everything else. The write is in effect before the answer leaves.
    #[serde(with = "duration")]
    pub arm_write: Duration,
    /// Entra.
    #[serde(with = "duration")]
    pub entra: Duration,
    /// Key Vault.
    #[serde(with = "duration")]
    pub vault: Duration,
}

/// How a PATCH of a machine's identities goes.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Assignment {
    /// Length of the operation that a PATCH starts. Zero: the PATCH answers 200 when all is done.
    #[serde(with = "duration")]
    pub patch: Duration,
    /// How long after the operation IMDS learns of a new identity.
    #[serde(with = "duration")]
    pub propagation: Duration,
    /// `Retry-After` of a running operation, in whole seconds.
    pub poll_seconds: u64,
    /// Whether a PATCH is refused with 409 while another runs on the same machine.
    pub refuse_concurrent: bool,
    /// Most identities in one PATCH.
    pub identities_per_request: usize,
}

/// Life of a token from its issue.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lifetimes {
    /// Tokens that IMDS hands out.
    #[serde(with = "duration")]
    pub managed_identity: Duration,
    /// Tokens that Entra hands out.
    #[serde(with = "duration")]
    pub service_principal: Duration,
}

/// Rate limits; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Token requests per machine. Azure documents 20 a second.
    pub imds: Option<Bucket>,
    /// ARM reads per subscription and principal. Azure documents 250 refilled by 25 a second.
    pub arm_reads: Option<Bucket>,
    /// ARM writes per subscription and principal. Azure documents 200 refilled by 10 a second.
    pub arm_writes: Option<Bucket>,
}

/// A bucket of requests.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bucket {
    /// Requests that fit into the bucket.
    pub size: u32,
    /// Requests that flow back per second.
    pub per_second: f64,
}

// === impl Settings ===

impl Default for Settings {
    fn default() -> Self {
        Self {
            tenant: "72f988bf-0000-4000-8000-00001ab00001".into(),
            subscription: "5b0ac3e5-0000-4000-8000-00001ab00002".into(),
            location: "westeurope".into(),
            latency: Latencies::default(),
            assignment: Assignment::default(),
            roles: Grants::default(),
            tokens: Lifetimes::default(),
            limits: Limits::default(),
            faults: Vec::new(),
            resources: [
                "https://management.azure.com",
                "https://management.core.windows.net",
                "https://vault.azure.net",
                "https://graph.microsoft.com",
                "https://storage.azure.com",
                "https://database.windows.net",
            ]
            .map(String::from)
            .into(),
        }
    }
}

impl Settings {
    /// Whether the tenant knows the resource.
    pub(crate) fn knows_resource(&self, resource: &str) -> bool {
        let asked = resource.trim_end_matches('/');
        self.resources.iter().any(|known| known.trim_end_matches('/').eq_ignore_ascii_case(asked))
    }
}

impl Latencies {
    /// How long this request takes.
    pub(crate) fn of(self, service: Service, method: &Method) -> Duration {
        match (service, method) {
            (Service::Imds, _) => self.imds,
            (Service::Arm, &Method::GET) => self.arm_read,
            (Service::Arm, _) => self.arm_write,
            (Service::Entra, _) => self.entra,
            (Service::Vault, _) => self.vault,
        }
    }
}

impl Default for Assignment {
    fn default() -> Self {
        Self {
            patch: Duration::ZERO,
            propagation: Duration::ZERO,
            poll_seconds: 1,
            refuse_concurrent: true,
            identities_per_request: 150,
        }
    }
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self { managed_identity: Duration::from_hours(24), service_principal: Duration::from_hours(1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_writes_durations_as_people_do() {
        let settings: Settings =
            serde_json::from_str(r#"{"assignment":{"patch":"2s","propagation":"1500ms"}}"#).unwrap();
        assert_eq!(settings.assignment.patch, Duration::from_secs(2));
        assert_eq!(settings.assignment.propagation, Duration::from_millis(1500));
        assert_eq!(settings.assignment.identities_per_request, 150);
    }

    #[test]
    fn refuses_a_setting_that_it_does_not_know() {
        let refused = serde_json::from_str::<Settings>(r#"{"assignment":{"pach":"2s"}}"#).unwrap_err();
        assert!(refused.to_string().contains("pach"));
    }

    #[test]
    fn a_slash_at_the_end_of_a_resource_makes_no_difference() {
        assert!(Settings::default().knows_resource("https://management.azure.com/"));
        assert!(!Settings::default().knows_resource("https://example.com"));
    }
}
