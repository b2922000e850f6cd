//! May this principal do this action on this scope? Azure's role-based access, for the built-in roles a lab needs.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::azure::id::{ArmId, guid};

/// A built-in role of Azure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// Everything.
    Owner,
    /// Everything but granting access.
    Contributor,
    /// Reading everything.
    Reader,
    /// Reading everything, granting access.
    UserAccessAdministrator,
    /// Virtual machines and scale sets.
    VirtualMachineContributor,
    /// Reading managed identities and putting them onto machines.
    ManagedIdentityOperator,
    /// Making, reading and deleting managed identities.
    ManagedIdentityContributor,
    /// Reading the secrets of a key vault.
    KeyVaultSecretsUser,
    /// Granting access, and reading.
    AccessAdministrator,
}

/// A principal has a role on a scope and everything below.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) name: String,
    pub(crate) scope: ArmId,
    pub(crate) principal_id: String,
    pub(crate) role: Role,
    /// When requests begin to be judged by it; it is listed before.
    pub(crate) from: Timestamp,
}

/// All role assignments.
pub(crate) struct Roles {
    grants: Vec<Grant>,
    now: Timestamp,
}

/// Allowed and excepted actions of a role.
struct Permissions {
    actions: &'static [&'static str],
    not_actions: &'static [&'static str],
    data_actions: &'static [&'static str],
}

// === impl Roles ===

impl Default for Roles {
    fn default() -> Self {
        Self { grants: Vec::new(), now: Timestamp::MIN }
    }
}

impl Roles {
    /// Lets time pass for grants that are on their way.
    pub(crate) fn settle(&mut self, now: Timestamp) {
        self.now = now;
    }

    /// Grants a role; a second time changes nothing.
    pub(crate) fn grant(&mut self, principal_id: &str, role: Role, scope: ArmId) {
        if !self.holds(principal_id, role, &scope) {
            let name = guid(&[scope.as_str(), principal_id, role.definition()]);
            let principal_id = principal_id.to_owned();
            self.add(Grant { name, scope, principal_id, role, from: Timestamp::MIN });
        }
    }

    pub(crate) fn add(&mut self, grant: Grant) {
        self.grants.push(grant);
    }

    pub(crate) fn revoke(&mut self, principal_id: &str, role: Role, scope: &ArmId) {
        self.grants.retain(|grant| {
            !(grant.principal_id == principal_id && grant.role == role && grant.scope == *scope)
        });
    }

    /// Whether exactly this is granted.
    pub(crate) fn holds(&self, principal_id: &str, role: Role, scope: &ArmId) -> bool {
        let mut theirs = self.grants.iter().filter(|grant| grant.is_of(principal_id));
        theirs.any(|grant| grant.role == role && grant.scope == *scope)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Grant> {
        self.grants.iter()
    }

    /// Whether the principal may do a management action on the scope.
    pub(crate) fn allow(&self, principal_id: &str, action: &str, scope: &ArmId) -> bool {
        self.of(principal_id).any(|grant| {
            let may = grant.role.permissions();
            scope.is_within(&grant.scope)
                && may.actions.iter().any(|pattern| matches(pattern, action))
                && !may.not_actions.iter().any(|pattern| matches(pattern, action))
        })
    }

    /// Whether the principal may do an action on data, such as reading a secret.
    pub(crate) fn allow_data(&self, principal_id: &str, action: &str, scope: &ArmId) -> bool {
        self.of(principal_id).any(|grant| {
            scope.is_within(&grant.scope)
                && grant.role.permissions().data_actions.iter().any(|pattern| matches(pattern, action))
        })
    }

    /// Whether the principal has any role on the scope or below it: what makes a subscription visible.
    pub(crate) fn see(&self, principal_id: &str, scope: &ArmId) -> bool {
        self.of(principal_id).any(|grant| grant.scope.is_within(scope))
    }

    /// What counts for the principal now.
    fn of(&self, principal_id: &str) -> impl Iterator<Item = &Grant> {
        self.grants.iter().filter(move |grant| grant.is_of(principal_id) && grant.from <= self.now)
    }
}

// === impl Grant ===

impl Grant {
    fn is_of(&self, principal_id: &str) -> bool {
        self.principal_id.eq_ignore_ascii_case(principal_id)
    }
}

// === impl Role ===

impl Role {
    const ALL: [Self; 9] = [
        Self::Owner,
        Self::Contributor,
        Self::Reader,
        Self::UserAccessAdministrator,
        Self::VirtualMachineContributor,
        Self::ManagedIdentityOperator,
        Self::ManagedIdentityContributor,
        Self::KeyVaultSecretsUser,
        Self::AccessAdministrator,
    ];

    /// GUID of the role's definition, the same in every tenant.
    pub fn definition(self) -> &'static str {
        match self {
            Self::Owner => "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
            Self::Contributor => "b24988ac-6180-42a0-ab88-20f7382dd24c",
            Self::Reader => "acdd72a7-3385-48ef-bd42-f606fba81ae7",
            Self::UserAccessAdministrator => "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
            Self::VirtualMachineContributor => "9980e02c-c2be-4d73-94e8-173b1dc7cf3c",
            Self::ManagedIdentityOperator => "f1a07417-d97a-45cb-824c-7a7467783830",
            Self::ManagedIdentityContributor => "e40ec5ca-96e0-45a2-b4ff-59039f2c2b59",
            Self::KeyVaultSecretsUser => "4633458b-17de-408a-b874-0445c86b69e6",
            Self::AccessAdministrator => "f58310d9-a9f6-439a-9e8d-f62e7b41a168",
        }
    }

    /// The role whose definition id ends with a known GUID.
    pub(crate) fn of_definition(id: &str) -> Option<Self> {
        let guid = id.rsplit('/').next().unwrap_or_default();
        Self::ALL.into_iter().find(|role| role.definition().eq_ignore_ascii_case(guid))
    }

    fn permissions(self) -> Permissions {
        let (actions, not_actions, data_actions): (&[&str], &[&str], &[&str]) = match self {
            Self::Owner => (&["*"], &[], &[]),
            Self::Contributor => {
                (&["*"], &["Microsoft.Authorization/*/write", "Microsoft.Authorization/*/delete"], &[])
            }
            Self::Reader => (&["*/read"], &[], &[]),
            Self::UserAccessAdministrator => (&["*/read", "Microsoft.Authorization/*"], &[], &[]),
            Self::VirtualMachineContributor => (
                &["Microsoft.Compute/virtualMachines/*", "Microsoft.Compute/virtualMachineScaleSets/*"],
                &[],
                &[],
            ),
            Self::ManagedIdentityOperator => (
                &[
                    "Microsoft.ManagedIdentity/userAssignedIdentities/read",
                    "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action",
                ],
                &[],
                &[],
            ),
            Self::ManagedIdentityContributor => (
                &[
                    "Microsoft.ManagedIdentity/userAssignedIdentities/read",
                    "Microsoft.ManagedIdentity/userAssignedIdentities/write",
                    "Microsoft.ManagedIdentity/userAssignedIdentities/delete",
                ],
                &[],
                &[],
            ),
            Self::KeyVaultSecretsUser => (&[], &[], &["Microsoft.KeyVault/vaults/secrets/getSecret/action"]),
            Self::AccessAdministrator => (
                &[
                    "*/read",
                    "Microsoft.Authorization/roleAssignments/write",
                    "Microsoft.Authorization/roleAssignments/delete",
                ],
                &[],
                &[],
            ),
        };
        Permissions { actions, not_actions, data_actions }
    }
}

/// Whether the action fits the pattern, where `*` stands for any text. Case makes no difference.
fn matches(pattern: &str, action: &str) -> bool {
    let (pattern, action) = (pattern.to_ascii_lowercase(), action.to_ascii_lowercase());
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == action };
    let Some(mut left) = action.strip_prefix(start) else { return false };
    let (middle, end) = rest.rsplit_once('*').map_or(("", rest), |(middle, end)| (middle, end));
    for part in middle.split('*') {
        match left.find(part) {
            Some(at) => left = &left[at + part.len()..],
            None => return false,
        }
    }
    left.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASSIGN: &str = "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action";

    #[test]
    fn a_role_counts_on_its_scope_and_below() {
        let mut roles = Roles::default();
        let group = ArmId::group("s", "rg");
        let identity = group.resource("Microsoft.ManagedIdentity/userAssignedIdentities", "a");
        roles.grant("me", Role::ManagedIdentityOperator, group.clone());
        assert!(roles.allow("ME", ASSIGN, &identity));
        assert!(!roles.allow("you", ASSIGN, &identity));
        assert!(!roles.allow("me", ASSIGN, &ArmId::group("s", "rg2")));
        assert!(!roles.allow("me", "Microsoft.ManagedIdentity/userAssignedIdentities/delete", &identity));
        roles.revoke("me", Role::ManagedIdentityOperator, &group);
        assert!(!roles.allow("me", ASSIGN, &identity));
    }

    #[test]
    fn a_grant_counts_when_its_time_has_come() {
        let mut roles = Roles::default();
        let (scope, from) = (ArmId::subscription("s"), Timestamp::UNIX_EPOCH);
        let grant = Grant {
            name: "n".into(),
            scope: scope.clone(),
            principal_id: "me".into(),
            role: Role::Reader,
            from,
        };
        roles.add(grant);
        assert!(roles.holds("me", Role::Reader, &scope), "it is listed at once");
        assert!(!roles.allow("me", "A.B/c/read", &scope));
        roles.settle(from);
        assert!(roles.allow("me", "A.B/c/read", &scope));
    }

    #[test]
    fn a_contributor_does_not_grant_access_and_does_not_read_secrets() {
        let mut roles = Roles::default();
        let scope = ArmId::subscription("s");
        roles.grant("me", Role::Contributor, scope.clone());
        assert!(roles.allow("me", "Microsoft.Compute/virtualMachines/write", &scope));
        assert!(roles.allow("me", "Microsoft.Authorization/roleAssignments/read", &scope));
        assert!(!roles.allow("me", "Microsoft.Authorization/roleAssignments/write", &scope));
        assert!(!roles.allow_data("me", "Microsoft.KeyVault/vaults/secrets/getSecret/action", &scope));
    }

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, action, fits) in [
            ("*", "A/b", true),
            ("*/read", "A.B/c/read", true),
            ("*/read", "A.B/c/write", false),
            ("A/*/write", "A/b/WRITE", true),
            ("A/*/write", "A/write", false),
            ("A/*", "B/c", false),
            ("*a*b*", "xaxxbx", true),
            ("*a*b*", "xbxa", false),
            ("A/b", "a/B", true),
        ] {
            assert_eq!(matches(pattern, action), fits, "{pattern} {action}");
        }
    }

    #[test]
    fn every_role_is_found_by_its_definition() {
        for role in Role::ALL {
            let id = format!(
                "/subscriptions/s/providers/Microsoft.Authorization/roleDefinitions/{}",
                role.definition()
            );
            assert_eq!(Role::of_definition(&id), Some(role));
        }
    }
}
