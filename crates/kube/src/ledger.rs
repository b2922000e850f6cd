//! How does a component keep a few facts of its own across restarts?
//!
//! In a ConfigMap that only it writes. Every write names the version that it was made from, so that
//! two writers cannot overwrite each other unseen. What the pages mean is the owner's business.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};

use crate::call::{CallError, bounded};

/// How long one call may take.
const LIMIT: Duration = Duration::from_secs(10);

/// A ConfigMap of ours.
#[derive(Clone, Debug)]
pub struct Ledger {
    api: Api<ConfigMap>,
    name: String,
}

/// What the ledger says, and in which version.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// The entries. Keys are of letters, digits, `-`, `_` and `.`.
    pub entries: BTreeMap<String, String>,
    object: Option<Box<ConfigMap>>,
}

// === impl Ledger ===

impl Ledger {
    /// The ConfigMap `name` in `namespace`.
    pub fn new(client: &Client, namespace: &str, name: &str) -> Self {
        Self { api: Api::namespaced(client.clone(), namespace), name: name.to_owned() }
    }

    /// What it says now; an empty page if there is none yet.
    pub async fn read(&self) -> Result<Page, CallError> {
        let what = || format!("read ConfigMap {}", self.name);
        let found = bounded(what, LIMIT, self.api.get_opt(&self.name)).await?;
        Ok(found.map(Page::from).unwrap_or_default())
    }

    /// Writes `page` over the version that it was read from, and gives the new one.
    /// [`CallError::Conflict`] if someone else wrote meanwhile.
    pub async fn write(&self, page: Page) -> Result<Page, CallError> {
        let what = || format!("write ConfigMap {}", self.name);
        let params = PostParams::default();
        let created = page.object.is_none();
        let mut object = page.object.map(|object| *object).unwrap_or_default();
        object.data = Some(page.entries);
        let written = if created {
            object.metadata = ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() };
            bounded(what, LIMIT, self.api.create(&params, &object)).await?
        } else {
            bounded(what, LIMIT, self.api.replace(&self.name, &params, &object)).await?
        };
        Ok(written.into())
    }
}

// === impl Page ===

impl Page {
    /// Whether the ledger exists.
    pub fn is_stored(&self) -> bool {
        self.object.is_some()
    }
}

impl From<ConfigMap> for Page {
    fn from(object: ConfigMap) -> Self {
        Self { entries: object.data.clone().unwrap_or_default(), object: Some(Box::new(object)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Store;

    #[tokio::test]
    async fn of_two_writers_that_read_the_same_page_the_second_is_refused() {
        let store = Store::default();
        let ledger = Ledger::new(&store.client(), "n", "ledger");
        let empty = ledger.read().await.unwrap();
        let mut page = empty.clone();
        page.entries.insert("vmss".into(), "[]".into());
        let page = ledger.write(page).await.unwrap();
        assert!(matches!(ledger.write(empty).await, Err(CallError::Conflict { .. })));
        let mut mine = page.clone();
        mine.entries.insert("mine".into(), "1".into());
        let mine = ledger.write(mine).await.unwrap();
        assert!(matches!(ledger.write(page).await, Err(CallError::Conflict { .. })));
        assert_eq!(ledger.read().await.unwrap().entries, mine.entries);
    }
}
