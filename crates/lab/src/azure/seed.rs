//! How does a scenario fill the simulated Azure? What an owner of the subscription would do with `az`.

use std::time::Duration;

use rustls_pki_types::CertificateDer;

use super::Azure;
use super::clock::later;
use super::id::{ArmId, fresh_guid, guid};
use super::state::State;
use super::state::clusters::ManagedCluster;
use super::state::directory::{Application, ManagedIdentity};
use super::state::machine::{Attached, Instance, Kind, Machine};
use super::state::network::{Host, InvalidPrefix, Prefix, Sender};
use super::state::roles::Role;
use super::state::vaults::{Vault, Version};

/// A scenario asks for something that cannot be; correct the scenario.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SeedError {
    /// Something is used before it is made.
    #[error("{0} does not exist; make it first")]
    Missing(String),
    /// An address range does not parse.
    #[error(transparent)]
    Prefix(#[from] InvalidPrefix),
}

const IDENTITY: &str = "Microsoft.ManagedIdentity/userAssignedIdentities";

// === impl Azure ===

impl Azure {
    /// GUID of the tenant.
    pub fn tenant(&self) -> String {
        self.lock().settings.tenant.clone()
    }

    /// GUID of the first subscription.
    pub fn subscription(&self) -> String {
        self.lock().settings.subscription.clone()
    }

    /// Makes another subscription; returns its GUID.
    pub fn create_subscription(&self, name: &str) -> String {
        let id = guid(&["subscription", name]);
        self.lock().subscriptions.insert(ArmId::subscription(&id));
        id
    }

    /// Makes a resource group in the first subscription.
    pub fn create_group(&self, name: &str) -> ArmId {
        let subscription = self.subscription();
        self.create_group_in(&subscription, name)
    }

    /// Makes a resource group.
    pub fn create_group_in(&self, subscription: &str, name: &str) -> ArmId {
        let id = ArmId::group(subscription, name);
        self.lock().groups.insert(id.clone());
        id
    }

    /// Makes a virtual machine without identities.
    pub fn create_virtual_machine(&self, group: &ArmId, name: &str) -> Result<Host, SeedError> {
        let machine = self.create_machine(group, Kind::VirtualMachine, name)?;
        Ok(Host { machine, instance: None })
    }

    /// Makes a scale set without instances and identities.
    pub fn create_scale_set(&self, group: &ArmId, name: &str) -> Result<ArmId, SeedError> {
        self.create_machine(group, Kind::ScaleSet, name)
    }

    /// Adds an instance to a scale set; `computer_name` is the name of its Kubernetes node.
    pub fn add_instance(&self, scale_set: &ArmId, computer_name: &str) -> Result<Host, SeedError> {
        let mut state = self.lock();
        let machine = state.machines.get_mut(scale_set).ok_or_else(|| missing(scale_set))?;
        let id = machine.instances.len().to_string();
        machine.instances.push(Instance { id: id.clone(), computer_name: computer_name.to_owned() });
        Ok(Host { machine: machine.id.clone(), instance: Some(id) })
    }

    /// Deletes a virtual machine or scale set.
    pub fn delete_machine(&self, machine: &ArmId) {
        self.lock().machines.remove(machine);
    }

    /// Makes a user-assigned managed identity.
    pub fn create_identity(&self, group: &ArmId, name: &str) -> Result<ManagedIdentity, SeedError> {
        let mut state = self.lock();
        if !state.groups.contains(group) {
            return Err(missing(group));
        }
        Ok(state.create_identity(group.resource(IDENTITY, name)))
    }

    /// Makes an AKS cluster of its nodes' group, with one Linux pool.
    pub fn create_managed_cluster(&self, cluster: ManagedCluster) {
        self.lock().clusters.insert(cluster.id.clone(), cluster);
    }

    /// Changes an AKS cluster, as an owner would with `az aks update`.
    pub fn change_managed_cluster(
        &self,
        id: &ArmId,
        change: impl FnOnce(&mut ManagedCluster),
    ) -> Result<(), SeedError> {
        self.lock().clusters.get_mut(id).map(change).ok_or_else(|| missing(id))
    }

    /// Deletes a managed identity. Machines keep it on their lists, and it is of no use there.
    pub fn delete_identity(&self, id: &ArmId) {
        self.lock().identities.remove(id);
    }

    /// Puts an identity onto a machine, as if it had been there for ever.
    pub fn attach(&self, machine: &ArmId, identity: &ManagedIdentity) -> Result<(), SeedError> {
        let mut state = self.lock();
        let machine = state.machines.get_mut(machine).ok_or_else(|| missing(machine))?;
        let attached = Attached {
            client_id: identity.client_id.clone(),
            principal_id: identity.principal_id.clone(),
            since: jiff::Timestamp::MIN,
        };
        machine.identity.users.insert(identity.id.clone(), attached);
        machine.revision += 1;
        Ok(())
    }

    /// Gives a machine an identity of its own, as if it had always had it; returns its object id.
    pub fn enable_system_identity(&self, machine: &ArmId) -> Result<String, SeedError> {
        let mut state = self.lock();
        let system = state.new_system_identity(machine, jiff::Timestamp::MIN);
        let machine = state.machines.get_mut(machine).ok_or_else(|| missing(machine))?;
        machine.revision += 1;
        Ok(machine.identity.system.get_or_insert(system).principal_id.clone())
    }

    /// The user-assigned identities on a machine, as ARM would list them.
    pub fn identities_on(&self, machine: &ArmId) -> Vec<ArmId> {
        let state = self.lock();
        state
            .machines
            .get(machine)
            .map_or_else(Vec::new, |machine| machine.identity.users.keys().cloned().collect())
    }

    /// Lets a principal (by object id) have a role on a scope and everything below.
    pub fn grant(&self, principal_id: &str, role: Role, scope: &ArmId) {
        self.lock().roles.grant(principal_id, role, scope.clone());
    }

    /// Takes a role away again.
    pub fn revoke(&self, principal_id: &str, role: Role, scope: &ArmId) {
        self.lock().roles.revoke(principal_id, role, scope);
    }

    /// Registers an application with a service principal.
    pub fn register_application(&self, name: &str) -> Application {
        let id = |part: &str| guid(&["application", name, part]);
        let application = Application { client_id: id("client"), principal_id: id("principal") };
        self.lock().applications.register(application.clone());
        application
    }

    /// Gives an application a secret that is good for so long.
    pub fn add_client_secret(
        &self,
        client_id: &str,
        secret: &str,
        good_for: Duration,
    ) -> Result<(), SeedError> {
        let mut state = self.lock();
        let expires = later(self.inner.clock.now(), good_for);
        let registration = state.applications.find_mut(client_id).ok_or_else(|| missing(client_id))?;
        registration.add_secret(secret.to_owned(), expires);
        Ok(())
    }

    /// Gives an application a certificate with which it may sign assertions.
    pub fn add_client_certificate(
        &self,
        client_id: &str,
        certificate: CertificateDer<'static>,
    ) -> Result<(), SeedError> {
        let mut state = self.lock();
        let registration = state.applications.find_mut(client_id).ok_or_else(|| missing(client_id))?;
        registration.add_certificate(certificate);
        Ok(())
    }

    /// Makes a key vault; its host name is `NAME.vault.azure.net`.
    pub fn create_vault(&self, group: &ArmId, name: &str) -> Result<ArmId, SeedError> {
        let mut state = self.lock();
        if !state.groups.contains(group) {
            return Err(missing(group));
        }
        let id = group.resource("Microsoft.KeyVault/vaults", name);
        state.vaults.insert(name.to_ascii_lowercase(), Vault::new(id.clone()));
        Ok(id)
    }

    /// Puts a new version of a secret into a vault; returns the version.
    pub fn set_secret(&self, vault: &str, name: &str, value: &str) -> Result<String, SeedError> {
        let mut state = self.lock();
        let created = self.inner.clock.now();
        let vault = state.vaults.get_mut(&vault.to_ascii_lowercase()).ok_or_else(|| missing(vault))?;
        let version = fresh_guid().replace('-', "");
        vault.set(name, Version { id: version.clone(), value: value.to_owned(), created });
        Ok(version)
    }

    /// Says whose an address range is: requests to IMDS from there are this machine's.
    pub fn place(&self, range: &str, host: &Host, sender: Sender) -> Result<(), SeedError> {
        let prefix: Prefix = range.parse()?;
        self.lock().network.place(prefix, host.clone(), sender);
        Ok(())
    }

    fn create_machine(&self, group: &ArmId, kind: Kind, name: &str) -> Result<ArmId, SeedError> {
        let mut state = self.lock();
        if !state.groups.contains(group) {
            return Err(missing(group));
        }
        let id = group.resource(kind.resource_type(), name);
        state.machines.insert(id.clone(), Machine::new(id.clone(), kind));
        Ok(id)
    }
}

// === impl State ===

impl State {
    /// Makes a managed identity, or returns the one that is there.
    pub(crate) fn create_identity(&mut self, id: ArmId) -> ManagedIdentity {
        if let Some(there) = self.identities.get(&id) {
            return there.clone();
        }
        self.identities_made += 1;
        let made = self.identities_made.to_string();
        let new = |part: &str| guid(&["identity", id.as_str(), &made, part]);
        let identity =
            ManagedIdentity { client_id: new("client"), principal_id: new("principal"), id: id.clone() };
        self.identities.insert(id, identity.clone());
        identity
    }
}

fn missing(what: &(impl ToString + ?Sized)) -> SeedError {
    SeedError::Missing(what.to_string())
}
