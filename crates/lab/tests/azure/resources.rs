//! What else does ARM show and make? Subscriptions, machines, identities, role assignments.

use podid_lab::azure::{ArmId, Role};
use serde_json::{Value, json};

use crate::world::{Answer, NODE_0, World};

const OPERATOR: &str = "f1a07417-d97a-45cb-824c-7a7467783830";

fn names(answer: &Answer) -> Vec<&str> {
    let items = answer.json["value"].as_array().expect("a list");
    items.iter().map(|item| item["name"].as_str().unwrap_or_default()).collect()
}

/// An owner of the subscription, and a token of theirs.
async fn owner(world: &World) -> String {
    world.azure.attach(&world.set, &world.demo).unwrap();
    let subscription = ArmId::subscription(&world.azure.subscription());
    world.azure.grant(&world.demo.principal_id, Role::Owner, &subscription);
    world.bearer(NODE_0, "https://management.azure.com", &world.demo).await
}

#[tokio::test]
async fn machines_of_a_group_are_listed_by_kind() {
    let world = World::new().await;
    let (token, nodes) = (world.mic_token().await, &world.nodes);
    let list = async |path: String| world.arm(&token, "GET", path, &Value::Null).await;
    assert_eq!(names(&list(format!("{nodes}/providers/Microsoft.Compute/virtualMachines")).await), ["vm"]);
    assert_eq!(
        names(&list(format!("{nodes}/providers/Microsoft.Compute/virtualMachineScaleSets")).await),
        ["set"]
    );
    let instances = list(format!("{}/virtualMachines", world.set)).await;
    assert_eq!(names(&instances), ["set_0", "set_1"]);
    assert_eq!(instances.json["value"][1]["properties"]["osProfile"]["computerName"], "node-1");
    assert_eq!(list(format!("{}/virtualMachines/1", world.set)).await.json["instanceId"], "1");
    assert_eq!(list(format!("{}/virtualMachines/7", world.set)).await.status, 404);
}

#[tokio::test]
async fn a_subscription_is_seen_by_those_who_have_a_role_in_it() {
    let world = World::new().await;
    let mic = world.mic_token().await;
    world.azure.create_subscription("other");
    let seen = world.arm(&mic, "GET", "/subscriptions", &Value::Null).await;
    assert_eq!(seen.json["value"].as_array().unwrap().len(), 1);
    assert_eq!(seen.json["value"][0]["subscriptionId"], world.azure.subscription());
    world.azure.attach(&world.set, &world.foreign).unwrap();
    let nobody = world.bearer(NODE_0, "https://management.azure.com", &world.foreign).await;
    assert_eq!(world.arm(&nobody, "GET", "/subscriptions", &Value::Null).await.json["value"], json!([]));
    assert_eq!(
        world.arm(&mic, "GET", "/tenants", &Value::Null).await.json["value"][0]["tenantId"],
        world.azure.tenant()
    );
}

#[tokio::test]
async fn managed_identities_are_made_read_listed_and_deleted() {
    let world = World::new().await;
    let token = owner(&world).await;
    let id = world.group.resource("Microsoft.ManagedIdentity/userAssignedIdentities", "new");
    let ask = async |method: &str, body: Value| world.arm(&token, method, id.as_str(), &body).await;
    assert_eq!(ask("GET", Value::Null).await.refusal(), (404, "ResourceNotFound"));
    assert_eq!(ask("PUT", json!({})).await.refusal(), (400, "LocationRequired"));
    let made = ask("PUT", json!({"location": "westeurope"})).await;
    assert_eq!((made.status, ask("PUT", json!({"location": "westeurope"})).await.status), (201, 200));
    let properties = ask("GET", Value::Null).await.json["properties"].clone();
    assert_eq!(properties, made.json["properties"]);
    assert_eq!(properties["tenantId"], world.azure.tenant());
    let list = format!("{}/providers/Microsoft.ManagedIdentity/userAssignedIdentities", world.group);
    assert_eq!(names(&world.arm(&token, "GET", list, &Value::Null).await), ["Demo", "mic", "new"]);
    assert_eq!(
        (ask("DELETE", Value::Null).await.status, ask("DELETE", Value::Null).await.status),
        (200, 204)
    );

    let again = ask("PUT", json!({"location": "westeurope"})).await;
    assert_ne!(
        again.json["properties"]["principalId"], properties["principalId"],
        "made again, it is another one"
    );
    let nowhere = ArmId::group(&world.azure.subscription(), "no")
        .resource("Microsoft.ManagedIdentity/userAssignedIdentities", "x");
    let refused = world.arm(&token, "PUT", nowhere.as_str(), &json!({"location": "westeurope"})).await;
    assert_eq!(refused.refusal(), (404, "ResourceGroupNotFound"));
}

#[tokio::test]
async fn a_granted_role_counts_at_once() {
    let world = World::new().await;
    let (owner, mic) = (owner(&world).await, world.mic_token().await);
    let body = json!({"identity": {"type": "UserAssigned", "userAssignedIdentities": {world.foreign.id.as_str(): {}}}});
    assert_eq!(world.arm(&mic, "PATCH", world.set.as_str(), &body).await.status, 403);

    let grant = |principal: &str, role: &str| {
        let definition = format!("/subscriptions/s/providers/Microsoft.Authorization/roleDefinitions/{role}");
        json!({"properties": {"roleDefinitionId": definition, "principalId": principal, "principalType": "ServicePrincipal"}})
    };
    let path =
        |name: &str| format!("{}/providers/Microsoft.Authorization/roleAssignments/{name}", world.foreign.id);
    let principal = world.mic.principal_id.as_str();
    let put = async |token: &str, name: &str, body: Value| world.arm(token, "PUT", path(name), &body).await;
    assert_eq!(put(&mic, "1", grant(principal, OPERATOR)).await.refusal(), (403, "AuthorizationFailed"));
    assert_eq!(put(&owner, "1", grant("nobody", OPERATOR)).await.refusal(), (400, "PrincipalNotFound"));
    assert_eq!(put(&owner, "1", grant(principal, "x")).await.refusal(), (400, "RoleDefinitionDoesNotExist"));
    assert_eq!(put(&owner, "1", grant(principal, OPERATOR)).await.status, 201);
    assert_eq!(put(&owner, "2", grant(principal, OPERATOR)).await.refusal(), (409, "RoleAssignmentExists"));
    assert_eq!(
        world.arm(&owner, "GET", path("1"), &Value::Null).await.json["properties"]["principalId"],
        principal
    );
    let filter =
        format!("{}?$filter=atScope()%20and%20assignedTo('{principal}')", path("").trim_end_matches('/'));
    assert_eq!(names(&world.arm(&owner, "GET", &filter, &Value::Null).await), ["1"]);

    assert_eq!(world.arm(&mic, "PATCH", world.set.as_str(), &body).await.status, 200);
    assert_eq!(world.arm(&owner, "DELETE", path("1"), &Value::Null).await.status, 200);
    assert_eq!(world.arm(&mic, "PATCH", world.set.as_str(), &body).await.status, 403);
}
