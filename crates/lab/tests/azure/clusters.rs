//! What does ARM show to somebody who turns pod identity on? The cluster, and roles that take their time.

use std::time::Duration;

use podid_lab::azure::{ArmId, ClusterIdentity, Grants, ManagedCluster, Pool, Role, Settings};
use serde_json::{Value, json};

use crate::world::{NODE_0, World};

const KIND: &str = "Microsoft.ContainerService/managedClusters";
const OPERATOR: &str = "f1a07417-d97a-45cb-824c-7a7467783830";

fn cluster(world: &World) -> ManagedCluster {
    ManagedCluster {
        id: world.group.resource(KIND, "c"),
        node_group: "MC_lab".to_owned(),
        identity: ClusterIdentity::User(world.mic.clone()),
        kubelet: world.mic.clone(),
        network_plugin: "kubenet".to_owned(),
        pools: vec![Pool {
            name: "p".to_owned(),
            os: "Linux".to_owned(),
            kind: "VirtualMachineScaleSets".to_owned(),
            count: 2,
        }],
    }
}

/// A token of an owner of the subscription.
async fn owner(world: &World) -> String {
    world.azure.attach(&world.set, &world.demo).unwrap();
    let subscription = ArmId::subscription(&world.azure.subscription());
    world.azure.grant(&world.demo.principal_id, Role::Owner, &subscription);
    world.bearer(NODE_0, "https://management.azure.com", &world.demo).await
}

#[tokio::test]
async fn a_cluster_shows_identity_node_group_network_and_pools() {
    let world = World::new().await;
    let cluster = cluster(&world);
    let id = cluster.id.clone();
    world.azure.create_managed_cluster(cluster);
    let token = owner(&world).await;
    let seen = world.arm(&token, "GET", id.as_str(), &Value::Null).await.json;
    assert_eq!(seen["identity"]["type"], "UserAssigned");
    let identities = seen["identity"]["userAssignedIdentities"].as_object().unwrap();
    assert_eq!(identities.values().next().unwrap()["principalId"], world.mic.principal_id);
    assert_eq!(seen["properties"]["nodeResourceGroup"], "MC_lab");
    assert_eq!(seen["properties"]["networkProfile"]["networkPlugin"], "kubenet");
    assert_eq!(seen["properties"]["agentPoolProfiles"][0]["osType"], "Linux");
    let kubelet = &seen["properties"]["identityProfile"]["kubeletidentity"];
    assert_eq!(kubelet["clientId"], world.mic.client_id);

    let group = world.arm(&token, "GET", world.nodes.as_str(), &Value::Null).await.json;
    assert_eq!(group["managedBy"], id.as_str());

    let system = |cluster: &mut ManagedCluster| cluster.identity = ClusterIdentity::System("o".to_owned());
    world.azure.change_managed_cluster(&id, system).unwrap();
    let list = format!("{}/providers/{KIND}", world.group);
    let listed = world.arm(&token, "GET", list, &Value::Null).await.json;
    assert_eq!(listed["value"][0]["identity"]["principalId"], "o");
}

#[tokio::test]
async fn a_cluster_is_shown_to_those_only_who_may_read_it() {
    let world = World::new().await;
    let cluster = cluster(&world);
    let id = cluster.id.clone();
    world.azure.create_managed_cluster(cluster);
    let mic = world.mic_token().await;
    let answer = world.arm(&mic, "GET", id.as_str(), &Value::Null).await;
    assert_eq!(answer.refusal(), (403, "AuthorizationFailed"));
    assert!(answer.message().contains("'Microsoft.ContainerService/managedClusters/read'"));
    let token = owner(&world).await;
    let other = world.group.resource(KIND, "other");
    let answer = world.arm(&token, "GET", other.as_str(), &Value::Null).await;
    assert_eq!(answer.refusal(), (404, "ResourceNotFound"));
}

#[tokio::test]
async fn a_role_is_listed_at_once_and_counts_when_it_has_spread() {
    let roles = Grants { propagation: Duration::from_secs(90) };
    let world = World::with(Settings { roles, ..Settings::default() }).await;
    let (owner, mic) = (owner(&world).await, world.mic_token().await);
    let path = format!("{}/providers/Microsoft.Authorization/roleAssignments", world.foreign.id);
    let principal = world.mic.principal_id.as_str();
    let body =
        json!({"properties": {"roleDefinitionId": format!("/x/{OPERATOR}"), "principalId": principal}});
    assert_eq!(world.arm(&owner, "PUT", format!("{path}/1"), &body).await.status, 201);
    let filter = format!("{path}?$filter=atScope()%20and%20assignedTo('{principal}')");
    let listed = world.arm(&owner, "GET", filter, &Value::Null).await.json;
    assert_eq!(listed["value"].as_array().map(Vec::len), Some(1));

    let identities =
        json!({"type": "UserAssigned", "userAssignedIdentities": {world.foreign.id.as_str(): {}}});
    let assign = json!({"identity": identities});
    let try_it = async || world.arm(&mic, "PATCH", world.set.as_str(), &assign).await.status;
    assert_eq!(try_it().await, 403);
    world.azure.advance(Duration::from_secs(90));
    assert_eq!(try_it().await, 200);
}

#[tokio::test]
async fn a_role_on_the_group_or_the_subscription_is_listed_for_what_is_in_it() {
    let world = World::new().await;
    let token = owner(&world).await;
    let principal = world.mic.principal_id.as_str();
    let path = format!(
        "{}/providers/Microsoft.Authorization/roleAssignments?$filter=atScope()%20and%20assignedTo('{principal}')",
        world.demo.id
    );
    let listed = world.arm(&token, "GET", path, &Value::Null).await.json;
    let scopes: Vec<_> =
        listed["value"].as_array().unwrap().iter().map(|one| &one["properties"]["scope"]).collect();
    assert_eq!(scopes, [world.group.as_str()]);
}
