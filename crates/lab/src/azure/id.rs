//! Which ARM resource is meant? Ids are compared without case, as ARM does.

use std::cmp::Ordering;
use std::fmt;

use ring::digest::{SHA256, digest};

/// ARM id of a resource, group or subscription. Keeps its spelling, compares without case.
#[derive(Clone)]
pub struct ArmId {
    text: String,
    folded: String,
}

// === impl ArmId ===

impl ArmId {
    /// The id as written, less a slash at its end.
    pub fn new(text: impl Into<String>) -> Self {
        let mut text = text.into();
        text.truncate(text.trim_end_matches('/').len());
        let folded = text.to_ascii_lowercase();
        Self { text, folded }
    }

    /// The id of a subscription.
    pub fn subscription(id: &str) -> Self {
        Self::new(format!("/subscriptions/{id}"))
    }

    /// The id of the resource group `name` in `subscription`.
    pub fn group(subscription: &str, name: &str) -> Self {
        Self::new(format!("/subscriptions/{subscription}/resourceGroups/{name}"))
    }

    /// The resource `name` of `kind` (for example `Microsoft.Compute/virtualMachines`) in this group.
    #[must_use]
    pub fn resource(&self, kind: &str, name: &str) -> Self {
        Self::new(format!("{self}/providers/{kind}/{name}"))
    }

    /// The child resource `name` of `kind` below this resource.
    #[must_use]
    pub fn child(&self, kind: &str, name: &str) -> Self {
        Self::new(format!("{self}/{kind}/{name}"))
    }

    /// The id as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The last segment.
    pub fn name(&self) -> &str {
        self.text.rsplit('/').next().unwrap_or_default()
    }

    /// The subscription's id, if there is one.
    pub fn subscription_id(&self) -> Option<&str> {
        self.after("subscriptions")
    }

    /// The resource group's name, if there is one.
    pub fn group_name(&self) -> Option<&str> {
        self.after("resourcegroups")
    }

    /// Whether this is `scope` or something below it.
    pub fn is_within(&self, scope: &Self) -> bool {
        self.folded.strip_prefix(&scope.folded).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The id with `resourcegroups` in lower case, as Compute returns keys of identities.
    pub(crate) fn as_compute_writes_it(&self) -> String {
        match self.folded.find("/resourcegroups/") {
            Some(at) => {
                let end = at + "/resourcegroups/".len();
                format!("{}/resourcegroups/{}", &self.text[..at], &self.text[end..])
            }
            None => self.text.clone(),
        }
    }

    fn after(&self, key: &str) -> Option<&str> {
        let mut segments = self.text.split('/').skip(1);
        while let (Some(kind), Some(name)) = (segments.next(), segments.next()) {
            if kind.eq_ignore_ascii_case(key) {
                return Some(name);
            }
            if kind.eq_ignore_ascii_case("providers") {
                return None;
            }
        }
        None
    }
}

impl PartialEq for ArmId {
    fn eq(&self, other: &Self) -> bool {
        self.folded == other.folded
    }
}

impl Eq for ArmId {}

impl PartialOrd for ArmId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ArmId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.folded.cmp(&other.folded)
    }
}

impl fmt::Display for ArmId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for ArmId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

// === GUIDs ===

/// A GUID that depends on nothing but `parts`, so that one scenario shows the same ids in every run.
pub(crate) fn guid(parts: &[&str]) -> String {
    let hash = digest(&SHA256, parts.join("\n").to_lowercase().as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.as_ref()[..16]);
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}

/// A GUID that was never seen before, for requests.
pub(crate) fn fresh_guid() -> String {
    uuid::Uuid::new_v4().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_subscription_group_and_name_in_any_case() {
        let id =
            ArmId::new("/Subscriptions/S/resourcegroups/G/providers/Microsoft.Compute/virtualMachines/vm-0/");
        assert_eq!((id.subscription_id(), id.group_name(), id.name()), (Some("S"), Some("G"), "vm-0"));
        assert_eq!(ArmId::new("/subscriptions/S").group_name(), None);
    }

    #[test]
    fn a_group_does_not_hold_the_group_whose_name_is_longer() {
        let (rg, rg2) = (ArmId::group("s", "rg"), ArmId::group("s", "RG2"));
        assert!(ArmId::group("S", "RG").is_within(&rg));
        assert!(rg2.resource("A.B/c", "n").is_within(&ArmId::subscription("s")));
        assert!(!rg2.is_within(&rg));
    }

    #[test]
    fn compute_returns_the_word_resourcegroups_in_lower_case() {
        let id =
            ArmId::group("S", "MyGroup").resource("Microsoft.ManagedIdentity/userAssignedIdentities", "Demo");
        assert_eq!(
            id.as_compute_writes_it(),
            "/subscriptions/S/resourcegroups/MyGroup/providers/Microsoft.ManagedIdentity/userAssignedIdentities/Demo"
        );
        assert_eq!(ArmId::new(id.as_compute_writes_it()), id);
    }
}
