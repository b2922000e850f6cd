//! How does a test play the API server, request by request?

use std::convert::Infallible;

use bytes::Bytes;
use futures::channel::mpsc::{UnboundedSender, unbounded};
use futures::{SinkExt, StreamExt};
use http::{Request, Response};
use http_body_util::StreamBody;
use http_body_util::combinators::UnsyncBoxBody;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

type Reply = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// The server's side: requests arrive here and wait for an answer.
pub(crate) struct Script {
    requests: mpsc::UnboundedReceiver<(String, oneshot::Sender<Reply>)>,
}

/// A request, by path and query.
pub(crate) struct Asked {
    pub(crate) uri: String,
    reply: oneshot::Sender<Reply>,
}

/// A watch that is open; dropping it is a disconnect.
pub(crate) struct Feed(UnboundedSender<Bytes>);

// === impl Script ===

impl Script {
    pub(crate) fn new() -> (Client, Self) {
        let (sender, requests) = mpsc::unbounded_channel();
        let service = tower::service_fn(move |request: Request<Body>| {
            let (reply, answer) = oneshot::channel();
            sender.send((request.uri().to_string(), reply)).ok();
            answer
        });
        (Client::new(service, "default"), Self { requests })
    }

    /// The next request.
    pub(crate) async fn asked(&mut self) -> Asked {
        let (uri, reply) = self.requests.recv().await.unwrap();
        Asked { uri, reply }
    }
}

// === impl Asked ===

impl Asked {
    /// Answers a list.
    pub(crate) fn list(self, version: &str, items: &[Value]) {
        assert!(!self.uri.contains("watch=true"), "expected a list, got {}", self.uri);
        let list = json!({"kind": "List", "metadata": {"resourceVersion": version}, "items": items});
        self.send(200, &list);
    }

    /// Answers a page of a list, which goes on at `token`.
    pub(crate) fn page(self, items: &[Value], token: &str) {
        let list = json!({"kind": "List", "metadata": {"continue": token}, "items": items});
        self.send(200, &list);
    }

    /// Answers with a failure.
    pub(crate) fn fail(self, code: u16, reason: &str) {
        let status =
            json!({"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": reason});
        self.send(code, &status);
    }

    /// Opens a watch.
    pub(crate) fn watch(self) -> Feed {
        assert!(self.uri.contains("watch=true"), "expected a watch, got {}", self.uri);
        let (feed, lines) = unbounded::<Bytes>();
        let frames = lines.map(|line| Ok(hyper::body::Frame::data(line)));
        self.reply.send(Response::new(UnsyncBoxBody::new(StreamBody::new(frames)))).ok();
        Feed(feed)
    }

    fn send(self, code: u16, body: &Value) {
        let body = http_body_util::Full::new(Bytes::from(body.to_string()));
        let reply = Response::builder().status(code).body(UnsyncBoxBody::new(body)).unwrap();
        self.reply.send(reply).ok();
    }
}

// === impl Feed ===

impl Feed {
    /// Sends an event of the watch, such as `ADDED` with an object.
    pub(crate) async fn event(&mut self, kind: &str, object: Value) {
        let line = format!("{}\n", json!({"type": kind, "object": object}));
        self.0.send(line.into()).await.unwrap();
    }
}
