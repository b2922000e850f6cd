//! Which role lets somebody do an action in Azure, and which command grants it?

/// A built-in role of Azure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Role {
    /// Its name, as portal and `az` show it.
    pub name: &'static str,
    /// GUID of its definition, the same in every tenant.
    pub definition: &'static str,
}

/// Reads user-assigned identities and puts them on machines: what the cluster's identity needs for each
/// identity of a pod (AKS documentation, "Use pod-managed identities").
pub const MANAGED_IDENTITY_OPERATOR: Role =
    Role { name: "Managed Identity Operator", definition: "f1a07417-d97a-45cb-824c-7a7467783830" };
/// Reads everything.
pub const READER: Role = Role { name: "Reader", definition: "acdd72a7-3385-48ef-bd42-f606fba81ae7" };
/// Changes virtual machines and scale sets.
pub const VIRTUAL_MACHINE_CONTRIBUTOR: Role =
    Role { name: "Virtual Machine Contributor", definition: "9980e02c-c2be-4d73-94e8-173b1dc7cf3c" };
/// Grants roles, and nothing else.
pub const ACCESS_ADMINISTRATOR: Role = Role {
    name: "Role Based Access Control Administrator",
    definition: "f58310d9-a9f6-439a-9e8d-f62e7b41a168",
};
/// Changes everything but who may do what.
pub const CONTRIBUTOR: Role =
    Role { name: "Contributor", definition: "b24988ac-6180-42a0-ab88-20f7382dd24c" };

/// Whom ARM refused, what he wanted to do, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refused {
    /// Object id of the caller, if ARM named it.
    pub principal: Option<String>,
    /// The action, such as `Microsoft.Compute/virtualMachineScaleSets/write`.
    pub action: String,
    /// ARM id of the scope on which it is not allowed.
    pub scope: String,
}

// === impl Role ===

impl Role {
    /// The role with the fewest rights, of those that podid speaks of, that allows `action`.
    pub fn least(action: &str) -> Self {
        let lower = action.to_ascii_lowercase();
        if lower.starts_with("microsoft.managedidentity/userassignedidentities/")
            && (lower.ends_with("/read") || lower.ends_with("/assign/action"))
        {
            MANAGED_IDENTITY_OPERATOR
        } else if lower.ends_with("/read") {
            READER
        } else if lower.starts_with("microsoft.compute/virtualmachine") {
            VIRTUAL_MACHINE_CONTRIBUTOR
        } else if lower.starts_with("microsoft.authorization/") {
            ACCESS_ADMINISTRATOR
        } else {
            CONTRIBUTOR
        }
    }

    /// The command with which somebody who may grant roles grants this one to the principal with this
    /// object id; a placeholder stands for one that is not known.
    pub fn grant_command(self, principal: Option<&str>, scope: &str) -> String {
        let principal = principal.unwrap_or("YOUR_OBJECT_ID");
        format!(
            "az role assignment create --role \"{}\" --assignee \"{principal}\" --scope \"{scope}\"",
            self.name
        )
    }

    /// Whether the id of a role definition, whatever stands before its GUID, is this role's.
    pub fn is_definition(self, id: &str) -> bool {
        id.rsplit('/').next().is_some_and(|guid| guid.eq_ignore_ascii_case(self.definition))
    }

    /// Id of the role's definition in `subscription`, as a role assignment names it.
    pub fn definition_id(self, subscription: &str) -> String {
        format!(
            "/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions/{}",
            self.definition
        )
    }
}

// === impl Refused ===

impl Refused {
    /// Reads ARM's sentence about it (`AuthorizationFailed`, `LinkedAuthorizationFailed`), if it is one of
    /// those: `The client 'C' with object id 'P' does not have authorization to perform action 'A' over
    /// scope 'S'`, or `… does not have permission to perform action(s) 'A' on the linked scope(s) 'S,T'`.
    pub fn parse(sentence: &str) -> Option<Self> {
        let (before, rest) = sentence.split_once("does not have ")?;
        let mut quoted = rest.split('\'').skip(1).step_by(2);
        let action = quoted.next().filter(|action| action.contains('/'))?;
        let scope = quoted.next()?.split(',').next()?.trim();
        let principal = before
            .split_once("object id '")
            .and_then(|(_, rest)| rest.split('\'').next())
            .filter(|principal| !principal.is_empty());
        scope.starts_with('/').then(|| Self {
            principal: principal.map(str::to_owned),
            action: action.to_owned(),
            scope: scope.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_role_is_named_for_what_podid_does() {
        let cases = [
            ("Microsoft.ManagedIdentity/userAssignedIdentities/read", MANAGED_IDENTITY_OPERATOR),
            ("Microsoft.ManagedIdentity/userAssignedIdentities/ASSIGN/action", MANAGED_IDENTITY_OPERATOR),
            ("Microsoft.ContainerService/managedClusters/read", READER),
            ("Microsoft.Authorization/roleAssignments/read", READER),
            ("Microsoft.Compute/virtualMachineScaleSets/write", VIRTUAL_MACHINE_CONTRIBUTOR),
            ("Microsoft.Authorization/roleAssignments/write", ACCESS_ADMINISTRATOR),
            ("Microsoft.ManagedIdentity/userAssignedIdentities/write", CONTRIBUTOR),
        ];
        for (action, role) in cases {
            assert_eq!(Role::least(action), role, "{action}");
        }
    }

    #[test]
    fn arms_sentences_tell_who_what_and_where() {
        let plain = "AuthorizationFailed: The client 'c' with object id 'p' does not have authorization to perform \
                     action 'A.B/c/write' over scope '/subscriptions/s' or the scope is invalid.";
        let linked = "The client 'c' with object id 'p' has permission to perform action 'A.B/d/write' on scope \
                      '/subscriptions/s/x'; however, it does not have permission to perform action(s) \
                      'A.B/c/write' on the linked scope(s) '/subscriptions/s,/subscriptions/t' (respectively).";
        let expected = Refused {
            principal: Some("p".into()),
            action: "A.B/c/write".into(),
            scope: "/subscriptions/s".into(),
        };
        for sentence in [plain, linked] {
            assert_eq!(Refused::parse(sentence), Some(expected.clone()), "{sentence}");
        }
        for other in ["", "does not have ", "it does not have 'a' 'b'", "does not have 'a/b' over 'x'"] {
            assert_eq!(Refused::parse(other), None, "{other}");
        }
    }

    #[test]
    fn the_command_can_be_pasted() {
        let command = READER.grant_command(Some("p"), "/subscriptions/s");
        assert_eq!(
            command,
            "az role assignment create --role \"Reader\" --assignee \"p\" --scope \"/subscriptions/s\""
        );
    }

    #[test]
    fn a_definition_is_known_by_its_guid_in_any_case_and_place() {
        let id = READER.definition_id("s").to_uppercase();
        assert!(READER.is_definition(&id) && READER.is_definition(READER.definition));
        assert!(!CONTRIBUTOR.is_definition(&id));
    }
}
