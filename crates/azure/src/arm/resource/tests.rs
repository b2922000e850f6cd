use std::sync::Mutex;
use std::time::Duration;

use podid_core::ids::{IdentityResourceId, PrincipalId};
use podid_core::retry::Policy;
use podid_core::role::{MANAGED_IDENTITY_OPERATOR, READER};
use serde_json::json;

use super::*;
use crate::arm::Settings;
use crate::cloud::{Authority, Cloud, Endpoints};
use crate::credential::Credential;
use crate::fake::{Fake, Reply, Seen, answer, client, token};
use crate::imds::Imds;

const GROUP: &str = "/subscriptions/s/resourceGroups/g";
const VERSION: Version = Version("2020-01-01");

/// Status, headers and body of each answer.
type Script = Vec<(u16, Vec<(&'static str, &'static str)>, String)>;

/// An ARM that gives these answers in turn, the last one for ever. In them `BASE` is its address.
async fn arm(replies: Script) -> (Fake, Arm) {
    let script = Mutex::new(0);
    let fake = Fake::start(move |seen, _| {
        if seen.target.starts_with("/metadata/") {
            return token("t");
        }
        let mut next = script.lock().unwrap();
        let (status, headers, body) = &replies[(*next).min(replies.len() - 1)];
        *next += 1;
        let base = format!("http://{}", seen.headers["host"].to_str().unwrap());
        let here = |text: &str| text.replace("BASE", &base);
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, here(value))).collect();
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let Reply::Answer(answer) = answer(*status, &headers, here(body)) else { unreachable!() };
        Reply::Answer(answer)
    })
    .await;
    let at = format!("{}/", fake.url());
    let arm = arm_at(&fake, at);
    (fake, arm)
}

/// An ARM at an address, with tokens of `imds`.
fn arm_at(imds: &Fake, resource_manager: String) -> Arm {
    let endpoints = Endpoints { resource_manager, authority: Authority::fake("127.0.0.1:1") };
    let cloud = Cloud { name: "Fake".to_owned(), endpoints };
    let credential = Credential::managed_identity(Imds::new(client(), imds.url()), None);
    let none = Duration::from_millis(1);
    let retry = Policy { attempts: 3, base: none, cap: none, patience: Duration::from_millis(500) };
    let settings = Settings { retry, poll: none, operation: Duration::from_mins(1) };
    Arm::with_settings(client(), &cloud, credential, settings)
}

fn one(status: u16, body: &Value) -> Script {
    vec![(status, vec![], body.to_string())]
}

fn calls(fake: &Fake) -> Vec<Seen> {
    fake.seen().into_iter().filter(|seen| !seen.target.starts_with("/metadata/")).collect()
}

fn principal() -> PrincipalId {
    PrincipalId::parse("P-1").unwrap()
}

fn problem(code: &str, message: &str) -> Value {
    json!({"error": {"code": code, "message": message}})
}

#[tokio::test]
async fn a_list_is_read_to_its_last_page() {
    let pages = vec![
        (200, vec![], json!({"value": [{"name": "a"}], "nextLink": "BASE/page2?x=1"}).to_string()),
        (200, vec![], json!({"value": [{"name": "b"}], "nextLink": ""}).to_string()),
    ];
    let (fake, arm) = arm(pages).await;
    assert_eq!(arm.scale_sets("s", "g").await.unwrap(), ["a", "b"]);
    let targets: Vec<_> = calls(&fake).into_iter().map(|seen| seen.target).collect();
    let first = format!("{GROUP}/providers/Microsoft.Compute/virtualMachineScaleSets?api-version=2024-07-01");
    assert_eq!(targets, [first, "/page2?x=1".to_owned()]);
}

#[tokio::test]
async fn a_page_elsewhere_is_not_asked_for() {
    let (fake, arm) = arm(one(200, &json!({"value": [], "nextLink": "https://evil.example/"}))).await;
    arm.list(GROUP, VERSION, None).await.unwrap_err();
    assert_eq!(calls(&fake).len(), 1);
}

#[tokio::test]
async fn who_lacks_a_right_is_told_action_scope_and_the_command_that_grants_it() {
    let message = "The client 'c' with object id 'o-1' does not have authorization to perform action \
                   'Microsoft.ContainerService/managedClusters/read' over scope '/subscriptions/s/x' or the scope is \
                   invalid.";
    let (fake, arm) = arm(one(403, &problem("AuthorizationFailed", message))).await;
    let error = arm.managed_cluster("s", "g", "c").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "you may not do Microsoft.ContainerService/managedClusters/read on /subscriptions/s/x; ask somebody who may \
         grant roles to run: az role assignment create --role \"Reader\" --assignee \"o-1\" --scope \
         \"/subscriptions/s/x\"; a new role takes effect within minutes"
    );
    assert!(!error.is_silence());
    assert_eq!(calls(&fake).len(), 1);
}

type IsRight = fn(&Error) -> bool;

#[tokio::test]
async fn each_end_is_told_apart_by_what_to_do() {
    let cases: [(u16, &str, IsRight); 8] = [
        (
            400,
            "PrincipalNotFound",
            |e| matches!(e, Error::Rejected { code, .. } if code == "PrincipalNotFound"),
        ),
        (401, "X", |e| matches!(e, Error::Refused { .. })),
        (403, "RequestDisallowedByPolicy", |e| matches!(e, Error::Refused { .. })),
        (404, "ResourceNotFound", |e| matches!(e, Error::NotFound { .. })),
        (409, "Conflict", |e| matches!(e, Error::Conflict { .. })),
        (412, "PreconditionFailed", |e| matches!(e, Error::Conflict { .. })),
        (500, "InternalServerError", |e| matches!(e, Error::Unavailable { .. })),
        (301, "X", |e| matches!(e, Error::Rejected { .. })),
    ];
    for (status, code, is_right) in cases {
        let (_fake, arm) = arm(one(status, &problem(code, "m"))).await;
        let error = arm.read(GROUP, VERSION).await.unwrap_err();
        assert!(is_right(&error), "{status} {code}: {error:?}");
        assert!(error.to_string().contains(GROUP) || matches!(error, Error::Unavailable { .. }), "{error}");
    }
}

#[tokio::test]
async fn throttling_is_told_with_the_time_to_wait_and_borne_if_it_is_short() {
    let (_fake, arm1) = arm(vec![(429, vec![("retry-after", "60")], "{}".to_owned())]).await;
    let error = arm1.read(GROUP, VERSION).await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_mins(1)));
    let fine = (200, vec![], json!({"a": 1}).to_string());
    let (fake, arm) = arm(vec![(503, vec![("retry-after", "0")], String::new()), fine]).await;
    assert_eq!(arm.read(GROUP, VERSION).await.unwrap(), json!({"a": 1}));
    assert_eq!(calls(&fake).len(), 2);
}

#[tokio::test]
async fn who_cannot_be_reached_is_named() {
    let (fake, _) = arm(one(200, &json!({}))).await;
    let arm = arm_at(&fake, format!("http://{}/", Fake::nobody().await));
    let error = arm.read(GROUP, VERSION).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable(_)) && error.is_silence(), "{error:?}");
}

#[tokio::test]
async fn what_arm_does_in_the_background_is_watched_to_its_end() {
    let script = |last: Value| {
        vec![
            (202, vec![("azure-asyncoperation", "BASE/op")], String::new()),
            (200, vec![], json!({"status": "InProgress"}).to_string()),
            (200, vec![], last.to_string()),
        ]
    };
    let (fake, arm1) = arm(script(json!({"status": "Succeeded"}))).await;
    arm1.patch(GROUP, VERSION, json!({"tags": {}})).await.unwrap();
    let seen = calls(&fake);
    assert_eq!((seen[0].method.as_str(), seen[0].body.as_str()), ("PATCH", r#"{"tags":{}}"#));
    assert_eq!(seen.len(), 3);

    let failed = json!({"status": "Failed", "error": {"code": "Broken", "message": "no"}});
    let (_fake, arm) = arm(script(failed)).await;
    let error = arm.delete(GROUP, VERSION).await.unwrap_err();
    assert!(matches!(&error, Error::Rejected { code, .. } if code == "Broken"), "{error:?}");
}

#[tokio::test]
async fn what_is_not_there_is_deleted() {
    for status in [200, 204, 404] {
        let (fake, arm) = arm(one(status, &json!({}))).await;
        arm.delete(GROUP, VERSION).await.unwrap();
        assert_eq!(calls(&fake)[0].method, "DELETE");
    }
}

#[tokio::test]
async fn a_role_counts_where_it_was_granted_on_the_scope_or_above_it() {
    let assignment = |scope: &str, definition: &str| {
        json!({"id": format!("{scope}/r"), "properties": {"scope": scope, "principalId": "P-1",
            "roleDefinitionId": format!("/x/{definition}")}})
    };
    let all = json!({"value": [
        assignment("/subscriptions/s", READER.definition),
        assignment(GROUP, &MANAGED_IDENTITY_OPERATOR.definition.to_uppercase()),
    ]});
    let (fake, arm) = arm(one(200, &all)).await;
    let scope = format!("{GROUP}/providers/M/t/n");
    let found = arm.role_on(&scope, &principal(), MANAGED_IDENTITY_OPERATOR).await.unwrap().unwrap();
    assert_eq!(found.scope, GROUP);
    let target = &calls(&fake)[0].target;
    let asked = format!(
        "{scope}/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01&%24filter=atScope%28%29+and+\
         assignedTo%28%27P-1%27%29"
    );
    assert_eq!(*target, asked);
}

#[tokio::test]
async fn a_grant_can_be_repeated() {
    let (fake, arm1) = arm(one(201, &json!({}))).await;
    let first = arm1.grant(GROUP, &principal(), READER).await.unwrap();
    let second =
        arm1.grant(&GROUP.to_uppercase(), &PrincipalId::parse("p-1").unwrap(), READER).await.unwrap();
    let (Grant::New { id: first }, Grant::New { id: second }) = (first, second) else { panic!() };
    assert_eq!(first.rsplit('/').next(), second.rsplit('/').next(), "one name for one assignment");
    let body: Value = serde_json::from_str(&calls(&fake)[0].body).unwrap();
    assert_eq!(body["properties"]["principalType"], "ServicePrincipal");
    assert_eq!(body["properties"]["roleDefinitionId"], READER.definition_id("s"));

    let (_fake, arm) = arm(one(409, &problem("RoleAssignmentExists", "there"))).await;
    assert_eq!(arm.grant(GROUP, &principal(), READER).await.unwrap(), Grant::Old);
}

#[tokio::test]
async fn a_cluster_tells_identity_nodes_and_network() {
    let identity =
        "/subscriptions/s/resourcegroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/mine";
    let document = json!({
        "identity": {"type": "SystemAssigned", "principalId": "P-1"},
        "properties": {
            "nodeResourceGroup": "MC_g_c_westeurope",
            "networkProfile": {"networkPlugin": "kubenet"},
            "identityProfile": {"kubeletidentity": {"clientId": "K-1"}},
            "agentPoolProfiles": [{"name": "a"}, {"name": "b", "osType": "Windows", "type": "AvailabilitySet"}],
            "podIdentityProfile": {"enabled": true},
        },
    });
    let (_fake, arm1) = arm(one(200, &document)).await;
    let cluster = arm1.managed_cluster("s", "g", "c").await.unwrap();
    assert_eq!(cluster.identity, Some(ClusterIdentity::SystemAssigned(principal())));
    assert_eq!(cluster.node_resource_group.as_deref(), Some("MC_g_c_westeurope"));
    assert_eq!((cluster.network_plugin.as_deref(), cluster.has_pod_identity_addon), (Some("kubenet"), true));
    let pools: Vec<_> = cluster.pools.iter().map(|pool| (pool.os.as_str(), pool.kind.as_str())).collect();
    assert_eq!(pools, [("Linux", "VirtualMachineScaleSets"), ("Windows", "AvailabilitySet")]);

    let users = json!({identity: {"principalId": "P-1", "clientId": "C"}});
    let brought =
        json!({"identity": {"type": "userassigned", "userAssignedIdentities": users}, "properties": {}});
    let (_fake, arm) = arm(one(200, &brought)).await;
    let cluster = arm.managed_cluster("s", "g", "c").await.unwrap();
    assert_eq!(cluster.identity.as_ref().map(ClusterIdentity::principal), Some(&principal()));
    assert!(cluster.pools.is_empty());
}

#[tokio::test]
async fn an_identity_tells_its_application_and_object() {
    let id = IdentityResourceId::parse(&format!(
        "{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/a"
    ))
    .unwrap();
    let document = json!({"location": "westeurope", "properties": {"clientId": "C-1", "principalId": "P-1"}});
    let (_fake, arm1) = arm(one(200, &document)).await;
    let identity = arm1.user_assigned(&id).await.unwrap();
    assert_eq!((identity.client_id.as_str(), identity.principal_id), ("C-1", principal()));
    let (_fake, arm) = arm(one(200, &json!({"properties": {}}))).await;
    assert!(matches!(arm.user_assigned(&id).await, Err(Error::Unavailable { .. })));
}

#[tokio::test]
async fn what_is_no_arm_id_is_not_sent() {
    let (fake, arm) = arm(one(200, &json!({}))).await;
    for id in ["/subscriptions/../x", "", "//"] {
        let error = arm.read(id, VERSION).await.unwrap_err();
        assert!(matches!(error, Error::Rejected { .. }), "{error:?}");
    }
    assert!(calls(&fake).is_empty());
}
