//! Which pod identities are there, and how do they stand?

use std::collections::BTreeMap;

use podid_console::Grid;
use podid_core::addon::state::{Mode, Remote, Standing, State};
use podid_core::facts::IdentityKind;
use podid_core::ids::{IdentityResourceId, ObjectRef};
use serde_json::{Map, Value, json};

use crate::azure::{self, Azure};
use crate::nodes::judge;
use crate::observe::Scene;
use crate::{Error, Session};

/// One pod identity, as it stands now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Namespace and name.
    pub id: ObjectRef,
    /// What pods are matched by.
    pub selectors: Vec<String>,
    /// The identity in Azure; its resource id, or the client id of a service principal.
    pub identity: String,
    /// Its client id.
    pub client: String,
    /// Its object id, where Azure said it.
    pub principal: Option<String>,
    /// Whether `podid add` made it.
    pub ours: bool,
    /// How it stands.
    pub standing: Standing,
}

/// The pod identities of `namespace`, or of all, by namespace and name.
///
/// Where Azure cannot be asked, those whose state depends on it are [`State::Unknown`] and say why.
pub async fn list<A: Azure>(session: &Session<A>, namespace: Option<&str>) -> Result<Vec<Row>, Error> {
    let scene = session.look("").await?;
    let wanted = |held: &&podid_core::addon::Held<podid_core::facts::Identity>| {
        namespace.is_none_or(|namespace| *held.fact.id.namespace == *namespace)
    };
    let mut found: Vec<_> = scene.cluster.identities.iter().filter(wanted).collect();
    found.sort_by(|one, other| one.fact.id.cmp(&other.fact.id));
    let resources = found.iter().filter_map(|held| held.fact.resource_id().cloned());
    let remotes = session.remotes(&scene, resources.collect()).await?;
    let rows = found.into_iter().map(|held| {
        let unasked = Remote::NotKnown(String::new());
        let remote = held.fact.resource_id().and_then(|resource| remotes.get(resource)).unwrap_or(&unasked);
        let principal = match remote {
            Remote::There(side, _) => Some(side.principal.to_string()),
            Remote::NotKnown(_) | Remote::Missing => None,
        };
        let (identity, client) = match &held.fact.kind {
            Ok(IdentityKind::Managed { resource_id, client_id }) => {
                (resource_id.to_string(), client_id.to_string())
            }
            Ok(IdentityKind::ServicePrincipal { client_id, .. }) => {
                (format!("service principal {client_id}"), client_id.to_string())
            }
            Err(_) => Default::default(),
        };
        Row {
            selectors: scene.bindings(&held.fact.id).map(|binding| binding.selector.to_string()).collect(),
            standing: scene.state(held, remote),
            id: held.fact.id.clone(),
            ours: held.ours,
            identity,
            client,
            principal,
        }
    });
    Ok(rows.collect())
}

/// The rows as people read them, with the add-on's columns.
pub fn table(rows: &[Row]) -> String {
    let mut grid = Grid::new(["Name", "Namespace", "ProvisioningState", "Identity"]);
    for row in rows {
        let state = row.standing.state.to_string();
        grid.row([&row.id.name, &row.id.namespace, &state, &row.identity]);
    }
    grid.to_string()
}

/// The rows as programs read them: the items of `podIdentityProfile.userAssignedIdentities`.
pub fn json(rows: &[Row]) -> Value {
    rows.iter().map(Row::json).collect()
}

/// The rows as kubectl takes them.
pub fn names(rows: &[Row]) -> Vec<String> {
    rows.iter().map(|row| format!("azureidentity.aadpodidentity.k8s.io/{}", row.id.name)).collect()
}

/// Whether the state of one of them is not known.
pub fn is_unknown(rows: &[Row]) -> bool {
    rows.iter().any(|row| row.standing.state == State::Unknown)
}

// === impl Row ===

impl Row {
    /// As an item of `podIdentityProfile.userAssignedIdentities`.
    pub fn json(&self) -> Value {
        let mut item = Map::new();
        let mut put = |key: &str, value: Value| drop(item.insert(key.to_owned(), value));
        put("name", (*self.id.name).into());
        put("namespace", (*self.id.namespace).into());
        if let Some(selector) = self.selectors.first() {
            put("bindingSelector", selector.as_str().into());
        }
        let mut identity = json!({"resourceId": self.identity, "clientId": self.client});
        if let Some(principal) = &self.principal {
            identity["objectId"] = principal.as_str().into();
        }
        put("identity", identity);
        put("managedBy", if self.ours { "podid" } else { "" }.into());
        put("provisioningState", self.standing.state.to_string().into());
        if let Some(why) = &self.standing.why {
            // Twice, as in Azure's own model.
            let error = json!({"error": {"error": {"code": why.code, "message": why.message}}});
            put("provisioningInfo", error);
        }
        Value::Object(item)
    }
}

// === impl Session ===

impl<A: Azure> Session<A> {
    /// What Azure says about each of the identities; a missing login or right does not end it.
    async fn remotes(
        &self,
        scene: &Scene,
        mut resources: Vec<IdentityResourceId>,
    ) -> Result<BTreeMap<IdentityResourceId, Remote>, Error> {
        resources.sort();
        resources.dedup();
        let mut found = BTreeMap::new();
        if resources.is_empty() {
            return Ok(found);
        }
        let readings = match scene.installed.mode {
            Mode::Standard => Ok(Vec::new()),
            Mode::Managed => self.nodes(scene).readings(&scene.targets).await,
        };
        let (readings, unread) = match readings {
            Ok(readings) => (readings, None),
            Err(Error::Azure(error)) => (Vec::new(), Some(error)),
            Err(error) => return Err(error),
        };
        let mut login = None;
        for resource in resources {
            let asked = match &login {
                Some(error) => Err(azure::Error::clone(error)),
                None => self.azure.identity(&resource).await,
            };
            let remote = match (asked, &unread) {
                (Ok(None), _) => Remote::Missing,
                (Ok(Some(side)), None) => {
                    let nodes = readings.iter().map(|(target, reading, ledger)| {
                        (target.clone(), judge(reading, Some(ledger), &resource, Some(&side.client)))
                    });
                    Remote::There(side.clone(), nodes.collect())
                }
                (Ok(Some(_)), Some(error)) => Remote::NotKnown(error.to_string()),
                (Err(error), _) => {
                    let remote = Remote::NotKnown(error.to_string());
                    // One login is one for all.
                    login = matches!(error, azure::Error::Login(_) | azure::Error::Cloud(_)).then_some(error);
                    remote
                }
            };
            found.insert(resource, remote);
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use podid_core::addon::state::Why;

    use super::*;

    fn row(name: &str, state: State, why: Option<Why>) -> Row {
        Row {
            id: ObjectRef::new("my-app", name),
            selectors: vec![name.to_owned()],
            identity: crate::testing::resource(name).to_string(),
            client: "c-1".to_owned(),
            principal: Some("p-1".to_owned()),
            ours: true,
            standing: Standing { state, why },
        }
    }

    fn rows() -> Vec<Row> {
        let why =
            Why { code: "NotOnNodes", message: "it is not on pool-a; run the same podid add again".into() };
        vec![row("app", State::Assigned, None), row("other", State::Failed, Some(why))]
    }

    #[test]
    fn people_read_the_add_on_s_columns() {
        insta::assert_snapshot!(anstream_free(&table(&rows())), @r"
        NAME    NAMESPACE   PROVISIONINGSTATE   IDENTITY
        app     my-app      Assigned            /subscriptions/s/resourceGroups/ids/providers/Microsoft.ManagedIdentity/userAssignedIdentities/app
        other   my-app      Failed              /subscriptions/s/resourceGroups/ids/providers/Microsoft.ManagedIdentity/userAssignedIdentities/other
        ");
    }

    #[test]
    fn programs_read_azure_s_own_model() {
        insta::assert_snapshot!(format!("{:#}", json(&rows()[1..])), @r#"
        [
          {
            "bindingSelector": "other",
            "identity": {
              "clientId": "c-1",
              "objectId": "p-1",
              "resourceId": "/subscriptions/s/resourceGroups/ids/providers/Microsoft.ManagedIdentity/userAssignedIdentities/other"
            },
            "managedBy": "podid",
            "name": "other",
            "namespace": "my-app",
            "provisioningInfo": {
              "error": {
                "error": {
                  "code": "NotOnNodes",
                  "message": "it is not on pool-a; run the same podid add again"
                }
              }
            },
            "provisioningState": "Failed"
          }
        ]
        "#);
        assert_eq!(names(&rows())[0], "azureidentity.aadpodidentity.k8s.io/app");
    }

    /// The text without what makes a heading bold.
    fn anstream_free(text: &str) -> String {
        text.replace("\u{1b}[1m", "").replace("\u{1b}[0m", "")
    }
}
