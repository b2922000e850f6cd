//! What did MIC tell the owners of bindings?

use k8s_openapi::api::core::v1::Event;
use kube::api::ListParams;
use kube::{Api, Client};
use podid_core::adopt::Scope;
use podid_core::chain::{Notice, Seen};
use podid_core::ids::ObjectRef;

use super::seen;
use crate::call::CallError;
use crate::facts::filled;
use crate::survey::pages;

/// Events on bindings, everywhere or in the namespaces of `scope`.
pub(super) async fn look(client: &Client, scope: Option<&Scope>) -> Seen<Vec<Notice>> {
    let all = list(Api::all(client.clone())).await;
    let (Err(CallError::Forbidden { .. }), Some(Scope::Namespaces(names))) = (&all, scope) else {
        return seen(all);
    };
    let mut found = Vec::new();
    for name in names {
        match list(Api::namespaced(client.clone(), name)).await {
            Ok(some) => found.extend(some),
            error @ Err(_) => return seen(error),
        }
    }
    Seen::Known(found)
}

async fn list(api: Api<Event>) -> Result<Vec<Notice>, CallError> {
    let choice = ListParams::default().fields("involvedObject.kind=AzureIdentityBinding");
    pages::chosen(api, &choice, "list events", notice).await
}

fn notice(event: &Event) -> Option<Notice> {
    let about = &event.involved_object;
    let last = event.last_timestamp.as_ref().map(|time| time.0);
    let first = event.event_time.as_ref().map(|time| time.0);
    Some(Notice {
        binding: ObjectRef::new(filled(about.namespace.as_deref())?, filled(about.name.as_deref())?),
        message: event.message.as_deref().unwrap_or_default().into(),
        warning: event.type_.as_deref() == Some("Warning"),
        at: last.or(first),
    })
}
