//! What does ARM say of a user-assigned managed identity?

use podid_core::ids::{ClientId, IdentityResourceId, PrincipalId};
use serde_json::{Value, json};

use super::{Error, Version};
use crate::arm::Arm;

/// Microsoft.ManagedIdentity.
const VERSION: Version = Version("2023-01-31");

/// A user-assigned managed identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserAssigned {
    /// Its ARM id, as it was asked for.
    pub id: IdentityResourceId,
    /// Its application in Entra, which tokens name.
    pub client_id: ClientId,
    /// Its object in Entra, which roles are granted to.
    pub principal_id: PrincipalId,
    /// Its region.
    pub location: String,
}

// === impl Arm ===

impl Arm {
    /// Reads the identity with this ARM id.
    pub async fn user_assigned(&self, id: &IdentityResourceId) -> Result<UserAssigned, Error> {
        UserAssigned::parse(id, &self.read(id.as_str(), VERSION).await?)
    }

    /// Makes an identity in a region, or finds it.
    pub async fn make_user_assigned(
        &self,
        id: &IdentityResourceId,
        location: &str,
    ) -> Result<UserAssigned, Error> {
        let body = json!({"location": location});
        UserAssigned::parse(id, &self.put(id.as_str(), VERSION, body).await?)
    }

    /// Deletes an identity.
    pub async fn delete_user_assigned(&self, id: &IdentityResourceId) -> Result<(), Error> {
        self.delete(id.as_str(), VERSION).await
    }
}

// === impl UserAssigned ===

impl UserAssigned {
    fn parse(id: &IdentityResourceId, document: &Value) -> Result<Self, Error> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let properties = &document["properties"];
        let malformed = || Error::malformed(id.as_str());
        Ok(Self {
            id: id.clone(),
            client_id: ClientId::parse(&text(&properties["clientId"])).map_err(|_| malformed())?,
            principal_id: PrincipalId::parse(&text(&properties["principalId"])).map_err(|_| malformed())?,
            location: text(&document["location"]),
        })
    }
}
