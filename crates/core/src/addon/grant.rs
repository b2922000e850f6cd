//! May the cluster's own identity put this identity on machines?
//!
//! It may with the role Managed Identity Operator on the identity, or on anything that it is in: its
//! resource group or subscription count, as `az` counts them.

use crate::ids::{IdentityResourceId, PrincipalId};

/// What the role is called.
pub const ROLE_NAME: &str = "Managed Identity Operator";

/// GUID of its definition, the same in every tenant.
pub const ROLE_ID: &str = "f1a07417-d97a-45cb-824c-7a7467783830";

/// A role assignment, as ARM lists them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// ARM id of the role's definition.
    pub definition: String,
    /// Who has it.
    pub principal: String,
    /// Where.
    pub scope: String,
}

/// Where the role is granted that `principal` needs for `identity`; none where it is not.
pub fn held<'a>(
    assignments: &'a [Assignment],
    principal: &PrincipalId,
    identity: &IdentityResourceId,
) -> Option<&'a str> {
    let counts = |one: &&Assignment| {
        let definition = one.definition.rsplit('/').next().unwrap_or_default();
        definition.eq_ignore_ascii_case(ROLE_ID)
            && PrincipalId::parse(&one.principal).as_ref() == Ok(principal)
            && covers(&one.scope, identity)
    };
    assignments.iter().find(counts).map(|one| one.scope.as_str())
}

/// Whether what is granted on `scope` holds for `identity`, which is below it.
fn covers(scope: &str, identity: &IdentityResourceId) -> bool {
    let scope = scope.trim_end_matches('/').to_ascii_lowercase();
    match identity.folded().strip_prefix(&scope) {
        // `/subscriptions/a` must not cover `/subscriptions/ab`. The root, "/", covers all.
        Some(rest) => rest.is_empty() || rest.starts_with('/'),
        // A management group is above every subscription that ARM lists it for.
        None => scope.starts_with("/providers/microsoft.management/managementgroups/"),
    }
}

/// Name of the role assignment: a GUID made of whom and where, so that asking twice grants once.
pub fn assignment_name(principal: &PrincipalId, identity: &IdentityResourceId) -> String {
    let hash = super::name::fnv(&format!("{} {} {ROLE_ID}", principal.folded(), identity.folded()));
    // Version 8, variant 1 (RFC 9562): a GUID of one's own making.
    let hash = hash & !(0xf << 76) | (0x8 << 76);
    let hash = hash & !(0x3 << 62) | (0x2 << 62);
    let text = format!("{hash:032x}");
    format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str =
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/app";

    fn identity() -> IdentityResourceId {
        IdentityResourceId::parse(ID).unwrap()
    }

    fn principal() -> PrincipalId {
        PrincipalId::parse("AB-1").unwrap()
    }

    fn granted(scope: &str, role: &str, to: &str) -> bool {
        let definition = format!("/subscriptions/s/providers/Microsoft.Authorization/roleDefinitions/{role}");
        let one = Assignment { definition, principal: to.to_owned(), scope: scope.to_owned() };
        held(&[one], &principal(), &identity()).is_some()
    }

    #[test]
    fn a_grant_on_the_identity_or_above_it_counts() {
        let upper = ROLE_ID.to_ascii_uppercase();
        for scope in [
            ID,
            &ID.to_ascii_uppercase(),
            "/subscriptions/s/resourcegroups/g",
            "/subscriptions/S",
            "/",
            "/providers/Microsoft.Management/managementGroups/m",
        ] {
            assert!(granted(scope, ROLE_ID, "ab-1") && granted(scope, &upper, "AB-1"), "{scope}");
        }
    }

    #[test]
    fn a_grant_beside_it_of_another_role_or_to_another_does_not() {
        for scope in ["/subscriptions/s/resourceGroups/g2", &ID[..ID.len() - 1], &format!("{ID}x")] {
            assert!(!granted(scope, ROLE_ID, "ab-1"), "{scope}");
        }
        assert!(!granted(ID, "b24988ac-6180-42a0-ab88-20f7382dd24c", "ab-1"));
        assert!(!granted(ID, ROLE_ID, "ab-2"));
    }

    #[test]
    fn the_name_of_a_grant_is_a_guid_and_the_same_each_time() {
        let name = assignment_name(&principal(), &identity());
        let other = IdentityResourceId::parse(&ID.to_ascii_uppercase()).unwrap();
        assert_eq!(name, assignment_name(&PrincipalId::parse("ab-1").unwrap(), &other));
        assert_ne!(name, assignment_name(&PrincipalId::parse("ab-2").unwrap(), &other));
        let lengths: Vec<usize> = name.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert_eq!(&name[14..15], "8");
        assert!("89ab".contains(&name[19..20]), "{name}");
    }
}
