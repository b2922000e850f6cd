//! What does a patch make of an object?

use serde_json::Value;

use super::catalogue::Kind;
use super::status::Status;

mod strategic;

/// A patch, read but not applied.
#[derive(Debug)]
pub(super) enum Patch {
    /// RFC 6902.
    Json(json_patch::Patch),
    /// RFC 7386.
    Merge(Value),
    /// The merge patch of Kubernetes that knows the keys of lists.
    Strategic(Value),
}

// === impl Patch ===

impl Patch {
    /// Reads a patch of one of the three types that this server knows.
    pub(super) fn parse(kind: &Kind, content_type: &str, body: &[u8]) -> Result<Self, Status> {
        let wrong = |error: serde_json::Error| Status::bad_request(format!("error decoding patch: {error}"));
        let refuse = |more: &str| {
            Err(Status::unsupported_media_type(format!(
                "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json{more}"
            )))
        };
        match content_type {
            "application/json-patch+json" => Ok(Self::Json(serde_json::from_slice(body).map_err(wrong)?)),
            "application/merge-patch+json" => Ok(Self::Merge(serde_json::from_slice(body).map_err(wrong)?)),
            "application/strategic-merge-patch+json" if kind.custom.is_none() => {
                Ok(Self::Strategic(serde_json::from_slice(body).map_err(wrong)?))
            }
            "application/apply-patch+yaml" | "application/apply-patch+cbor" => {
                Err(Status::unsupported_media_type(
                    "the lab has no server-side apply; run kubectl apply without --server-side",
                ))
            }
            _ if kind.custom.is_some() => refuse(""),
            _ => refuse(", application/strategic-merge-patch+json"),
        }
    }

    /// Applies the patch in place.
    pub(super) fn apply(&self, object: &mut Value) -> Result<(), Status> {
        match self {
            Self::Json(patch) => json_patch::patch(object, patch).map_err(|error| {
                Status::new(
                    422,
                    "Invalid",
                    format!("the server rejected our request due to an error in our request: {error}"),
                )
            }),
            Self::Merge(patch) => {
                json_patch::merge(object, patch);
                Ok(())
            }
            Self::Strategic(patch) => strategic::merge(object, patch),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::catalogue::Catalogue;
    use super::super::resource::PODS;
    use super::*;

    fn pods() -> Kind {
        Catalogue::new(&[]).unwrap().kind(&PODS).unwrap().clone()
    }

    fn read(content_type: &str, body: &str) -> Result<Patch, Status> {
        Patch::parse(&pods(), content_type, body.as_bytes())
    }

    #[test]
    fn json_patch_replaces_and_fails_on_a_missing_path() {
        let body = r#"[{"op": "replace", "path": "/status/status", "value": "Assigned"}]"#;
        let patch = read("application/json-patch+json", body).unwrap();
        let mut object = json!({"status": {"status": "Created"}});
        patch.apply(&mut object).unwrap();
        assert_eq!(object, json!({"status": {"status": "Assigned"}}));
        let mut bare = json!({"spec": {}});
        assert_eq!(patch.apply(&mut bare).unwrap_err().code, 422);
        assert_eq!(bare, json!({"spec": {}}));
    }

    #[test]
    fn merge_patch_removes_what_is_null() {
        let patch = read("application/merge-patch+json", r#"{"a": null, "b": {"c": 1}}"#).unwrap();
        let mut object = json!({"a": 1, "b": {"d": 2}});
        patch.apply(&mut object).unwrap();
        assert_eq!(object, json!({"b": {"c": 1, "d": 2}}));
    }

    #[test]
    fn unknown_patch_types_and_unreadable_patches_are_refused() {
        for (content_type, body, code) in [
            ("application/apply-patch+yaml", "{}", 415),
            ("application/json", "{}", 415),
            ("application/merge-patch+json", "{", 400),
            ("application/json-patch+json", "{}", 400),
        ] {
            assert_eq!(read(content_type, body).unwrap_err().code, code);
        }
    }
}
