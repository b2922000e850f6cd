//! How is a long list read without holding the server up?

use kube::api::ListParams;
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Resource};
use podid_core::adopt::Scope;
use serde::de::DeserializeOwned;

use super::LIMIT;
use crate::call::{CallError, bounded};

/// Objects per answer.
const PAGE: u32 = 500;

/// What `read` makes of the objects of a kind, in every namespace of `scope`. An undefined kind has no
/// objects.
pub(super) async fn within<K, T>(
    client: &Client,
    scope: &Scope,
    plural: &str,
    read: impl Fn(&K) -> Option<T>,
) -> Result<Vec<T>, CallError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug,
{
    let Scope::Namespaces(names) = scope else {
        return all(Api::all(client.clone()), &format!("list {plural}"), read).await;
    };
    let mut found = Vec::new();
    for name in names {
        let what = format!("list {plural} in namespace {name}");
        found.extend(all(Api::namespaced(client.clone(), name), &what, &read).await?);
    }
    Ok(found)
}

/// What `read` makes of the objects that `api` has; objects are dropped page by page.
pub(super) async fn all<K, T>(
    api: Api<K>,
    what: &str,
    read: impl Fn(&K) -> Option<T>,
) -> Result<Vec<T>, CallError>
where
    K: Clone + DeserializeOwned + std::fmt::Debug,
{
    let mut found = Vec::new();
    let mut params = ListParams::default().limit(PAGE);
    loop {
        let page = match bounded(|| what.to_owned(), LIMIT, api.list(&params)).await {
            Ok(page) => page,
            Err(CallError::Absent { .. }) => return Ok(found),
            // The server forgot where we were (410): once more, in one answer.
            Err(CallError::Refused { .. }) if params.continue_token.is_some() => {
                found.clear();
                params = ListParams::default();
                continue;
            }
            Err(error) => return Err(error),
        };
        found.extend(page.items.iter().filter_map(&read));
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(found),
        }
    }
}
