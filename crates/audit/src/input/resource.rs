//! Which target is a resource that was exported?

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::target::{Target, at};

/// A resource that cannot be taken for one.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotAResource {
    #[error("has no {0}, so it is no resource of Azure")]
    Lacks(&'static str),
    #[error("is not a resource of Azure: {0}")]
    Json(#[from] serde_json::Error),
}

/// What is read of a resource before it is known whether anybody asks for it. What Azure PowerShell exports
/// has several of these.
#[derive(Deserialize)]
#[allow(non_snake_case, reason = "the names are those of the file")]
struct Head {
    ResourceType: Option<String>,
    resourceType: Option<String>,
    Type: Option<String>,
    r#type: Option<String>,
}

/// The resource as a target; none if nobody `asks` for its type.
pub(super) fn target(raw: &RawValue, asks: impl Fn(&str) -> bool) -> Result<Option<Target>, NotAResource> {
    let head: Head = serde_json::from_str(raw.get())?;
    let kind = head.ResourceType.or(head.resourceType).or(head.r#type).or(head.Type);
    if !asks(&kind.ok_or(NotAResource::Lacks("type"))?) {
        return Ok(None);
    }
    of(serde_json::from_str(raw.get())?).map(Some)
}

/// The target that this resource is. Names and types are found as PSRule finds them.
pub(super) fn of(data: Value) -> Result<Target, NotAResource> {
    let text = |path| at(&data, path).and_then(Value::as_str).filter(|text| !text.is_empty());
    let kind = text("ResourceType").or(text("type")).ok_or(NotAResource::Lacks("type"))?;
    let name = text("ResourceName").or(text("name")).ok_or(NotAResource::Lacks("name"))?;
    let mut target = Target::new(kind, name, Value::Null);
    let id = text("ResourceId").or(text("id"));
    let part = |after| id.and_then(|id| segment(id, after));
    let fields = [
        ("resourceId", id),
        ("subscriptionId", text("SubscriptionId").or(part("subscriptions"))),
        ("resourceGroupName", text("ResourceGroupName").or(text("resourceGroup")).or(part("resourceGroups"))),
    ];
    for (name, value) in fields {
        if let Some(value) = value {
            target = target.with_field(name, value);
        }
    }
    target.data = as_arm(data);
    Ok(target)
}

/// The segment of a resource id after the one called `after`.
fn segment<'a>(id: &'a str, after: &str) -> Option<&'a str> {
    let mut segments = id.split('/');
    segments.find(|segment| segment.eq_ignore_ascii_case(after))?;
    segments.next()
}

/// `az aks show` lays the properties beside the name; rules look for them where ARM has them.
fn as_arm(data: Value) -> Value {
    let Value::Object(mut members) = data else { return data };
    let flat = !members.keys().any(|name| name.eq_ignore_ascii_case("properties"))
        && members.contains_key("agentPoolProfiles");
    if flat {
        let properties = members.clone();
        members.insert("properties".to_owned(), Value::Object(properties));
    }
    Value::Object(members)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_are_found_as_psrule_finds_them() {
        let target = of(json!({"ResourceName": "a", "name": "b", "ResourceType": "T", "type": "t"})).unwrap();
        assert_eq!((target.name(), target.kind()), ("a", "T"));
        let id = "/subscriptions/s/resourcegroups/g/providers/T/a";
        let target = of(json!({"name": "b", "type": "t", "id": id})).unwrap();
        assert_eq!((target.name(), target.kind()), ("b", "t"));
        let fields: Vec<_> =
            target.subject.fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(fields, [("resourceGroupName", "g"), ("resourceId", id), ("subscriptionId", "s")]);
    }

    #[test]
    fn what_has_no_type_or_no_name_is_no_resource() {
        assert!(matches!(of(json!({"name": "a"})), Err(NotAResource::Lacks("type"))));
        assert!(matches!(of(json!({"type": "a", "name": ""})), Err(NotAResource::Lacks("name"))));
        assert!(matches!(of(json!(1)), Err(NotAResource::Lacks("type"))));
    }

    #[test]
    fn the_flat_form_of_the_azure_cli_is_understood() {
        let flat = json!({"name": "a", "type": "t", "agentPoolProfiles": [], "enableRbac": true});
        assert_eq!(of(flat).unwrap().at("properties.enableRBAC"), Some(&json!(true)));
    }
}
