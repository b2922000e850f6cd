//! Which thing is meant? Typed names, so that a pod's name never passes for a node's.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Namespace and name of a namespaced Kubernetes object.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectRef {
    /// Namespace of the object.
    pub namespace: Arc<str>,
    /// Name of the object, unique for its kind within the namespace.
    pub name: Arc<str>,
}

/// The uid that the API server gave an object; another object of the same name has another one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uid(Arc<str>);

/// Name of a node.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName(Arc<str>);

/// Application (client) id of an identity in Entra, compared without case as Entra does.
#[derive(Clone)]
pub struct ClientId(CaseInsensitive);

/// Object (principal) id of an identity in Entra, compared without case.
#[derive(Clone)]
pub struct PrincipalId(CaseInsensitive);

/// ARM id of a user-assigned managed identity, compared without case as ARM does.
///
/// Only the anchored form
/// `/subscriptions/S/resourceGroups/G/providers/Microsoft.ManagedIdentity/userAssignedIdentities/N`
/// parses (peer contract §1.2, there unanchored; ARM answers with keys in other letter case, §3.3).
#[derive(Clone)]
pub struct IdentityResourceId(CaseInsensitive);

/// ARM id of a virtual machine or scale set, compared without case.
#[derive(Clone)]
pub struct ComputeId {
    text: CaseInsensitive,
    kind: ComputeKind,
}

/// What kind of compute resource carries identities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ComputeKind {
    /// `Microsoft.Compute/virtualMachines`
    VirtualMachine,
    /// `Microsoft.Compute/virtualMachineScaleSets`
    ScaleSet,
}

/// Why a text is not the id that it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// The text is not the ARM id of a user-assigned managed identity.
    #[error(
        "{0:?} is not the resource id of a user-assigned managed identity; expected \
         /subscriptions/SUBSCRIPTION/resourceGroups/GROUP/providers/Microsoft.ManagedIdentity/userAssignedIdentities/NAME \
         (az identity show --query id)"
    )]
    Identity(String),
    /// The text is empty where an id is needed.
    #[error("the {0} is empty")]
    Empty(&'static str),
}

/// Text that keeps its spelling and compares without case.
#[derive(Clone)]
struct CaseInsensitive {
    written: Arc<str>,
    folded: Arc<str>,
}

// === impl ObjectRef ===

impl ObjectRef {
    /// The object `name` in `namespace`.
    pub fn new(namespace: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl fmt::Debug for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

// === impl Uid, NodeName ===

macro_rules! plain_text {
    ($type:ident, $doc:literal) => {
        impl $type {
            #[doc = $doc]
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The text as it was given.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

plain_text!(Uid, "The uid as the API server wrote it.");
plain_text!(NodeName, "The node's name.");

// === impl ids that compare without case ===

macro_rules! folded_text {
    ($type:ident) => {
        impl $type {
            /// The text as it was written.
            pub fn as_str(&self) -> &str {
                &self.0.written
            }

            /// The text in lower case: equal ids have equal folded texts.
            pub fn folded(&self) -> &str {
                &self.0.folded
            }
        }

        impl PartialEq for $type {
            fn eq(&self, other: &Self) -> bool {
                self.0.folded == other.0.folded
            }
        }

        impl Eq for $type {}

        impl PartialOrd for $type {
            fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }

        impl Ord for $type {
            fn cmp(&self, other: &Self) -> std::cmp::Ordering {
                self.0.folded.cmp(&other.0.folded)
            }
        }

        impl Hash for $type {
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.0.folded.hash(state);
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0.written)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0.written)
            }
        }
    };
}

folded_text!(ClientId);
folded_text!(PrincipalId);
folded_text!(IdentityResourceId);

impl ClientId {
    /// The client id `text`; surrounding space is dropped, an empty text is refused (W-04).
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        not_empty(text, "client id").map(Self)
    }
}

impl PrincipalId {
    /// The object id `text`; surrounding space is dropped, an empty text is refused.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        not_empty(text, "object id").map(Self)
    }
}

impl IdentityResourceId {
    /// The resource id `text`, if it is one of a user-assigned managed identity.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let text = text.trim();
        let invalid = || InvalidId::Identity(text.to_owned());
        let rest = text.strip_prefix('/').ok_or_else(invalid)?;
        let parts: Vec<&str> = rest.split('/').collect();
        let expected: [Option<&str>; 8] = [
            Some("subscriptions"),
            None,
            Some("resourcegroups"),
            None,
            Some("providers"),
            Some("microsoft.managedidentity"),
            Some("userassignedidentities"),
            None,
        ];
        let fits = parts.len() == expected.len()
            && parts.iter().zip(expected).all(|(part, want)| match want {
                Some(word) => part.eq_ignore_ascii_case(word),
                None => !part.is_empty() && part.chars().all(is_name_character),
            });
        if fits { Ok(Self(CaseInsensitive::new(text))) } else { Err(invalid()) }
    }

    /// The identity's own name: the last part of the id.
    pub fn name(&self) -> &str {
        self.0.written.rsplit('/').next().unwrap_or_default()
    }
}

// === impl ComputeId ===

impl ComputeId {
    /// The virtual machine `name`.
    pub fn virtual_machine(subscription: &str, group: &str, name: &str) -> Self {
        Self::new(ComputeKind::VirtualMachine, subscription, group, name)
    }

    /// The scale set `name`.
    pub fn scale_set(subscription: &str, group: &str, name: &str) -> Self {
        Self::new(ComputeKind::ScaleSet, subscription, group, name)
    }

    fn new(kind: ComputeKind, subscription: &str, group: &str, name: &str) -> Self {
        let text = format!(
            "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute/{}/{name}",
            kind.segment()
        );
        Self { text: CaseInsensitive::new(&text), kind }
    }

    /// Whether this is a machine or a scale set.
    pub fn kind(&self) -> ComputeKind {
        self.kind
    }

    /// The whole ARM id, beginning with a slash.
    pub fn as_str(&self) -> &str {
        &self.text.written
    }

    /// The id in lower case: equal ids have equal folded texts.
    pub fn folded(&self) -> &str {
        &self.text.folded
    }

    /// The resource's own name.
    pub fn name(&self) -> &str {
        self.text.written.rsplit('/').next().unwrap_or_default()
    }
}

impl ComputeKind {
    /// The kind in words.
    pub fn noun(self) -> &'static str {
        match self {
            Self::VirtualMachine => "VM",
            Self::ScaleSet => "scale set",
        }
    }

    /// The type segment of the ARM id.
    pub fn segment(self) -> &'static str {
        match self {
            Self::VirtualMachine => "virtualMachines",
            Self::ScaleSet => "virtualMachineScaleSets",
        }
    }
}

impl PartialEq for ComputeId {
    fn eq(&self, other: &Self) -> bool {
        self.text.folded == other.text.folded
    }
}

impl Eq for ComputeId {}

impl PartialOrd for ComputeId {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ComputeId {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.text.folded.cmp(&other.text.folded)
    }
}

impl Hash for ComputeId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.folded.hash(state);
    }
}

impl fmt::Display for ComputeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text.written)
    }
}

impl fmt::Debug for ComputeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text.written)
    }
}

// === impl CaseInsensitive ===

impl CaseInsensitive {
    fn new(text: &str) -> Self {
        let written: Arc<str> = text.into();
        let folded = if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            text.to_ascii_lowercase().into()
        } else {
            written.clone()
        };
        Self { written, folded }
    }
}

fn not_empty(text: &str, what: &'static str) -> Result<CaseInsensitive, InvalidId> {
    match text.trim() {
        "" => Err(InvalidId::Empty(what)),
        text => Ok(CaseInsensitive::new(text)),
    }
}

/// What ARM allows in subscription, group and resource names; nothing that could leave a path segment.
pub(crate) fn is_name_character(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '(' | ')')
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str =
        "/subscriptions/s/resourcegroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/app";

    /// W-47.
    #[test]
    fn resource_ids_compare_without_case() {
        let upper = GOOD.to_ascii_uppercase();
        let (a, b) = (IdentityResourceId::parse(GOOD).unwrap(), IdentityResourceId::parse(&upper).unwrap());
        assert_eq!(a, b);
        assert_eq!(b.as_str(), upper);
        assert_eq!(b.name(), "APP");
    }

    #[test]
    fn only_the_anchored_form_is_a_resource_id() {
        let bad = [
            "",
            "/",
            &GOOD[1..],
            &format!("https://evil{GOOD}"),
            &format!("{GOOD}/"),
            &format!("{GOOD}/more"),
            &GOOD.replace("/g/", "//"),
            &GOOD.replace("app", "a?b"),
            &GOOD.replace("app", "a%2Fb"),
            &GOOD.replace("userAssigned", "systemAssigned"),
        ];
        for text in bad {
            assert!(IdentityResourceId::parse(text).is_err(), "{text}");
        }
    }

    /// W-04.
    #[test]
    fn an_empty_client_id_is_refused() {
        assert_eq!(ClientId::parse("  "), Err(InvalidId::Empty("client id")));
        assert_eq!(ClientId::parse(" AB-1 ").unwrap(), ClientId::parse("ab-1").unwrap());
    }
}
