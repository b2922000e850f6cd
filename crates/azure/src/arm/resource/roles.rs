//! Who has which role on a resource, and how is one granted?

use podid_core::ids::PrincipalId;
use podid_core::role::Role;
use ring::digest;
use serde_json::{Value, json};

use super::{Error, Version};
use crate::arm::Arm;

/// Microsoft.Authorization.
const VERSION: Version = Version("2022-04-01");

const TYPE: &str = "providers/Microsoft.Authorization/roleAssignments";

/// A role that somebody has on a scope and on all below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleAssignment {
    /// Its ARM id.
    pub id: String,
    /// Where it was granted: the scope that was asked about, or one above it.
    pub scope: String,
    /// Whose it is.
    pub principal_id: String,
    /// Id of the role's definition.
    pub role_definition_id: String,
}

/// How it comes that somebody has a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grant {
    /// It was granted now; ARM takes a moment to act on it.
    New {
        /// ARM id of the assignment.
        id: String,
    },
    /// It was there.
    Old,
}

// === impl Arm ===

impl Arm {
    /// What `principal` may do on `scope`, granted there or above it, also through its groups.
    pub async fn role_assignments(
        &self,
        scope: &str,
        principal: &PrincipalId,
    ) -> Result<Vec<RoleAssignment>, Error> {
        let filter = format!("atScope() and assignedTo('{}')", principal.as_str());
        let all = self.list(&format!("{scope}/{TYPE}"), VERSION, Some(&filter)).await?;
        Ok(all.iter().filter_map(RoleAssignment::parse).collect())
    }

    /// The assignment by which `principal` has `role` on `scope`, granted there or above it.
    pub async fn role_on(
        &self,
        scope: &str,
        principal: &PrincipalId,
        role: Role,
    ) -> Result<Option<RoleAssignment>, Error> {
        let all = self.role_assignments(scope, principal).await?;
        Ok(all.into_iter().find(|one| role.is_definition(&one.role_definition_id)))
    }

    /// Grants `role` on `scope` to a service principal (which a managed identity is), if it was not yet. The
    /// same assignment has the same name each time, so an attempt whose answer was lost can be repeated.
    pub async fn grant(&self, scope: &str, principal: &PrincipalId, role: Role) -> Result<Grant, Error> {
        let subscription = scope.trim_start_matches('/').split('/').nth(1).unwrap_or_default();
        let name = name(scope, principal, role);
        let body = json!({"properties": {
            "roleDefinitionId": role.definition_id(subscription),
            "principalId": principal.as_str(),
            // Without it ARM looks the principal up, and does not find one that is new (PrincipalNotFound).
            "principalType": "ServicePrincipal",
        }});
        let id = format!("{scope}/{TYPE}/{name}");
        match self.put(&id, VERSION, body).await {
            Ok(_) => Ok(Grant::New { id }),
            Err(Error::Conflict { code, .. }) if code == "RoleAssignmentExists" => Ok(Grant::Old),
            Err(error) => Err(error),
        }
    }

    /// Takes back the role assignment with this ARM id.
    pub async fn revoke(&self, id: &str) -> Result<(), Error> {
        self.delete(id, VERSION).await
    }
}

// === impl RoleAssignment ===

impl RoleAssignment {
    fn parse(document: &Value) -> Option<Self> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let properties = &document["properties"];
        Some(Self {
            id: text(&document["id"])?,
            scope: text(&properties["scope"])?,
            principal_id: text(&properties["principalId"])?,
            role_definition_id: text(&properties["roleDefinitionId"])?,
        })
    }
}

/// A GUID that is made of what is granted.
fn name(scope: &str, principal: &PrincipalId, role: Role) -> String {
    let text = format!("{}\n{}\n{}", scope.to_ascii_lowercase(), principal.folded(), role.definition);
    let hash = digest::digest(&digest::SHA256, text.as_bytes());
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(hash.as_ref()).for_each(|(byte, of_hash)| *byte = *of_hash);
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}
