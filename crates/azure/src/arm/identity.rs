//! Which identities does ARM say a resource has, and how is a change to them written?

use std::collections::BTreeMap;

use bytes::Bytes;
use http::Response;
use http::header::ETAG;
use podid_core::assign::{Kind, Patch, Present};
use podid_core::ids::{ClientId, IdentityResourceId};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Error, Reading};

#[derive(Deserialize)]
struct Resource {
    id: Option<String>,
    etag: Option<String>,
    identity: Option<Identity>,
    properties: Option<Properties>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identity {
    #[serde(rename = "type")]
    kind: Option<String>,
    user_assigned_identities: Option<BTreeMap<String, Option<UserAssigned>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UserAssigned {
    client_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Properties {
    provisioning_state: Option<String>,
}

/// Reads the answer to a GET of a VM or scale set.
pub(super) fn parse(answer: &Response<Bytes>) -> Result<Reading, Error> {
    let resource: Resource =
        serde_json::from_slice(answer.body()).map_err(|_| Error::malformed("a machine's identities"))?;
    if resource.id.is_none() {
        // An object of some other kind must not pass for a machine without identities.
        return Err(Error::malformed("a machine's identities"));
    }
    let header = answer.headers().get(ETAG).and_then(|value| value.to_str().ok()).map(ToOwned::to_owned);
    let etag = header.or(resource.etag).filter(|etag| !etag.is_empty());
    let mut present = Present::default();
    if let Some(identity) = resource.identity {
        present.kind = Kind::parse(identity.kind.as_deref().unwrap_or_default());
        for (key, value) in identity.user_assigned_identities.unwrap_or_default() {
            match IdentityResourceId::parse(&key) {
                Ok(id) => {
                    let client = value.and_then(|user| user.client_id);
                    present.identities.insert(id, client.and_then(|text| ClientId::parse(&text).ok()));
                }
                Err(_) => present.unknown += 1,
            }
        }
    }
    let state = resource.properties.and_then(|properties| properties.provisioning_state);
    present.deleting = state.is_some_and(|state| state.eq_ignore_ascii_case("Deleting"));
    Ok(Reading { present, etag })
}

/// The body of a PATCH: the type, and only what changes. Ids are written in lower case as the original
/// does. Where nothing is left, the type says it all (peer contract §3.2).
pub(super) fn render(patch: &Patch) -> Value {
    let mut identity = Map::new();
    identity.insert("type".to_owned(), patch.kind.as_str().into());
    if !matches!(patch.kind, Kind::None | Kind::System) {
        let add = patch.add.iter().map(|id| (id.folded().to_owned(), json!({})));
        let remove = patch.remove.iter().map(|id| (id.folded().to_owned(), Value::Null));
        // An id in both lists is an addition.
        let delta: Map<String, Value> = remove.chain(add).collect();
        identity.insert("userAssignedIdentities".to_owned(), delta.into());
    }
    json!({ "identity": identity })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> IdentityResourceId {
        let text = format!(
            "/subscriptions/S/resourceGroups/G/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}"
        );
        IdentityResourceId::parse(&text).unwrap()
    }

    fn read(body: &Value) -> Result<Reading, Error> {
        parse(&Response::new(Bytes::from(body.to_string())))
    }

    #[test]
    fn reads_identities_in_any_letter_case() {
        let upper = id("App").as_str().to_ascii_uppercase();
        let reading = read(&json!({
            "id": "/x", "etag": "\"7\"",
            "identity": {"type": "SystemAssigned, UserAssigned", "principalId": "p", "tenantId": "t",
                "userAssignedIdentities": {upper: {"clientId": "C", "principalId": "p"}, id("two").as_str(): {}, "odd": {}}},
            "properties": {"provisioningState": "Succeeded"},
        }))
        .unwrap();
        let Present { kind, identities, unknown, deleting } = reading.present;
        assert_eq!((kind, unknown, deleting), (Kind::SystemAndUser, 1, false));
        assert_eq!(identities[&id("app")], ClientId::parse("c").ok());
        assert_eq!(identities[&id("two")], None);
        assert_eq!(reading.etag.as_deref(), Some("\"7\""));
    }

    #[test]
    fn a_machine_without_identity_has_none() {
        let reading = read(&json!({"id": "/x", "properties": {"provisioningState": "deleting"}})).unwrap();
        assert_eq!(reading.present, Present { deleting: true, ..Present::default() });
        assert_eq!(reading.etag, None);
    }

    #[test]
    fn what_is_no_machine_is_not_read_as_an_empty_one() {
        for body in [json!({}), json!([]), json!("x"), json!({"error": {}})] {
            assert!(read(&body).is_err(), "{body}");
        }
    }

    #[test]
    fn a_patch_holds_the_delta_and_nothing_else() {
        let patch = Patch { kind: Kind::User, add: vec![id("New")], remove: vec![id("Old")] };
        let text = render(&patch).to_string();
        let (new, old) = (id("New"), id("Old"));
        let expected = format!(
            r#"{{"identity":{{"type":"UserAssigned","userAssignedIdentities":{{"{}":{{}},"{}":null}}}}}}"#,
            new.folded(),
            old.folded()
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn an_id_that_is_added_and_removed_is_added() {
        let patch = Patch { kind: Kind::User, add: vec![id("a")], remove: vec![id("A"), id("b")] };
        let delta = &render(&patch)["identity"]["userAssignedIdentities"];
        assert_eq!(*delta, json!({id("a").folded(): {}, id("b").folded(): null}));
    }

    #[test]
    fn where_nothing_is_left_the_type_says_it_all() {
        for (kind, text) in [(Kind::None, "None"), (Kind::System, "SystemAssigned")] {
            let patch = Patch { kind, add: vec![], remove: vec![id("a")] };
            assert_eq!(render(&patch), json!({"identity": {"type": text}}));
        }
    }
}
