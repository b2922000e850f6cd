//! Are the Secrets of service principals there, and with which keys?

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kube::Client;
use podid_core::adopt::Identity;
use podid_core::chain::{Secret, Seen};
use podid_core::ids::ObjectRef;

use super::{LIMIT, unseen};
use crate::call::CallError;
use crate::lookup;

/// Looks at the keys, of those namespaces only if some are given. Values are dropped at once.
pub(super) async fn look(
    client: &Client,
    identities: &[Identity],
    namespaces: Option<&BTreeSet<Arc<str>>>,
) -> BTreeMap<ObjectRef, Seen<Option<Secret>>> {
    let near = |id: &ObjectRef| namespaces.is_none_or(|all| all.contains(&id.namespace));
    let principals = identities.iter().filter(|one| one.type_ != 0);
    let wanted: BTreeSet<&ObjectRef> =
        principals.filter_map(|one| one.secret.as_ref()).filter(|id| near(id)).collect();
    let mut found = BTreeMap::new();
    for id in wanted {
        let seen = match lookup::secret(client, id, LIMIT).await {
            Ok(secret) => {
                let keys = secret.entries.keys().map(|key| key.as_str().into()).collect();
                Seen::Known(Some(Secret { keys }))
            }
            Err(CallError::Absent { .. }) => Seen::Known(None),
            Err(error) => unseen(&error),
        };
        found.insert(id.clone(), seen);
    }
    found
}
