//! Which request goes wrong, and how?

use std::time::Duration;

use jiff::fmt::serde::unsigned_duration::friendly::compact::required as duration;
use serde::{Deserialize, Serialize};

use super::trace::Service;

/// A fault that waits for requests which match it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Service that fails.
    pub service: Service,
    /// Only requests of this method.
    #[serde(default)]
    pub method: Option<String>,
    /// Only requests whose path contains this text, compared without case.
    #[serde(default)]
    pub path: Option<String>,
    /// Only requests for a token of this resource.
    #[serde(default)]
    pub resource: Option<String>,
    /// How many requests fail before the fault is used up.
    #[serde(default = "once")]
    pub times: u32,
    /// What happens to them.
    pub effect: Effect,
}

/// What happens to a request that meets a fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Answered with this status, in the service's own form of an error.
    Status {
        /// HTTP status.
        status: u16,
        /// Seconds in `Retry-After`; none, no header.
        #[serde(default)]
        retry_after: Option<u64>,
        /// Error code; none, the service's usual one for the status.
        #[serde(default)]
        code: Option<String>,
    },
    /// The connection is closed without an answer.
    Close,
    /// Handled as always, but answered so much later.
    Delay(#[serde(with = "duration")] Duration),
    /// A PATCH of a machine is accepted, and its operation fails in the end.
    FailOperation {
        /// Error code in the operation's status.
        code: String,
        /// Error message in the operation's status.
        message: String,
    },
}

/// The faults that are waiting.
#[derive(Default)]
pub(crate) struct Faults(Vec<Fault>);

fn once() -> u32 {
    1
}

// === impl Fault ===

impl Fault {
    /// The next request to `service` is answered with `status`.
    pub fn status(service: Service, status: u16) -> Self {
        Self::new(service, Effect::Status { status, retry_after: None, code: None })
    }

    /// The next request to `service` meets `effect`.
    pub fn new(service: Service, effect: Effect) -> Self {
        Self { service, method: None, path: None, resource: None, times: 1, effect }
    }

    /// The next `times` requests instead of one.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    /// Only requests with this method.
    #[must_use]
    pub fn on(mut self, method: &str) -> Self {
        self.method = Some(method.into());
        self
    }

    /// Only requests whose path contains `path`.
    #[must_use]
    pub fn at(mut self, path: &str) -> Self {
        self.path = Some(path.into());
        self
    }

    /// With a `Retry-After` of so many seconds, where the effect is a status.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        if let Effect::Status { retry_after, .. } = &mut self.effect {
            *retry_after = Some(seconds);
        }
        self
    }

    fn meets(&self, service: Service, method: &str, path: &str, resource: &str) -> bool {
        self.service == service
            && self.method.as_deref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            && self
                .path
                .as_deref()
                .is_none_or(|part| path.to_ascii_lowercase().contains(&part.to_ascii_lowercase()))
            && self.resource.as_deref().is_none_or(|wanted| wanted == resource)
    }
}

// === impl Faults ===

impl Faults {
    pub(crate) fn new(faults: Vec<Fault>) -> Self {
        Self(faults)
    }

    pub(crate) fn add(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// What happens to this request; uses the fault up by one.
    pub(crate) fn take(
        &mut self,
        service: Service,
        method: &str,
        path: &str,
        resource: &str,
    ) -> Option<Effect> {
        let meets = |fault: &Fault| fault.times > 0 && fault.meets(service, method, path, resource);
        let at = self.0.iter().position(meets)?;
        let fault = &mut self.0[at];
        fault.times -= 1;
        let effect = fault.effect.clone();
        self.0.retain(|fault| fault.times > 0);
        Some(effect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_writes_a_fault_in_few_words() {
        let fault: Fault =
            serde_json::from_str(r#"{"service":"arm","effect":{"status":{"status":503}}}"#).unwrap();
        assert_eq!((fault.times, fault.effect), (1, Fault::status(Service::Arm, 503).effect));
        let slow: Fault = serde_json::from_str(r#"{"service":"imds","effect":{"delay":"2s"}}"#).unwrap();
        assert_eq!(slow.effect, Effect::Delay(Duration::from_secs(2)));
    }

    #[test]
    fn a_fault_meets_only_its_requests_and_only_so_often() {
        let mut faults = Faults::default();
        faults.add(Fault::status(Service::Arm, 503).on("PATCH").at("/virtualmachines/").times(2));
        let path = "/subscriptions/s/providers/Microsoft.Compute/virtualMachines/vm";
        assert_eq!(faults.take(Service::Arm, "GET", path, ""), None);
        assert_eq!(faults.take(Service::Imds, "PATCH", path, ""), None);
        assert_eq!(faults.take(Service::Arm, "PATCH", "/subscriptions", ""), None);
        assert!(faults.take(Service::Arm, "PATCH", path, "").is_some());
        assert!(faults.take(Service::Arm, "PATCH", path, "").is_some());
        assert_eq!(faults.take(Service::Arm, "PATCH", path, ""), None);
    }

    #[test]
    fn a_fault_may_wait_for_the_token_of_one_resource() {
        let fault: Fault = serde_json::from_str(
            r#"{"service":"imds","resource":"https://a.example","effect":{"status":{"status":500}}}"#,
        )
        .unwrap();
        let mut faults = Faults::new(vec![fault]);
        for other in ["", "https://b.example"] {
            assert_eq!(faults.take(Service::Imds, "GET", "/token", other), None);
        }
        assert!(faults.take(Service::Imds, "GET", "/token", "https://a.example").is_some());
    }
}
