//! Which API servers do the tests of this crate talk to? Two small ones, in memory, without a socket.
//!
//! [`Store`] keeps objects and compares versions; [`Script`] lets a test answer each request by hand.

mod script;
mod store;

pub(crate) use script::Script;
pub(crate) use store::Store;

use http::Response;
use kube::client::Body;
use serde_json::{Value, json};

fn answer(code: u16, body: &Value) -> Response<Body> {
    Response::builder().status(code).body(Body::from(body.to_string().into_bytes())).unwrap()
}

fn failure(code: u16, reason: &str, message: &str) -> Response<Body> {
    let status = json!({
        "apiVersion": "v1", "kind": "Status", "status": "Failure",
        "code": code, "reason": reason, "message": message,
    });
    answer(code, &status)
}
