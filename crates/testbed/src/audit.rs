//! Who asked the API server for what, and what was the answer?

use std::collections::BTreeSet;

use serde::Deserialize;

/// One request, from the API server's audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEvent {
    /// Who asked, such as `system:serviceaccount:default:aad-pod-id-mic-service-account`.
    pub user: String,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete` or `deletecollection`; for a path that is no
    /// resource the HTTP method in small letters.
    pub verb: String,
    /// API group, empty for the core group.
    pub group: String,
    /// Plural name; empty for a path that is no resource.
    pub resource: String,
    /// Such as `status` or `token`, else empty.
    pub subresource: String,
    /// Empty for all namespaces, and for what has none.
    pub namespace: String,
    /// Empty when many objects are meant.
    pub name: String,
    /// Path and query of the request.
    pub uri: String,
    /// HTTP status of the answer; 0 if the connection was cut.
    pub code: u16,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    #[serde(rename = "auditID")]
    audit_id: String,
    verb: String,
    #[serde(rename = "requestURI")]
    request_uri: String,
    user: User,
    #[serde(default)]
    object_ref: Object,
    #[serde(default)]
    response_status: Status,
}

#[derive(Deserialize)]
struct User {
    #[serde(default)]
    username: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Object {
    api_group: String,
    resource: String,
    subresource: String,
    namespace: String,
    name: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    code: u16,
}

/// The events of a log, each request once: a watch has a line when it begins and one when it ends. A line that is not
/// written to its end yet is left out.
pub(crate) fn parse(log: &str) -> Vec<AuditEvent> {
    let mut seen = BTreeSet::new();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok());
    lines.filter(|line| seen.insert(line.audit_id.clone())).map(AuditEvent::from).collect()
}

impl From<Line> for AuditEvent {
    fn from(line: Line) -> Self {
        let Object { api_group, resource, subresource, namespace, name } = line.object_ref;
        Self {
            user: line.user.username,
            verb: line.verb,
            group: api_group,
            resource,
            subresource,
            namespace,
            name,
            uri: line.request_uri,
            code: line.response_status.code,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_is_one_request_and_half_a_line_is_none() {
        let watch = |stage: &str| {
            format!(
                r#"{{"auditID":"1","stage":"{stage}","requestURI":"/api/v1/pods?watch=true","verb":"watch","user":{{"username":"mic"}},"objectRef":{{"resource":"pods","apiVersion":"v1"}},"responseStatus":{{"metadata":{{}},"code":200}}}}"#
            )
        };
        let version = r#"{"auditID":"2","requestURI":"/version","verb":"get","user":{"username":"mic"}}"#;
        let log =
            [&watch("ResponseStarted"), &watch("ResponseComplete"), version, r#"{"auditID":"3","#].join("\n");
        let events = parse(&log);
        assert_eq!(events.len(), 2, "{events:?}");
        assert_eq!((events[0].resource.as_str(), events[0].code), ("pods", 200));
        assert_eq!(
            (events[1].resource.as_str(), events[1].uri.as_str(), events[1].code),
            ("", "/version", 0)
        );
    }
}
