//! How are identities read from and written to a VM or scale set in Azure Resource Manager?
//!
//! Only what podid needs: the identities of one resource, a PATCH with a delta, the operation that
//! such a PATCH starts, and the machines of a resource group. What commands ask of other resources is
//! in [`resource`]. Every call is paced by ARM's own
//! counters ([`podid_core::throttle`]), repeated where that is safe ([`podid_core::retry`]), and
//! signed with a token of the role's [`Credential`], a fresh one if ARM refuses it.

mod blame;
mod call;
mod error;
mod identity;
mod operation;
mod pace;
mod problem;
pub mod resource;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use podid_core::assign::{Patch, Present};
use podid_core::ids::ComputeId;
use podid_core::retry::Policy;
use serde::Deserialize;

use self::call::{Body, Call};
pub use self::error::Error;
pub use self::operation::Operation;
pub use self::pace::BudgetLeft;
use self::pace::{Bucket, Family, Pace, Verb};
use crate::cloud::Cloud;
use crate::credential::Credential;
use crate::http::Client;

/// Version of Microsoft.Compute: the delta form of identities exists since 2018-06-01, entity tags
/// since 2024-03-01.
const COMPUTE_VERSION: &str = "2024-07-01";

/// A client of ARM. Cheap to clone; all clones share budget and tokens.
#[derive(Clone, Debug)]
pub struct Arm {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    http: Client,
    /// The base address, with its slash, which is also the audience of tokens.
    endpoint: String,
    credential: Credential,
    pace: Pace,
    settings: Settings,
}

/// How patient the client is.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Attempts of one call. A call that would have to wait longer than its `patience` fails with the time to wait.
    pub retry: Policy,
    /// Longest time between two looks at an operation where ARM names none.
    pub poll: Duration,
    /// Longest time that an operation is watched.
    pub operation: Duration,
}

/// The identities of a VM or scale set at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// What is there.
    pub present: Present,
    /// The entity tag, if ARM gave one: a PATCH that carries it fails if somebody else wrote meanwhile.
    pub etag: Option<String>,
}

/// How far a PATCH got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It is in effect.
    Done,
    /// ARM is at it.
    Running(Operation),
}

// === impl Arm ===

impl Arm {
    /// A client of the ARM of `cloud`.
    pub fn new(http: Client, cloud: &Cloud, credential: Credential) -> Self {
        Self::with_settings(http, cloud, credential, Settings::default())
    }

    /// The same with other settings.
    pub fn with_settings(http: Client, cloud: &Cloud, credential: Credential, settings: Settings) -> Self {
        let endpoint = cloud.endpoints.resource_manager.clone();
        Self { inner: Arc::new(Inner { http, endpoint, credential, pace: Pace::new(), settings }) }
    }

    /// What is left of ARM's budgets of requests, as far as this client knows: others may spend from them, too.
    pub fn budgets_left(&self) -> [BudgetLeft; 5] {
        self.inner.pace.left()
    }

    /// Reads the identities of `target`.
    pub async fn identities(&self, target: &ComputeId) -> Result<Reading, Error> {
        let call = Call {
            method: Method::GET,
            url: self.inner.compute(target.as_str())?,
            bucket: Bucket::of(target.as_str(), Family::from(target.kind()), Verb::Read),
            body: None,
            about: target.as_str(),
        };
        identity::parse(&self.inner.send(call, &[]).await?)
    }

    /// Sends `patch` to `target` and returns as soon as ARM took it. With `etag`, only if nobody wrote
    /// since that reading. Safe to repeat: the delta says what shall be, not what shall happen.
    pub async fn submit(
        &self,
        target: &ComputeId,
        patch: &Patch,
        etag: Option<&str>,
    ) -> Result<Progress, Error> {
        let call = Call {
            method: Method::PATCH,
            url: self.inner.compute(target.as_str())?,
            bucket: Bucket::of(target.as_str(), Family::from(target.kind()), Verb::Write),
            body: Some(Body { json: identity::render(patch), etag }),
            about: target.as_str(),
        };
        let answer = self.inner.send(call, &patch.add).await?;
        operation::started(&answer, &self.inner.endpoint)
    }

    /// Watches `operation` of `patch` on `target` until it ends. An operation can be saved and finished
    /// after a restart. [`Error::StillRunning`] gives it back when the time is up.
    pub async fn finish(&self, target: &ComputeId, operation: Operation, patch: &Patch) -> Result<(), Error> {
        self.inner.watch(target.as_str(), operation, &patch.add).await
    }

    /// Sends `patch` to `target` and waits until it is in effect.
    pub async fn apply(&self, target: &ComputeId, patch: &Patch, etag: Option<&str>) -> Result<(), Error> {
        match self.submit(target, patch, etag).await? {
            Progress::Done => Ok(()),
            Progress::Running(operation) => self.finish(target, operation, patch).await,
        }
    }

    /// Names of the virtual machines in a resource group (not of the instances of scale sets).
    pub async fn virtual_machines(&self, subscription: &str, group: &str) -> Result<Vec<String>, Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Page {
            value: Vec<Machine>,
            next_link: Option<String>,
        }
        #[derive(Deserialize)]
        struct Machine {
            name: String,
        }

        let list = format!(
            "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute/virtualMachines"
        );
        let mut next = Some(self.inner.compute(&list)?);
        let mut names = Vec::new();
        while let Some(url) = next {
            let bucket = Bucket::of(&list, Family::VirtualMachine, Verb::Read);
            let call = Call { method: Method::GET, url, bucket, body: None, about: &list };
            let answer = self.inner.send(call, &[]).await?;
            let page: Page = serde_json::from_slice(answer.body()).map_err(|_| Error::malformed(&list))?;
            names.extend(page.value.into_iter().map(|machine| machine.name));
            let link = page.next_link.filter(|link| !link.is_empty());
            next = link.map(|link| operation::trusted(&link, &self.inner.endpoint)).transpose()?;
        }
        Ok(names)
    }
}

impl Inner {
    /// The address of a resource or list of Microsoft.Compute.
    fn compute(&self, id: &str) -> Result<String, Error> {
        self.url(id, COMPUTE_VERSION).map_err(|fault| fault.judge(id, &[]))
    }
}

// === impl Settings ===

impl Default for Settings {
    /// Four attempts from one second up, 20 s of patience; operations are looked at every 5 s or more often, for 15 minutes.
    fn default() -> Self {
        let retry = Policy {
            attempts: 4,
            base: Duration::from_secs(1),
            cap: Duration::from_secs(10),
            patience: Duration::from_secs(20),
        };
        Self { retry, poll: Duration::from_secs(5), operation: Duration::from_mins(15) }
    }
}
