//! Which part of the server answers a request?

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::{Method, Request, Response};
use serde_json::{Value, json};

use super::super::status::Status;
use super::query::Query;
use super::route::{self, Route};
use super::{BODY_LIMIT, Body, Server, discovery, objects, openapi, reply};

/// Answers an authenticated request.
pub(super) async fn respond(server: &Server, request: Request<Incoming>) -> Result<Response<Body>, Status> {
    let (head, body) = request.into_parts();
    let catalogue = server.store.catalogue();
    let nothing = || Status::new(404, "NotFound", "the server could not find the requested resource");
    let route = route::parse(catalogue, head.uri.path()).ok_or_else(nothing)?;
    let query = Query::new(head.uri.query(), head.headers);
    let found = match route {
        Route::Objects(target) => {
            let body = read(body).await?;
            return objects::respond(server, &target, &head.method, &query, &body).await;
        }
        Route::AccessReview if head.method == Method::POST => {
            return Ok(reply::object(201, &allow()));
        }
        Route::Fault(fault) if head.method == Method::POST => {
            fault.happen(&server.store, &server.outage, &query)?;
            return Ok(reply::plain("ok"));
        }
        Route::AccessReview | Route::Fault(_) => return Err(Status::method_not_allowed()),
        _ if head.method != Method::GET => return Err(Status::method_not_allowed()),
        Route::Health => return Ok(reply::plain("ok")),
        Route::Version => Some(discovery::version()),
        Route::CoreVersions => Some(discovery::core_versions()),
        Route::Groups => Some(discovery::groups(catalogue)),
        Route::Group(group) => discovery::group(catalogue, &group),
        Route::Kinds(group, version) => discovery::kinds(catalogue, &group, &version),
        Route::Documents => Some(openapi::documents(catalogue)),
        Route::Document(group, version) => openapi::document(catalogue, &group, &version),
    };
    Ok(reply::object(200, &found.ok_or_else(nothing)?))
}

async fn read(body: Incoming) -> Result<Bytes, Status> {
    match Limited::new(body, BODY_LIMIT).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(Status::new(
            413,
            "RequestEntityTooLarge",
            format!("Request entity too large: limit is {BODY_LIMIT}"),
        )),
        Err(error) => Err(Status::bad_request(format!("the request body ended early: {error}"))),
    }
}

/// Whatever is asked: everyone who has the token may do everything.
fn allow() -> Value {
    json!({
        "kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "metadata": {}, "spec": {},
        "status": {"allowed": true, "reason": "the lab has no authorization"},
    })
}
