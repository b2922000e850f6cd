//! Which Azure stands beside the cluster? The tutorial's, simulated, with doors to this machine.

use std::time::Duration;

use podid_lab::azure::pki::Authority;
use podid_lab::azure::{
    Application, ArmId, Azure, ClusterIdentity, ManagedCluster, ManagedIdentity, Pool, Role, Service,
    Settings,
};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

const SECRET: &str = "the secret of the user";

/// It runs until it is dropped.
pub(crate) struct SimulatedAzure {
    pub(crate) azure: Azure,
    pub(crate) cluster: ArmId,
    pub(crate) scale_set: ArmId,
    /// The identity of the application.
    pub(crate) application: ManagedIdentity,
    nodes: Vec<(&'static str, String)>,
    user: Application,
    place: TempDir,
    _runtime: Runtime,
}

// === impl SimulatedAzure ===

impl SimulatedAzure {
    pub(crate) fn start() -> Self {
        let azure = Azure::new(Settings::default()).unwrap();
        let nodes_group = azure.create_group("MC_myResourceGroup_myAKSCluster_westeurope");
        let scale_set = azure.create_scale_set(&nodes_group, "aks-nodepool1-vmss").unwrap();
        let names = ["aks-nodepool1-vmss000000", "aks-nodepool1-vmss000001"];
        let nodes =
            names.map(|name| (name, azure.add_instance(&scale_set, name).unwrap().provider_id())).to_vec();
        let kubelet = azure.create_identity(&nodes_group, "myAKSCluster-agentpool").unwrap();
        let group = azure.create_group("myResourceGroup");
        let control_plane = azure.create_identity(&group, "myAKSCluster-identity").unwrap();
        let cluster = group.resource("Microsoft.ContainerService/managedClusters", "myAKSCluster");
        azure.create_managed_cluster(ManagedCluster {
            id: cluster.clone(),
            node_group: nodes_group.name().to_owned(),
            identity: ClusterIdentity::User(control_plane),
            kubelet,
            network_plugin: "azure".to_owned(),
            pools: vec![Pool {
                name: "nodepool1".to_owned(),
                os: "Linux".to_owned(),
                kind: "VirtualMachineScaleSets".to_owned(),
                count: 2,
            }],
        });
        let identities = azure.create_group("myIdentityResourceGroup");
        let application = azure.create_identity(&identities, "application-identity").unwrap();
        let user = azure.register_application("user");
        azure.add_client_secret(&user.client_id, SECRET, Duration::from_hours(1)).unwrap();
        azure.grant(&user.principal_id, Role::Owner, &ArmId::subscription(&azure.subscription()));
        let (place, runtime) = open_doors(&azure);
        Self { azure, cluster, scale_set, application, nodes, user, place, _runtime: runtime }
    }

    /// Names and provider ids of the nodes.
    pub(crate) fn nodes(&self) -> &[(&'static str, String)] {
        &self.nodes
    }

    /// What leads a command here.
    pub(crate) fn place(&self) -> [(&'static str, String); 3] {
        let file = |name: &str| self.place.path().join(name).display().to_string();
        [
            ("AZURE_CLOUD", "AzureStackCloud".to_owned()),
            ("AZURE_ENVIRONMENT_FILEPATH", file("cloud.json")),
            ("SSL_CERT_FILE", file("ca.pem")),
        ]
    }

    /// What makes it somebody who owns the subscription.
    pub(crate) fn login(&self) -> [(&'static str, String); 3] {
        [
            ("AZURE_TENANT_ID", self.azure.tenant()),
            ("AZURE_CLIENT_ID", self.user.client_id.clone()),
            ("AZURE_CLIENT_SECRET", SECRET.to_owned()),
        ]
    }

    /// Lets the user have this role instead of owning everything.
    pub(crate) fn demote(&self, role: Role) {
        let subscription = ArmId::subscription(&self.azure.subscription());
        self.azure.revoke(&self.user.principal_id, Role::Owner, &subscription);
        self.azure.grant(&self.user.principal_id, role, &subscription);
    }

    /// Makes the user an owner again.
    pub(crate) fn promote(&self) {
        let subscription = ArmId::subscription(&self.azure.subscription());
        self.azure.grant(&self.user.principal_id, Role::Owner, &subscription);
    }
}

/// Serves ARM and Entra on this machine; the files by which a command finds them.
fn open_doors(azure: &Azure) -> (TempDir, Runtime) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (authority, place) = (Authority::new("simulated").unwrap(), TempDir::new().unwrap());
    let addresses = [Service::Arm, Service::Entra].map(|service| {
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            // It ends with the runtime.
            let door = azure.door(listener, service, &authority, CancellationToken::new()).unwrap();
            tokio::spawn(door);
            address
        })
    });
    let cloud = serde_json::json!({
        "resourceManagerEndpoint": format!("https://{}/", addresses[0]),
        "activeDirectoryEndpoint": format!("https://{}/", addresses[1]),
    });
    std::fs::write(place.path().join("cloud.json"), cloud.to_string()).unwrap();
    std::fs::write(place.path().join("ca.pem"), authority.ca_pem()).unwrap();
    (place, runtime)
}
