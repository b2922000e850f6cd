//! What is in the simulated Azure before anything happens? What the tutorial's reader has made by hand.

use crate::Mode;
use std::time::Duration;

use super::access;
use crate::azure::{
    Application, ArmId, Azure, ClusterIdentity, Host, ManagedCluster, ManagedIdentity, Pool, Role, Sender,
    Settings,
};
use crate::net::{node_address, pod_network};
use crate::scenario;

/// The simulated Azure with the tutorial's resources.
pub(crate) struct World {
    /// The tenant.
    pub azure: Azure,
    /// The cluster's scale set.
    pub scale_set: ArmId,
    /// Its instances, one for each node.
    pub hosts: Vec<Host>,
    /// The identity of the application.
    pub application: ManagedIdentity,
    /// The identity of the cluster.
    pub cluster: ManagedIdentity,
    /// Whoever runs commands beside the lab, an owner of the subscription.
    pub user: Application,
    /// That one's secret.
    pub secret: String,
}

impl World {
    /// Makes it. In managed mode the application's identity is on the scale set already.
    pub(crate) fn build(mode: Mode, settings: Settings) -> anyhow::Result<Self> {
        let azure = Azure::new(settings)?;
        let nodes = azure.create_group(scenario::NODE_GROUP);
        let identities = azure.create_group(scenario::IDENTITY_GROUP);

        let scale_set = azure.create_scale_set(&nodes, scenario::SCALE_SET)?;
        let mut hosts = Vec::new();
        for (number, name) in (1..).zip(scenario::NODES) {
            let host = azure.add_instance(&scale_set, name)?;
            azure.place(&node_address(number).to_string(), &host, Sender::Node)?;
            azure.place(&format!("{}/24", pod_network(number)), &host, Sender::Pod)?;
            hosts.push(host);
        }
        azure.enable_system_identity(&scale_set)?;

        let cluster = azure.create_identity(&nodes, scenario::CLUSTER)?;
        azure.attach(&scale_set, &cluster)?;
        azure.grant(&cluster.principal_id, Role::VirtualMachineContributor, &nodes);
        azure.grant(&cluster.principal_id, Role::ManagedIdentityOperator, &identities);

        let application = azure.create_identity(&identities, scenario::APPLICATION)?;
        azure.grant(&application.principal_id, Role::VirtualMachineContributor, &nodes);
        azure.grant(&application.principal_id, Role::Reader, &identities);
        if mode == Mode::Managed {
            azure.attach(&scale_set, &application)?;
        }

        let user = azure.register_application(scenario::USER);
        let secret = access::random_token()?;
        azure.add_client_secret(&user.client_id, &secret, Duration::from_hours(24 * 30))?;
        azure.grant(&user.principal_id, Role::Owner, &ArmId::subscription(scenario::SUBSCRIPTION));
        let group = azure.create_group(scenario::CLUSTER_GROUP);
        azure.create_managed_cluster(ManagedCluster {
            id: group.resource("Microsoft.ContainerService/managedClusters", scenario::CLUSTER_NAME),
            node_group: scenario::NODE_GROUP.to_owned(),
            identity: ClusterIdentity::User(cluster.clone()),
            kubelet: cluster.clone(),
            network_plugin: "azure".to_owned(),
            pools: vec![Pool {
                name: "nodepool1".to_owned(),
                os: "Linux".to_owned(),
                kind: "VirtualMachineScaleSets".to_owned(),
                count: scenario::NODES.len(),
            }],
        });

        let vault = azure.create_vault(&identities, scenario::VAULT)?;
        azure.set_secret(scenario::VAULT, scenario::SECRET, "hello from the vault")?;
        azure.grant(&application.principal_id, Role::KeyVaultSecretsUser, &vault);
        Ok(Self { azure, scale_set, hosts, application, cluster, user, secret })
    }

    /// Whether the application's identity is on the scale set.
    pub(crate) fn application_is_assigned(&self) -> bool {
        self.azure.identities_on(&self.scale_set).contains(&self.application.id)
    }

    /// Whether the cluster's own identity is on the scale set.
    pub(crate) fn cluster_is_assigned(&self) -> bool {
        self.azure.identities_on(&self.scale_set).contains(&self.cluster.id)
    }
}
