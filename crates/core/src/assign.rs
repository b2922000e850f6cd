//! Which identities does one VM or scale set gain and lose, given all its users and the protected ones?
//!
//! An identity is added when somebody needs it and it is absent. It is removed when nobody needs it,
//! podid put it there, and it is not protected. What podid put there stands in the [`Ledger`], which
//! is written *before* the PATCH that it describes, so that a crash at any point loses nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::{ClientId, ComputeId, IdentityResourceId};

/// ARM refuses more entries than this in one PATCH (peer contract §3.3).
pub const PATCH_LIMIT: usize = 150;

/// A set of managed identities.
pub type Identities = BTreeSet<IdentityResourceId>;

/// What ARM says is on a VM or scale set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Present {
    /// Its `identity.type`.
    pub kind: Kind,
    /// Its user-assigned identities, with the client id of each where ARM told it.
    pub identities: BTreeMap<IdentityResourceId, Option<ClientId>>,
    /// Number of further entries whose keys are no identity's id; they are never touched.
    pub unknown: usize,
    /// Whether it is being deleted and must not be written.
    pub deleting: bool,
}

/// ARM's `identity.type`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// No identity, or no `identity` at all.
    #[default]
    None,
    /// `SystemAssigned`
    System,
    /// `UserAssigned`
    User,
    /// `SystemAssigned, UserAssigned`
    SystemAndUser,
    /// A spelling that we do not know; nothing is written over it (W-33).
    Other(String),
}

/// Who put the identities there that podid uses on one VM or scale set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// podid put them there, or is about to; it removes them when nobody needs them.
    pub put: Identities,
    /// They were there before podid needed them, or are protected; it never removes them.
    pub found: Identities,
}

/// What the users of a VM or scale set want of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// Identities that some pod there needs.
    pub needed: Identities,
    /// Identities that some record there calls assigned. A record alone is no proof that podid or the
    /// original put the identity there: what is taken over stands in the ledger (see [`taken_over`]).
    pub recorded: Identities,
}

/// What is not done now, and may be done later.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deferred {
    /// Identities that are not added, because ARM refused them lately.
    pub add: Identities,
    /// Identities that are not removed, because somebody needed them a moment ago and may again.
    pub remove: Identities,
    /// Identities of podid's that are not forgotten although they are absent, because a PATCH of before may yet
    /// put them there.
    pub arriving: Identities,
}

/// What is never removed, whoever put it there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Protected {
    /// By client id: the cluster's own identity and `--immutable-user-msis` (W-48).
    pub clients: BTreeSet<ClientId>,
    /// By resource id, for where ARM does not tell the client id.
    pub resources: Identities,
}

/// What to do about one VM or scale set, in this order: write `ledger`, send `patches`, write `after`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The ledger that must be written before the first PATCH.
    pub ledger: Ledger,
    /// The PATCHes, each small enough for ARM; usually one, or none when nothing has to change.
    pub patches: Vec<Patch>,
    /// The ledger when all of them succeeded.
    pub after: Ledger,
}

/// One PATCH: only what changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patch {
    /// The type that results, with the system half as it was.
    pub kind: Kind,
    /// Identities to add.
    pub add: Vec<IdentityResourceId>,
    /// Identities to remove.
    pub remove: Vec<IdentityResourceId>,
}

/// Why a VM or scale set must not be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Its provisioning state is `Deleting`.
    #[error("it is being deleted")]
    Deleting,
    /// Writing would need a type, and the present one is unknown.
    #[error("its identity.type is {0:?}, which podid does not know and so does not overwrite")]
    Kind(String),
}

/// Decides what to change.
pub fn decide(
    present: &Present,
    wish: &Wish,
    ledger: &Ledger,
    protected: &Protected,
    deferred: &Deferred,
) -> Result<Decision, Refusal> {
    let there = |id: &IdentityResourceId| present.identities.contains_key(id);
    let ours: Identities = ledger.put.iter().filter(|id| there(id)).cloned().collect();
    let add: Identities =
        wish.needed.iter().filter(|id| !there(id) && !deferred.add.contains(*id)).cloned().collect();
    let unneeded = ours.difference(&wish.needed);
    let (keep, remove): (Identities, Identities) =
        unneeded.cloned().partition(|id| protected.covers(id, present));
    let remove: Identities = remove.difference(&deferred.remove).cloned().collect();
    let late = ledger.put.iter().filter(|id| !there(id) && deferred.arriving.contains(*id));
    let put: Identities = ours.difference(&keep).chain(&add).chain(late).cloned().collect();
    let found = present.identities.keys().filter(|id| wish.wants(id) && !put.contains(*id));
    let found: Identities = found.cloned().collect();
    let after = Ledger { put: put.difference(&remove).cloned().collect(), found: found.clone() };
    let patches = patches(present, add, remove)?;
    Ok(Decision { ledger: Ledger { put, found }, patches, after })
}

/// The first ledgers of a cluster, given what its records call assigned: before podid only the
/// original wrote them, after it had put the identity there (design §6).
///
/// This is asked once for each cluster. Later a record says nothing about who put an identity
/// there, or whoever may write records could have a foreign identity taken off.
pub fn taken_over(
    recorded: impl IntoIterator<Item = (ComputeId, IdentityResourceId)>,
) -> BTreeMap<ComputeId, Ledger> {
    let mut ledgers: BTreeMap<ComputeId, Ledger> = BTreeMap::new();
    for (target, id) in recorded {
        ledgers.entry(target).or_default().put.insert(id);
    }
    ledgers
}

/// Whether `id` is on the VM or scale set and podid removes it once nobody needs it there.
pub fn removable(id: &IdentityResourceId, present: &Present, ledger: &Ledger, protected: &Protected) -> bool {
    present.identities.contains_key(id) && ledger.put.contains(id) && !protected.covers(id, present)
}

/// Cuts the change into PATCHes and computes the type that each leaves behind. Additions come first,
/// so that the set never becomes empty on the way.
fn patches(present: &Present, add: Identities, remove: Identities) -> Result<Vec<Patch>, Refusal> {
    if add.is_empty() && remove.is_empty() {
        return Ok(Vec::new());
    }
    if present.deleting {
        return Err(Refusal::Deleting);
    }
    let mut left = present.identities.len() + present.unknown;
    let entries: Vec<(IdentityResourceId, bool)> =
        add.into_iter().map(|id| (id, true)).chain(remove.into_iter().map(|id| (id, false))).collect();
    entries
        .chunks(PATCH_LIMIT)
        .map(|chunk| {
            let of = |adding| chunk.iter().filter(move |(_, add)| *add == adding).map(|(id, _)| id.clone());
            let (add, remove): (Vec<_>, Vec<_>) = (of(true).collect(), of(false).collect());
            left = left + add.len() - remove.len();
            Ok(Patch { kind: present.kind.with_users(left > 0)?, add, remove })
        })
        .collect()
}

// === impl Kind ===

impl Kind {
    /// Reads ARM's text, in any letter case and spacing; absent and empty are `None`.
    pub fn parse(text: &str) -> Self {
        let plain: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        match plain.to_ascii_lowercase().as_str() {
            "" | "none" => Self::None,
            "systemassigned" => Self::System,
            "userassigned" => Self::User,
            "systemassigned,userassigned" | "userassigned,systemassigned" => Self::SystemAndUser,
            _ => Self::Other(text.to_owned()),
        }
    }

    /// ARM's text.
    pub fn as_str(&self) -> &str {
        match self {
            Self::None => "None",
            Self::System => "SystemAssigned",
            Self::User => "UserAssigned",
            Self::SystemAndUser => "SystemAssigned, UserAssigned",
            Self::Other(text) => text,
        }
    }

    /// The same system half, with or without user-assigned identities beside it.
    fn with_users(&self, users: bool) -> Result<Self, Refusal> {
        match (self, users) {
            (Self::None | Self::User, true) => Ok(Self::User),
            (Self::None | Self::User, false) => Ok(Self::None),
            (Self::System | Self::SystemAndUser, true) => Ok(Self::SystemAndUser),
            (Self::System | Self::SystemAndUser, false) => Ok(Self::System),
            (Self::Other(text), _) => Err(Refusal::Kind(text.clone())),
        }
    }
}

// === impl Ledger, Wish, Protected ===

impl Ledger {
    /// Whether it says who put `id` there.
    pub fn knows(&self, id: &IdentityResourceId) -> bool {
        self.put.contains(id) || self.found.contains(id)
    }

    /// Whether it says nothing at all.
    pub fn is_empty(&self) -> bool {
        self.put.is_empty() && self.found.is_empty()
    }
}

impl Wish {
    /// Whether a pod or a record there speaks of `id`.
    pub fn wants(&self, id: &IdentityResourceId) -> bool {
        self.needed.contains(id) || self.recorded.contains(id)
    }

    /// Whether nobody wants anything.
    pub fn is_empty(&self) -> bool {
        self.needed.is_empty() && self.recorded.is_empty()
    }
}

impl Protected {
    /// Whether `id` must stay where it is.
    pub fn covers(&self, id: &IdentityResourceId, present: &Present) -> bool {
        let client = present.identities.get(id).and_then(Option::as_ref);
        self.resources.contains(id) || client.is_some_and(|client| self.clients.contains(client))
    }
}

#[cfg(test)]
mod tests;
