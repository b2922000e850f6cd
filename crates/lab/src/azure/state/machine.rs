//! Which identities does a virtual machine or scale set carry, and since when?

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::azure::id::ArmId;

/// A virtual machine, or a scale set with its instances.
pub(crate) struct Machine {
    pub(crate) id: ArmId,
    pub(crate) kind: Kind,
    pub(crate) identity: Identities,
    pub(crate) instances: Vec<Instance>,
    /// Counts the changes; the entity tag.
    pub(crate) revision: u64,
}

/// What sort of machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    VirtualMachine,
    ScaleSet,
}

/// One machine of a scale set.
pub(crate) struct Instance {
    pub(crate) id: String,
    pub(crate) computer_name: String,
}

/// The identities of one machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identities {
    pub(crate) system: Option<Attached>,
    pub(crate) users: BTreeMap<ArmId, Attached>,
}

/// An identity on a machine, as it was when it was put there: one that is deleted and made again under the same
/// name is another one, and is not on the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attached {
    pub(crate) client_id: String,
    pub(crate) principal_id: String,
    pub(crate) since: Timestamp,
}

/// `identity.type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IdentityType {
    None,
    System,
    User,
    Both,
}

/// Which identities a machine is to have.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Next {
    pub(crate) system: bool,
    pub(crate) users: BTreeSet<ArmId>,
}

// === impl Kind ===

impl Kind {
    pub(crate) fn resource_type(self) -> &'static str {
        match self {
            Self::VirtualMachine => "Microsoft.Compute/virtualMachines",
            Self::ScaleSet => "Microsoft.Compute/virtualMachineScaleSets",
        }
    }
}

// === impl Machine ===

impl Machine {
    pub(crate) fn new(id: ArmId, kind: Kind) -> Self {
        Self { id, kind, identity: Identities::default(), instances: Vec::new(), revision: 1 }
    }

    /// The entity tag, in its quotes.
    pub(crate) fn etag(&self) -> String {
        format!("\"{}\"", self.revision)
    }
}

// === impl Identities ===

impl Identities {
    pub(crate) fn kind(&self) -> IdentityType {
        match (&self.system, self.users.is_empty()) {
            (None, true) => IdentityType::None,
            (Some(_), true) => IdentityType::System,
            (None, false) => IdentityType::User,
            (Some(_), false) => IdentityType::Both,
        }
    }
}

// === impl IdentityType ===

impl IdentityType {
    /// The type named so; spaces around the comma and letter case make no difference.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().replace(' ', "").as_str() {
            "none" => Some(Self::None),
            "systemassigned" => Some(Self::System),
            "userassigned" => Some(Self::User),
            "systemassigned,userassigned" => Some(Self::Both),
            _ => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::System => "SystemAssigned",
            Self::User => "UserAssigned",
            Self::Both => "SystemAssigned, UserAssigned",
        }
    }

    pub(crate) fn has_users(self) -> bool {
        matches!(self, Self::User | Self::Both)
    }

    pub(crate) fn has_system(self) -> bool {
        matches!(self, Self::System | Self::Both)
    }
}
