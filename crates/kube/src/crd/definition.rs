//! What does the API server get to know about the four kinds?
//!
//! The derive macros give the schema; this file takes away what the original's definitions do not
//! have: the status subresource (MIC writes status through the main resource, also the original's
//! MIC in a mixed cluster) and `required` lists (old objects may lack anything).

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use super::{
    AzureAssignedIdentity, AzureIdentity, AzureIdentityBinding, AzureIdentityBindingSpec, AzureIdentitySpec,
    AzurePodIdentityException,
};

/// Annotation of a definition that says which revision of podid's it is, so that an older podid does
/// not replace a newer one.
pub const REVISION_ANNOTATION: &str = "podid.dev/crd-version";

/// The revision of these definitions: one more whenever a release changes anything about them.
pub const REVISION: u32 = 1;

/// Fields that may be null in the original's definitions; nothing else may.
const NULLABLE: [&str; 2] = ["auxiliaryTenantIDs", "replicas"];

/// Keywords that judge a value; they have no place in an embedded copy, which must be accepted as
/// its original was.
const JUDGING: [&str; 2] = ["x-kubernetes-validations", "maxLength"];

/// The definitions of all four kinds, in the order in which users read about them.
pub fn definitions() -> Vec<CustomResourceDefinition> {
    vec![
        definition::<AzureIdentity>(),
        definition::<AzureIdentityBinding>(),
        definition::<AzureAssignedIdentity>(),
        definition::<AzurePodIdentityException>(),
    ]
}

/// The definition of one kind, ready to be applied.
pub fn definition<K: CustomResourceExt>() -> CustomResourceDefinition {
    let mut crd = K::crd();
    crd.metadata.annotations.get_or_insert_default().extend([
        ("api-approved.kubernetes.io".to_owned(), "unapproved".to_owned()),
        (REVISION_ANNOTATION.to_owned(), REVISION.to_string()),
    ]);
    crd.spec.names.list_kind = Some(format!("{}List", crd.spec.names.kind));
    for version in &mut crd.spec.versions {
        version.subresources = None;
        if let Some(schema) = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut()) {
            tidy("", schema);
        }
    }
    crd
}

/// Takes away from the schema of the field `name` what the original's schemas do not have, and the
/// line breaks of Rust comments.
fn tidy(name: &str, schema: &mut JSONSchemaProps) {
    schema.required = None;
    schema.title = None;
    schema.nullable = schema.nullable.filter(|_| NULLABLE.contains(&name));
    if let Some(description) = &mut schema.description {
        *description = description.replace('\n', " ");
    }
    schema.properties.iter_mut().flatten().for_each(|(name, field)| tidy(name, field));
    match &mut schema.items {
        Some(JSONSchemaPropsOrArray::Schema(items)) => tidy("", items),
        Some(JSONSchemaPropsOrArray::Schemas(items)) => items.iter_mut().for_each(|item| tidy("", item)),
        None => {}
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        tidy("", values);
    }
}

/// Schema of an object that is accepted and ignored.
pub(super) fn any_object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "description": "Has no effect; kept for objects that have it." })
}

/// Schema of the copy of an identity in an assignment.
pub(super) fn embedded_identity(generator: &mut SchemaGenerator) -> Schema {
    let spec = generator.subschema_for::<AzureIdentitySpec>();
    embedded(
        spec,
        "Full copy of the AzureIdentity as it was when it was assigned. NMI of podid serves the identity as it is now; that of aad-pod-identity reads this copy.",
    )
}

/// Schema of the copy of a binding in an assignment.
pub(super) fn embedded_binding(generator: &mut SchemaGenerator) -> Schema {
    let spec = generator.subschema_for::<AzureIdentityBindingSpec>();
    embedded(spec, "Full copy of the AzureIdentityBinding that grants it.")
}

/// An embedded resource whose spec is described but not judged, and of which nothing is pruned.
fn embedded(spec: Schema, description: &str) -> Schema {
    let mut spec = spec.to_value();
    soften(&mut spec);
    if let Some(spec) = spec.as_object_mut() {
        spec.insert("x-kubernetes-preserve-unknown-fields".to_owned(), json!(true));
    }
    let mut schema = Map::new();
    schema.insert("type".to_owned(), json!("object"));
    schema.insert("description".to_owned(), json!(description));
    schema.insert("x-kubernetes-embedded-resource".to_owned(), json!(true));
    schema.insert("x-kubernetes-preserve-unknown-fields".to_owned(), json!(true));
    schema.insert("properties".to_owned(), json!({ "spec": spec }));
    Schema::from(schema)
}

fn soften(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            map.retain(|key, _| !JUDGING.contains(&key.as_str()));
            map.values_mut().for_each(soften);
        }
        Value::Array(items) => items.iter_mut().for_each(soften),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(plural: &str) -> Value {
        let crd = definitions().into_iter().find(|crd| crd.spec.names.plural == plural).unwrap();
        let schema = crd.spec.versions[0].schema.clone().unwrap().open_api_v3_schema;
        serde_json::to_value(schema).unwrap()
    }

    /// A cluster's definitions are compared by their revision, so what differs must not have the same.
    /// Before a release: raise [`REVISION`] once, and write down what it stands for.
    #[test]
    fn a_revision_stands_for_one_set_of_definitions() {
        let text = serde_json::to_string(&definitions()).unwrap();
        let sum = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
            (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        assert_eq!(
            (REVISION, sum),
            (1, 8_792_515_842_614_436_682),
            "the definitions changed: see the comment of this test"
        );
    }

    #[test]
    fn no_definition_has_a_status_subresource_required_fields_or_defaults() {
        for crd in definitions() {
            let text = serde_json::to_string(&crd).unwrap();
            for keyword in ["subresources", "\"required\":", "\"default\":"] {
                assert!(!text.contains(keyword), "{keyword} in {}", crd.spec.names.kind);
            }
            assert_eq!(
                crd.metadata.name.as_deref(),
                Some(&*format!("{}.{}", crd.spec.names.plural, crd.spec.group))
            );
            assert_eq!(crd.spec.scope, "Namespaced");
        }
    }

    #[test]
    fn copies_in_an_assignment_are_kept_whole_and_judged_by_no_rule() {
        let spec = &schema("azureassignedidentities")["properties"]["spec"]["properties"];
        for field in ["azureIdentityRef", "azureBindingRef"] {
            assert_eq!(spec[field]["x-kubernetes-embedded-resource"], true);
            assert_eq!(spec[field]["x-kubernetes-preserve-unknown-fields"], true);
            assert_eq!(spec[field]["properties"]["spec"]["x-kubernetes-preserve-unknown-fields"], true);
        }
        let text = spec.to_string();
        for keyword in JUDGING {
            assert!(!text.contains(keyword), "{keyword}");
        }
    }

    #[test]
    fn every_rule_stands_on_one_field_and_says_what_to_write() {
        let cases = [
            ("azureidentities", "type"),
            ("azureidentities", "resourceID"),
            ("azureidentitybindings", "selector"),
            ("azurepodidentityexceptions", "podLabels"),
        ];
        for (plural, field) in cases {
            let schema = schema(plural);
            let spec = &schema["properties"]["spec"];
            assert!(spec["x-kubernetes-validations"].is_null());
            let rules = spec["properties"][field]["x-kubernetes-validations"].as_array().unwrap();
            assert!(rules.iter().all(|rule| rule["message"].as_str().unwrap().len() > 20), "{field}");
        }
    }

    #[test]
    fn every_field_is_explained() {
        fn walk(path: &str, schema: &Value) {
            for (name, field) in schema["properties"].as_object().into_iter().flatten() {
                assert!(field["description"].is_string(), "{path}.{name} has no description");
                walk(&format!("{path}.{name}"), field);
            }
        }
        for crd in definitions() {
            walk(&crd.spec.names.kind, &schema(&crd.spec.names.plural));
        }
    }
}
