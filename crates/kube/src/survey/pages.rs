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
pub(crate) async fn within<K, T>(
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
pub(crate) async fn all<K, T>(
    api: Api<K>,
    what: &str,
    read: impl Fn(&K) -> Option<T>,
) -> Result<Vec<T>, CallError>
where
    K: Clone + DeserializeOwned + std::fmt::Debug,
{
    Box::pin(chosen(api, &ListParams::default(), what, read)).await
}

/// The same for the objects that `choice` selects.
pub(crate) async fn chosen<K, T>(
    api: Api<K>,
    choice: &ListParams,
    what: &str,
    read: impl Fn(&K) -> Option<T>,
) -> Result<Vec<T>, CallError>
where
    K: Clone + DeserializeOwned + std::fmt::Debug,
{
    let mut found = Vec::new();
    let mut params = choice.clone().limit(PAGE);
    loop {
        let page = match bounded(|| what.to_owned(), LIMIT, api.list(&params)).await {
            Ok(page) => page,
            Err(CallError::Absent { .. }) => return Ok(found),
            // The server forgot where we were (410): once more, in one answer.
            Err(CallError::Refused { .. }) if params.continue_token.is_some() => {
                found.clear();
                params = choice.clone();
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::crd::AzureIdentityBinding;
    use crate::testing::Script;

    fn binding(name: &str) -> Value {
        json!({"metadata": {"name": name, "namespace": "shop"}, "spec": {}})
    }

    async fn names(client: &Client, scope: Scope) -> Result<Vec<String>, CallError> {
        let read = |object: &AzureIdentityBinding| object.metadata.name.clone();
        within(client, &scope, "azureidentitybindings", read).await
    }

    /// The names that are read while `server` answers.
    async fn read(scope: Scope, server: impl AsyncFnOnce(Script)) -> Result<Vec<String>, CallError> {
        let (client, script) = Script::new();
        tokio::join!(names(&client, scope), server(script)).0
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_list_is_read_page_by_page() {
        let found = read(Scope::All, async |mut script| {
            let first = script.asked().await;
            assert!(first.uri.contains("limit=500"), "{}", first.uri);
            first.page(&[binding("a"), binding("b")], "more");
            let second = script.asked().await;
            assert!(second.uri.contains("continue=more"), "{}", second.uri);
            second.page(&[binding("c")], "");
        });
        assert_eq!(found.await.unwrap(), ["a", "b", "c"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_that_expired_on_the_way_is_read_at_once_and_nothing_twice() {
        let found = read(Scope::All, async |mut script| {
            script.asked().await.page(&[binding("a")], "old");
            script.asked().await.fail(410, "Expired");
            let again = script.asked().await;
            assert!(!again.uri.contains("limit") && !again.uri.contains("continue"), "{}", again.uri);
            again.list("9", &[binding("a"), binding("b")]);
        });
        assert_eq!(found.await.unwrap(), ["a", "b"]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_undefined_kind_has_no_objects_and_a_missing_right_is_an_error() {
        let undefined = read(Scope::All, async |mut script| script.asked().await.fail(404, "NotFound"));
        assert_eq!(undefined.await.unwrap(), [""; 0]);
        let scope = Scope::Namespaces(["api".into(), "shop".into()].into());
        let denied = read(scope, async |mut script| {
            let first = script.asked().await;
            assert!(first.uri.contains("/namespaces/api/"), "{}", first.uri);
            first.list("1", &[]);
            script.asked().await.fail(403, "Forbidden");
        });
        let error = denied.await.unwrap_err();
        assert!(
            matches!(&error, CallError::Forbidden { what, .. } if what.ends_with("in namespace shop")),
            "{error}"
        );
    }
}
