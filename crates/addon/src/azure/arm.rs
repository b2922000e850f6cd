//! How is ARM asked, in the name of whoever runs the command?

use podid_azure::arm::resource::Version;
use podid_azure::arm::{self, Arm, Reading, resource};
use podid_azure::http::{Client, Settings};
use podid_azure::login;
use podid_core::addon::AzureSide;
use podid_core::assign::Patch;
use podid_core::ids::{ComputeId, IdentityResourceId, PrincipalId};
use podid_core::role::MANAGED_IDENTITY_OPERATOR;
use tokio::sync::OnceCell;

use super::{Azure, Error, ManagedCluster};

/// Microsoft.Resources, of which resource groups are.
const GROUPS: Version = Version("2022-12-01");

/// Azure, as the person sees it who runs the command. Nobody is logged in before something is asked.
#[derive(Debug)]
pub struct Subscription {
    user_agent: String,
    cloud: Option<String>,
    arm: OnceCell<Result<Arm, Error>>,
}

// === impl Subscription ===

impl Subscription {
    /// Azure for a program that calls itself `user_agent`; in `cloud`, else where the environment says.
    pub fn new(user_agent: impl Into<String>, cloud: Option<String>) -> Self {
        Self { user_agent: user_agent.into(), cloud, arm: OnceCell::new() }
    }

    async fn arm(&self) -> Result<&Arm, Error> {
        self.arm.get_or_init(|| self.log_in()).await.as_ref().map_err(Clone::clone)
    }

    async fn log_in(&self) -> Result<Arm, Error> {
        let variable = |name: &str| std::env::var(name).ok();
        let cloud = login::cloud(self.cloud.as_deref(), variable)?;
        let http = Client::new(Settings::new(&self.user_agent));
        let account = login::find(&http, &cloud, variable).await?;
        Ok(Arm::new(http, &cloud, account.credential))
    }
}

impl Azure for Subscription {
    async fn identity(&self, id: &IdentityResourceId) -> Result<Option<AzureSide>, Error> {
        let found = optional(self.arm().await?.user_assigned(id).await)?;
        Ok(found.map(|found| AzureSide {
            resource: found.id,
            client: found.client_id,
            principal: found.principal_id,
        }))
    }

    async fn has_role(&self, on: &IdentityResourceId, principal: &PrincipalId) -> Result<bool, Error> {
        let held = self.arm().await?.role_on(on.as_str(), principal, MANAGED_IDENTITY_OPERATOR).await?;
        Ok(held.is_some())
    }

    async fn grant(&self, on: &IdentityResourceId, principal: &PrincipalId) -> Result<(), Error> {
        self.arm().await?.grant(on.as_str(), principal, MANAGED_IDENTITY_OPERATOR).await?;
        Ok(())
    }

    async fn manager_of_group(&self, subscription: &str, group: &str) -> Result<Option<String>, Error> {
        let id = format!("/subscriptions/{subscription}/resourceGroups/{group}");
        let found = optional(self.arm().await?.read(&id, GROUPS).await)?.unwrap_or_default();
        Ok(found["managedBy"].as_str().filter(|text| !text.is_empty()).map(str::to_owned))
    }

    async fn cluster(
        &self,
        subscription: &str,
        group: &str,
        name: &str,
    ) -> Result<Option<ManagedCluster>, Error> {
        let found = optional(self.arm().await?.managed_cluster(subscription, group, name).await)?;
        Ok(found.map(|found| ManagedCluster {
            id: found.id,
            control_plane: found.identity.map(|identity| identity.principal().clone()),
            kubelet: found.kubelet_object_id,
            node_group: found.node_resource_group,
            network_plugin: found.network_plugin,
            has_addon: found.has_pod_identity_addon,
        }))
    }

    async fn on(&self, target: &ComputeId) -> Result<Reading, Error> {
        Ok(self.arm().await?.identities(target).await.map_err(resource::Error::from)?)
    }

    async fn patch(
        &self,
        target: &ComputeId,
        patch: &Patch,
        etag: Option<&str>,
        wait: bool,
    ) -> Result<(), Error> {
        let arm: &Arm = self.arm().await?;
        let done: Result<(), arm::Error> = if wait {
            arm.apply(target, patch, etag).await
        } else {
            arm.submit(target, patch, etag).await.map(drop)
        };
        Ok(done.map_err(resource::Error::from)?)
    }
}

fn optional<T>(answer: Result<T, resource::Error>) -> Result<Option<T>, Error> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(resource::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
