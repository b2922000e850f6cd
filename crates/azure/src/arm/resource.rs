//! How are resources of any type read and written, for commands?
//!
//! JSON in, JSON out, by ARM id and version of the API; what comes in pages is read to its end, and
//! what ARM does in the background is watched to its end. Each call says what shall be, so all of it can
//! be repeated. The types that podid knows more of are in files of their own.

mod cluster;
mod error;
mod identity;
mod roles;
#[cfg(test)]
mod tests;

use http::Method;
use serde_json::Value;

pub use self::cluster::{AgentPool, ClusterIdentity, ManagedCluster};
pub use self::error::Error;
pub use self::identity::UserAssigned;
pub use self::roles::{Grant, RoleAssignment};
use super::call::{Body, Call, Fault};
use super::operation::{self, trusted};
use super::pace::{Bucket, Family, Verb};
use super::{Arm, COMPUTE_VERSION, Progress};

/// A version of a resource type's API, such as `2024-05-01`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version(pub &'static str);

// === impl Arm ===

impl Arm {
    /// Reads the resource with this ARM id.
    pub async fn read(&self, id: &str, version: Version) -> Result<Value, Error> {
        let url = self.resource(id, version, None)?;
        self.document(id, Method::GET, url, None).await
    }

    /// Reads all pages of a list; `path` leads to it as an ARM id leads to a resource.
    pub async fn list(
        &self,
        path: &str,
        version: Version,
        filter: Option<&str>,
    ) -> Result<Vec<Value>, Error> {
        let mut next = Some(self.resource(path, version, filter)?);
        let mut all = Vec::new();
        while let Some(url) = next {
            let mut page = self.document(path, Method::GET, url, None).await?;
            match page.get_mut("value").map(Value::take) {
                Some(Value::Array(items)) => all.extend(items),
                _ => return Err(Error::malformed(path)),
            }
            let link = page.get("nextLink").and_then(Value::as_str).filter(|link| !link.is_empty());
            let link = link.map(|link| trusted(link, &self.inner.endpoint));
            next = link.transpose().map_err(Error::from)?;
        }
        Ok(all)
    }

    /// Makes the resource what `body` says, and waits until it is. Gives what ARM answered at once.
    pub async fn put(&self, id: &str, version: Version, body: Value) -> Result<Value, Error> {
        self.change(id, version, Method::PUT, Some(body)).await
    }

    /// Changes what `body` says of the resource, and waits until it is so. Gives what ARM answered at once.
    pub async fn patch(&self, id: &str, version: Version, body: Value) -> Result<Value, Error> {
        self.change(id, version, Method::PATCH, Some(body)).await
    }

    /// Deletes the resource, and waits until it is gone. One that is not there is gone.
    pub async fn delete(&self, id: &str, version: Version) -> Result<(), Error> {
        match self.change(id, version, Method::DELETE, None).await {
            Ok(_) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Names of the scale sets in a resource group.
    pub async fn scale_sets(&self, subscription: &str, group: &str) -> Result<Vec<String>, Error> {
        let path = format!(
            "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Compute/virtualMachineScaleSets"
        );
        let all = self.list(&path, Version(COMPUTE_VERSION), None).await?;
        Ok(all.iter().filter_map(|set| set["name"].as_str().map(str::to_owned)).collect())
    }

    /// Ids of the subscriptions that the caller sees.
    pub async fn subscriptions(&self) -> Result<Vec<String>, Error> {
        let all = self.list("/subscriptions", Version("2022-12-01"), None).await?;
        Ok(all.iter().filter_map(|one| one["subscriptionId"].as_str().map(str::to_owned)).collect())
    }

    async fn change(
        &self,
        id: &str,
        version: Version,
        method: Method,
        body: Option<Value>,
    ) -> Result<Value, Error> {
        let call = call(id, method, self.resource(id, version, None)?, body);
        let answer = self.inner.exchange(call).await.map_err(|fault| Error::of(fault, id))?;
        if let Progress::Running(operation) = operation::started(&answer, &self.inner.endpoint)? {
            self.inner.watch(id, operation, &[]).await?;
        }
        Ok(serde_json::from_slice(answer.body()).unwrap_or_default())
    }

    async fn document(
        &self,
        about: &str,
        method: Method,
        url: String,
        body: Option<Value>,
    ) -> Result<Value, Error> {
        let call = call(about, method, url, body);
        let answer = self.inner.exchange(call).await.map_err(|fault| Error::of(fault, about))?;
        serde_json::from_slice(answer.body()).map_err(|_| Error::malformed(about))
    }

    fn resource(&self, id: &str, version: Version, filter: Option<&str>) -> Result<String, Error> {
        let url = self.inner.url(id, version.0).map_err(|fault: Fault| Error::of(fault, id))?;
        Ok(match filter {
            None => url,
            Some(filter) => {
                let filter: String = form_urlencoded::byte_serialize(filter.as_bytes()).collect();
                format!("{url}&%24filter={filter}")
            }
        })
    }
}

fn call(about: &str, method: Method, url: String, body: Option<Value>) -> Call<'_> {
    let verb = if method == Method::GET { Verb::Read } else { Verb::Write };
    let bucket = Bucket::of(about, Family::Other, verb);
    Call { method, url, bucket, body: body.map(|json| Body { json, etag: None }), about }
}
