//! What does ARM show of an AKS cluster? GET and LIST of `managedClusters`.

use serde_json::{Map, Value, json};

use super::authorize;
use super::error::not_found;
use crate::azure::id::ArmId;
use crate::azure::reply::Reply;
use crate::azure::state::State;
use crate::azure::state::clusters::{ClusterIdentity, ManagedCluster};
use crate::azure::token::Bearer;

pub(super) const KIND: &str = "Microsoft.ContainerService/managedClusters";

pub(super) fn list(state: &State, caller: &Bearer, scope: &ArmId) -> Result<Reply, Reply> {
    authorize(state, caller, &format!("{KIND}/read"), scope)?;
    let clusters = state.clusters.values().filter(|cluster| cluster.id.is_within(scope));
    Ok(Reply::json(200, &json!({"value": clusters.map(|cluster| view(state, cluster)).collect::<Vec<_>>()})))
}

pub(super) fn get(state: &State, caller: &Bearer, id: &ArmId) -> Result<Reply, Reply> {
    authorize(state, caller, &format!("{KIND}/read"), id)?;
    let cluster = state.clusters.get(id).ok_or_else(|| not_found(id))?;
    Ok(Reply::json(200, &view(state, cluster)))
}

fn view(state: &State, cluster: &ManagedCluster) -> Value {
    let location = &state.settings.location;
    let pools = cluster.pools.iter().map(|pool| {
        json!({
            "name": pool.name, "count": pool.count, "osType": pool.os, "type": pool.kind, "mode": "System",
            "vmSize": "Standard_D2s_v5", "provisioningState": "Succeeded",
        })
    });
    let kubelet = &cluster.kubelet;
    json!({
        "id": cluster.id.as_str(),
        "name": cluster.id.name(),
        "type": KIND,
        "location": location,
        "identity": identity(&state.settings.tenant, cluster),
        "properties": {
            "provisioningState": "Succeeded",
            "powerState": {"code": "Running"},
            "fqdn": format!("{}-dns.hcp.{location}.azmk8s.io", cluster.id.name().to_lowercase()),
            "nodeResourceGroup": cluster.node_group,
            "enableRBAC": true,
            "agentPoolProfiles": pools.collect::<Vec<_>>(),
            "networkProfile": {"networkPlugin": cluster.network_plugin, "loadBalancerSku": "standard"},
            "identityProfile": {"kubeletidentity": {
                "resourceId": kubelet.id.as_compute_writes_it(), "clientId": kubelet.client_id,
                "objectId": kubelet.principal_id,
            }},
        },
    })
}

fn identity(tenant: &str, cluster: &ManagedCluster) -> Value {
    match &cluster.identity {
        ClusterIdentity::System(principal_id) => {
            json!({"type": "SystemAssigned", "principalId": principal_id, "tenantId": tenant})
        }
        ClusterIdentity::User(identity) => {
            let inner = json!({"principalId": identity.principal_id, "clientId": identity.client_id});
            let users = Map::from_iter([(identity.id.as_compute_writes_it(), inner)]);
            json!({"type": "UserAssigned", "userAssignedIdentities": users})
        }
    }
}
