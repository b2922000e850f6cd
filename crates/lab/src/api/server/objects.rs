//! How is a request about objects answered?

use std::sync::Arc;

use futures::StreamExt;
use hyper::{Method, Response};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::admit::{key, text};
use super::super::convert;
use super::super::patch::Patch;
use super::super::resource::PODS;
use super::super::status::Status;
use super::super::store::Written;
use super::super::table::table;
use super::super::write::Part;
use super::query::{Query, View};
use super::route::Target;
use super::{Body, Server, follow, protobuf, reply};

/// Answers a request about one object, a collection, or a part of an object.
pub(super) async fn respond(
    server: &Server,
    target: &Target<'_>,
    method: &Method,
    query: &Query,
    body: &[u8],
) -> Result<Response<Body>, Status> {
    let part = match target.part.as_deref() {
        None if target.kind.has_status() => Part::Main,
        None => Part::Whole,
        Some("status") if target.kind.has_status() => Part::Status,
        Some("binding") if target.kind.resource == PODS && *method == Method::POST => {
            return bind(server, target, query, body);
        }
        Some("log") if target.kind.resource == PODS && *method == Method::GET => {
            return log(server, target, query).await;
        }
        Some("exec" | "attach" | "portforward") if target.kind.resource == PODS => {
            let why = "the lab's API does not carry terminals or ports; run: podid lab exec POD -- COMMAND";
            return Err(Status::new(501, "NotImplemented", why));
        }
        Some(_) => {
            return Err(Status::new(404, "NotFound", "the server could not find the requested resource"));
        }
    };
    let (store, resource, namespace) = (&server.store, target.kind.stored(), target.namespace.as_str());
    let verb = verb(method, target, query).filter(|verb| target.kind.verbs.contains(verb));
    match (verb, target.name.as_deref()) {
        (Some("list"), _) => list(server, target, query),
        (Some("watch"), _) => follow::respond(server, target, query),
        (Some("get"), Some(name)) => Ok(one(200, target, query, &*store.get(resource, namespace, name)?)),
        (Some("create"), None) if target.is_one_collection() => {
            let object = convert::stored(target.kind, parse(query, body)?);
            let Written { object, warnings } =
                store.create_as(resource, namespace, object, query.write(part)?)?;
            Ok(reply::with_warnings(one(201, target, query, &object), &warnings))
        }
        (Some("update"), Some(name)) => {
            let object = convert::stored(target.kind, parse(query, body)?);
            let edit = |current: &mut Value| {
                *current = object;
                Ok(())
            };
            let written = store.modify_as(resource, namespace, name, query.write(part)?, edit)?;
            Ok(reply::with_warnings(one(200, target, query, &written.object), &written.warnings))
        }
        (Some("patch"), Some(name)) => {
            let patch = Patch::parse(target.kind, query.content_type(), body)?;
            let edit = |current: &mut Value| {
                let mut shown = convert::shown(target.kind, current);
                patch.apply(&mut shown)?;
                *current = convert::stored(target.kind, shown);
                Ok(())
            };
            let written = store.modify_as(resource, namespace, name, query.write(part)?, edit)?;
            Ok(reply::with_warnings(one(200, target, query, &written.object), &written.warnings))
        }
        (Some("delete"), Some(name)) => {
            let options = query.delete(&parse_or_null(query, body)?)?;
            let last = store.delete(resource, namespace, name, &options)?;
            let gone = !options.dry_run && store.get(resource, namespace, name).is_err();
            // As the real one: pods and namespaces come back as objects, others only while something holds them.
            if gone && target.kind.resource != PODS && !target.is_namespace() {
                return Ok(reply::object(200, &deleted(target, &last)));
            }
            Ok(one(200, target, query, &last))
        }
        (Some("deletecollection"), None) if target.is_one_collection() => {
            let options = query.delete(&parse_or_null(query, body)?)?;
            let selector = query.selector(target.kind)?;
            let items = store.delete_all(resource, namespace, &selector, &options)?;
            Ok(many(target, query, &items, ""))
        }
        _ => Err(Status::method_not_allowed()),
    }
}

/// The object in a request body.
fn parse(query: &Query, body: &[u8]) -> Result<Value, Status> {
    match query.content_type() {
        "" | "application/json" => serde_json::from_slice(body)
            .map_err(|error| Status::bad_request(format!("the object provided is unrecognized: {error}"))),
        "application/vnd.kubernetes.protobuf" => protobuf::parse(body).ok_or_else(|| {
            Status::unsupported_media_type(
                "the lab does not read this object in protobuf; use kubectl apply -f",
            )
        }),
        other => Err(Status::unsupported_media_type(format!(
            "the body of the request was in an unknown format - accepted media types include: application/json (got {other})"
        ))),
    }
}

fn parse_or_null(query: &Query, body: &[u8]) -> Result<Value, Status> {
    if body.is_empty() { Ok(Value::Null) } else { parse(query, body) }
}

fn verb(method: &Method, target: &Target<'_>, query: &Query) -> Option<&'static str> {
    let named = target.name.is_some();
    match *method {
        Method::GET if query.is_set("watch") && !named => Some("watch"),
        Method::GET => Some(if named { "get" } else { "list" }),
        Method::POST => Some("create"),
        Method::PUT => Some("update"),
        Method::PATCH => Some("patch"),
        Method::DELETE => Some(if named { "delete" } else { "deletecollection" }),
        _ => None,
    }
}

fn list(server: &Server, target: &Target<'_>, query: &Query) -> Result<Response<Body>, Status> {
    let selector = query.selector(target.kind)?;
    let list = server.store.list(target.kind.stored(), &target.namespace, &selector)?;
    Ok(many(target, query, &list.items, &list.version.to_string()))
}

fn one(code: u16, target: &Target<'_>, query: &Query, object: &Value) -> Response<Body> {
    match query.view() {
        View::Objects => reply::object(code, &convert::shown(target.kind, object)),
        View::Table(include) => {
            let version = text(&object["metadata"]["resourceVersion"]);
            let objects = std::iter::once(object);
            reply::object(code, &table(target.kind, objects, version, include, Timestamp::now()))
        }
    }
}

fn many(target: &Target<'_>, query: &Query, objects: &[Arc<Value>], version: &str) -> Response<Body> {
    let kind = target.kind;
    let objects = objects.iter().map(|object| &**object);
    if let View::Table(include) = query.view() {
        return reply::object(200, &table(kind, objects, version, include, Timestamp::now()));
    }
    let items: Vec<Value> = objects.map(|object| convert::shown(kind, object)).collect();
    let list = json!({
        "kind": kind.list_name, "apiVersion": kind.api_version(),
        "metadata": {"resourceVersion": version}, "items": items,
    });
    reply::object(200, &list)
}

fn deleted(target: &Target<'_>, last: &Value) -> Value {
    let resource = &target.kind.resource;
    let mut details = json!({"name": key(last).1, "kind": resource.plural(), "uid": last["metadata"]["uid"]});
    if !resource.group().is_empty() {
        details["group"] = resource.group().into();
    }
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})
}

/// Puts a pod on a node, as schedulers do.
fn bind(server: &Server, target: &Target<'_>, query: &Query, body: &[u8]) -> Result<Response<Body>, Status> {
    let binding = parse(query, body)?;
    let name = target.name.as_deref().unwrap_or_default();
    server.store.bind(
        &target.namespace,
        name,
        text(&binding["metadata"]["uid"]),
        text(&binding["target"]["name"]),
    )?;
    Ok(reply::object(
        201,
        &json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}),
    ))
}

async fn log(server: &Server, target: &Target<'_>, query: &Query) -> Result<Response<Body>, Status> {
    let name = target.name.as_deref().unwrap_or_default();
    let pod = server.store.get(&PODS, &target.namespace, name)?;
    let container = container(&pod, name, query.get("container").unwrap_or_default())?;
    let lines = server.logs.open(&target.namespace, name, container, query.log()?).await?;
    Ok(reply::streamed("text/plain", lines.take_until(server.shutdown.clone().cancelled_owned())))
}

fn container<'a>(pod: &'a Value, pod_name: &str, wanted: &str) -> Result<&'a str, Status> {
    let all = ["containers", "initContainers"].map(|list| pod["spec"][list].as_array());
    let names: Vec<&str> =
        all.into_iter().flatten().flatten().map(|container| text(&container["name"])).collect();
    match (wanted, pod["spec"]["containers"].as_array().map_or(0, Vec::len)) {
        ("", 1) => Ok(names.first().copied().unwrap_or_default()),
        ("", _) => Err(Status::bad_request(format!(
            "a container name must be specified for pod {pod_name}, choose one of: [{}]",
            names.join(" ")
        ))),
        (wanted, _) => names.into_iter().find(|name| *name == wanted).ok_or_else(|| {
            Status::bad_request(format!("container {wanted} is not valid for pod {pod_name}"))
        }),
    }
}
