//! How does a client watch a collection?

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{FutureExt, Stream, StreamExt, stream};
use hyper::Response;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::{Interval, interval_at};

use super::super::admit::text;
use super::super::catalogue::Kind;
use super::super::convert;
use super::super::history::Event;
use super::super::status::{Cause, Status};
use super::super::store::Store;
use super::super::table::table;
use super::query::{Query, View};
use super::route::Target;
use super::{Body, Server, reply};

/// How often a client that wants bookmarks gets one.
const BOOKMARKS: Duration = Duration::from_mins(1);

/// One watch over HTTP.
struct Watch {
    kind: Kind,
    view: View,
    store: Store,
    /// What was there when a watch without a version began.
    present: VecDeque<Arc<Value>>,
    changes: Pin<Box<dyn Stream<Item = Result<Event, Status>> + Send>>,
    bookmarks: Option<Interval>,
}

/// Answers with a line for each change, until the time is over or the server stops.
pub(super) fn respond(server: &Server, target: &Target<'_>, query: &Query) -> Result<Response<Body>, Status> {
    if query.is_set("sendInitialEvents") {
        // What a real server without the WatchList feature says; clients then list first.
        let why = "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled";
        return Err(Status::invalid(
            "meta.k8s.io",
            "ListOptions",
            "",
            &[Cause::forbidden("sendInitialEvents", why)],
        ));
    }
    let (kind, store) = (target.kind, &server.store);
    let selector = query.selector(kind)?;
    let (present, version) = if let Some(version) = query.version()? {
        (VecDeque::new(), version)
    } else {
        let list = store.list(kind.stored(), &target.namespace, &selector)?;
        (list.items.into(), list.version)
    };
    let view = query.view();
    let wants_bookmarks = query.is_set("allowWatchBookmarks") && view == View::Objects;
    let watch = Watch {
        kind: kind.clone(),
        view,
        store: store.clone(),
        present,
        changes: Box::pin(store.watch(kind.stored(), &target.namespace, selector, version)?),
        bookmarks: wants_bookmarks.then(|| interval_at(tokio::time::Instant::now() + BOOKMARKS, BOOKMARKS)),
    };
    let lines = stream::unfold(watch, |mut watch| async move { Some((watch.next().await?, watch)) });
    let (timeout, shutdown) = (query.timeout(), server.shutdown.clone());
    let end = async move {
        let _ = tokio::time::timeout(timeout, shutdown.cancelled()).await;
    };
    Ok(reply::streamed("application/json", lines.take_until(Box::pin(end))))
}

// === impl Watch ===

impl Watch {
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(object) = self.present.pop_front() {
            return Some(self.line("ADDED", &object));
        }
        let Some(bookmarks) = &mut self.bookmarks else {
            let event = self.changes.next().await?;
            return Some(self.event(event));
        };
        tokio::select! {
            biased;
            event = self.changes.next() => Some(self.event(event?)),
            _ = bookmarks.tick() => self.next_or_bookmark(),
        }
    }

    /// A change that came between, else a bookmark.
    fn next_or_bookmark(&mut self) -> Option<Bytes> {
        // The version is read first: whatever it covers has been sent when nothing is left to send.
        let version = self.store.version();
        match self.changes.next().now_or_never() {
            Some(event) => Some(self.event(event?)),
            None => Some(self.bookmark(version)),
        }
    }

    fn event(&self, event: Result<Event, Status>) -> Bytes {
        match event {
            Ok(event) => self.line(event.change.as_str(), &event.object),
            Err(status) => encode("ERROR", &status.to_json()),
        }
    }

    fn line(&self, change: &str, object: &Value) -> Bytes {
        match self.view {
            View::Objects => encode(change, &convert::shown(&self.kind, object)),
            View::Table(include) => {
                let version = text(&object["metadata"]["resourceVersion"]);
                let objects = std::iter::once(object);
                encode(change, &table(&self.kind, objects, version, include, Timestamp::now()))
            }
        }
    }

    fn bookmark(&self, version: u64) -> Bytes {
        let metadata = json!({"resourceVersion": version.to_string(), "creationTimestamp": null});
        let object =
            json!({"kind": self.kind.name, "apiVersion": self.kind.api_version(), "metadata": metadata});
        encode("BOOKMARK", &object)
    }
}

fn encode(change: &str, object: &Value) -> Bytes {
    let mut line = json!({"type": change, "object": object}).to_string();
    line.push('\n');
    line.into()
}

#[cfg(test)]
mod tests {
    use super::super::super::catalogue::Catalogue;
    use super::super::super::resource::CONFIG_MAPS;
    use super::super::super::selector::Selector;
    use super::super::super::store::Settings;
    use super::*;

    fn watch(store: &Store) -> Watch {
        let changes = store.watch(&CONFIG_MAPS, "default", Selector::default(), store.version()).unwrap();
        Watch {
            kind: Catalogue::new(&[]).unwrap().kind(&CONFIG_MAPS).unwrap().clone(),
            view: View::Objects,
            store: store.clone(),
            present: VecDeque::new(),
            changes: Box::pin(changes),
            bookmarks: Some(interval_at(tokio::time::Instant::now() + BOOKMARKS, BOOKMARKS)),
        }
    }

    fn read(line: Option<Bytes>) -> (String, u64) {
        let line: Value = serde_json::from_slice(&line.unwrap()).unwrap();
        let version = text(&line["object"]["metadata"]["resourceVersion"]).parse().unwrap();
        (text(&line["type"]).to_owned(), version)
    }

    #[tokio::test(start_paused = true)]
    async fn bookmark_never_covers_a_change_that_was_not_sent() {
        let settings = Settings { crds: vec![], root_ca: String::new(), history: 100 };
        let store = Store::new(settings).unwrap();
        let mut watch = watch(&store);
        let started = store.version();
        assert_eq!(read(watch.next().await), ("BOOKMARK".into(), started));
        store.create(&CONFIG_MAPS, "default", json!({"metadata": {"name": "a"}})).unwrap();
        store.create(&CONFIG_MAPS, "kube-system", json!({"metadata": {"name": "b"}})).unwrap();
        assert_eq!(read(watch.next_or_bookmark()), ("ADDED".into(), started + 1));
        assert_eq!(read(watch.next().await), ("BOOKMARK".into(), started + 2));
    }
}
