//! What does the object of a lock say, and how is it written?

use std::fmt::Debug;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Endpoints;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::Resource;
use podid_core::lease::Record;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Annotation in which the original's controllers keep their election record (peer contract §2.3).
const ANNOTATION: &str = "control-plane.alpha.kubernetes.io/leader";

/// Who holds a lock and since when. As JSON it is client-go's election record.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry {
    /// Empty if released.
    #[serde(rename = "holderIdentity", default)]
    pub(crate) holder: String,
    #[serde(rename = "leaseDurationSeconds", default)]
    pub(crate) seconds: i32,
    #[serde(rename = "acquireTime", default)]
    pub(crate) acquired: Option<Timestamp>,
    #[serde(rename = "renewTime", default)]
    pub(crate) renewed: Option<Timestamp>,
    #[serde(rename = "leaderTransitions", default)]
    pub(crate) transitions: i32,
}

/// A kind of object that can be a lock.
pub(crate) trait Lock:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + Debug
    + Default
    + DeserializeOwned
    + Serialize
    + Send
    + Sync
{
    /// What it says; none if it never was a lock or cannot be read as one.
    fn entry(&self) -> Option<Entry>;

    /// Makes it say `entry`; everything else in it stays.
    fn set_entry(&mut self, entry: Entry);
}

// === impl Entry ===

impl Entry {
    /// The entry with which `name` follows `previous`, taking over or renewing.
    pub(super) fn held(name: &str, duration: Duration, previous: Option<Self>, now: Timestamp) -> Self {
        let seconds = i32::try_from(duration.as_secs()).unwrap_or(i32::MAX);
        let (acquired, transitions) = match previous {
            Some(previous) if previous.holder == name => (previous.acquired, previous.transitions),
            Some(previous) => (Some(now), previous.transitions.saturating_add(1)),
            None => (Some(now), 0),
        };
        Self { holder: name.to_owned(), seconds, acquired, renewed: Some(now), transitions }
    }

    /// The entry of a lock that is free, as client-go's release leaves it.
    pub(super) fn released(self, now: Timestamp) -> Self {
        Self { holder: String::new(), seconds: 1, renewed: Some(now), ..self }
    }

    /// What a candidate needs to know of it. A holder that gave no duration gets `default`.
    pub(super) fn record(&self, default: Duration) -> Record {
        let seconds = u64::try_from(self.seconds).unwrap_or(0);
        Record {
            holder: self.holder.as_str().into(),
            duration: if seconds == 0 { default } else { Duration::from_secs(seconds) },
            renewal: self.renewed.map(|time| time.to_string()).unwrap_or_default().into(),
        }
    }
}

// === impl Lock ===

impl Lock for Lease {
    fn entry(&self) -> Option<Entry> {
        let spec = self.spec.as_ref()?;
        Some(Entry {
            holder: spec.holder_identity.clone().unwrap_or_default(),
            seconds: spec.lease_duration_seconds.unwrap_or(0),
            acquired: spec.acquire_time.as_ref().map(|time| time.0),
            renewed: spec.renew_time.as_ref().map(|time| time.0),
            transitions: spec.lease_transitions.unwrap_or(0),
        })
    }

    fn set_entry(&mut self, entry: Entry) {
        let spec = self.spec.get_or_insert_default();
        // A released lease has no holder; an empty one would be refused.
        spec.holder_identity = Some(entry.holder).filter(|holder| !holder.is_empty());
        spec.lease_duration_seconds = Some(entry.seconds);
        spec.acquire_time = entry.acquired.map(MicroTime);
        spec.renew_time = entry.renewed.map(MicroTime);
        spec.lease_transitions = Some(entry.transitions);
    }
}

impl Lock for Endpoints {
    fn entry(&self) -> Option<Entry> {
        let text = self.metadata.annotations.as_ref()?.get(ANNOTATION)?;
        serde_json::from_str(text).ok()
    }

    fn set_entry(&mut self, entry: Entry) {
        if let Ok(text) = serde_json::to_string(&entry) {
            self.metadata.annotations.get_or_insert_default().insert(ANNOTATION.to_owned(), text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As MIC 1.8 left it behind.
    const ORIGINAL: &str = r#"{"holderIdentity":"mic-7d9","leaseDurationSeconds":15,"acquireTime":"2023-10-01T10:00:00Z","renewTime":"2023-10-01T11:02:03Z","leaderTransitions":4}"#;

    fn now() -> Timestamp {
        "2026-11-24T10:00:00.123456Z".parse().unwrap()
    }

    #[test]
    fn the_originals_record_is_understood_and_continued() {
        let mut endpoints = Endpoints::default();
        endpoints.metadata.annotations.get_or_insert_default().insert(ANNOTATION.into(), ORIGINAL.into());
        let seen = endpoints.entry().unwrap();
        assert_eq!(seen.record(Duration::from_secs(1)).duration, Duration::from_secs(15));
        endpoints.set_entry(Entry::held("podid-0", Duration::from_secs(15), Some(seen), now()));
        assert_eq!(
            endpoints.metadata.annotations.unwrap()[ANNOTATION],
            r#"{"holderIdentity":"podid-0","leaseDurationSeconds":15,"acquireTime":"2026-11-24T10:00:00.123456Z","renewTime":"2026-11-24T10:00:00.123456Z","leaderTransitions":5}"#
        );
    }

    #[test]
    fn a_lease_with_absent_fields_is_free() {
        let lease: Lease = serde_json::from_str(r#"{"metadata":{"name":"x"},"spec":{}}"#).unwrap();
        let record = lease.entry().unwrap().record(Duration::from_secs(15));
        assert_eq!((&*record.holder, record.duration), ("", Duration::from_secs(15)));
    }

    #[test]
    fn renewing_keeps_the_time_of_acquisition() {
        let first = Entry::held("a", Duration::from_secs(15), None, now());
        let later = now() + jiff::SignedDuration::from_secs(5);
        let second = Entry::held("a", Duration::from_secs(15), Some(first.clone()), later);
        assert_eq!((second.acquired, second.transitions), (first.acquired, 0));
        assert_ne!(second.record(Duration::ZERO).renewal, first.record(Duration::ZERO).renewal);
    }
}
