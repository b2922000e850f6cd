//! Which resources does the API serve, and under which names?

use serde_json::Value;

use super::resource::{
    CONFIG_MAPS, CRDS, ENDPOINTS, EVENTS, EVENTS_K8S_IO, LEASES, NAMESPACES, NODES, PODS, Resource, SECRETS,
    SERVICE_ACCOUNTS,
};
use super::schema;

/// What the server knows of one kind.
#[derive(Clone, Debug)]
pub(crate) struct Kind {
    pub(crate) resource: Resource,
    pub(crate) version: String,
    /// The name of the kind as objects carry it.
    pub(crate) name: String,
    pub(crate) list_name: String,
    pub(crate) singular: String,
    pub(crate) short_names: Vec<String>,
    pub(crate) namespaced: bool,
    pub(crate) verbs: &'static [&'static str],
    /// The definition of a custom kind: schema and printer columns.
    pub(crate) custom: Option<Custom>,
}

/// What a definition adds to a custom kind.
#[derive(Clone, Debug)]
pub(crate) struct Custom {
    pub(crate) schema: Value,
    pub(crate) columns: Vec<Value>,
}

/// All kinds of one server.
#[derive(Debug)]
pub(crate) struct Catalogue {
    kinds: Vec<Kind>,
}

/// A definition that cannot be served.
#[derive(Debug, thiserror::Error)]
#[error("the custom resource definition {name} cannot be served: {why}; generate deploy/crds again")]
pub struct CrdError {
    name: String,
    why: String,
}

const ALL: &[&str] = &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
const READ: &[&str] = &["get", "list", "watch"];

// === impl Kind ===

impl Kind {
    fn built_in(
        resource: &Resource,
        name: &str,
        short: &str,
        namespaced: bool,
        verbs: &'static [&'static str],
    ) -> Self {
        Self {
            resource: resource.clone(),
            version: "v1".into(),
            list_name: format!("{name}List"),
            singular: name.to_lowercase(),
            name: name.into(),
            short_names: short.split_whitespace().map(Into::into).collect(),
            namespaced,
            verbs,
            custom: None,
        }
    }

    fn from_definition(crd: &Value) -> Result<Self, CrdError> {
        let crd_name = crd["metadata"]["name"].as_str().unwrap_or("without a name");
        let refuse = |why: String| CrdError { name: crd_name.to_owned(), why };
        let missing = |what: &str| refuse(format!("it has no {what}"));
        let spec = &crd["spec"];
        let text = |value: &Value, what| value.as_str().map(str::to_owned).ok_or_else(|| missing(what));
        let version = spec["versions"]
            .as_array()
            .and_then(|versions| versions.iter().find(|v| v["served"] == true && v["storage"] == true))
            .ok_or_else(|| missing("version"))?;
        let name = text(&spec["names"]["kind"], "spec.names.kind")?;
        let schema = version["schema"]["openAPIV3Schema"].clone();
        if !schema.is_object() {
            return Err(missing("schema"));
        }
        if let Some(rule) = schema::foreign_rule(&schema) {
            return Err(refuse(format!("the lab does not understand its rule `{rule}`")));
        }
        let plural = text(&spec["names"]["plural"], "spec.names.plural")?;
        let or = |value: &Value, default: String| value.as_str().map_or(default, str::to_owned);
        Ok(Self {
            resource: Resource::named(&text(&spec["group"], "spec.group")?, &plural),
            version: text(&version["name"], "version name")?,
            list_name: or(&spec["names"]["listKind"], format!("{name}List")),
            singular: or(&spec["names"]["singular"], name.to_lowercase()),
            name,
            short_names: strings(&spec["names"]["shortNames"]),
            namespaced: spec["scope"] == "Namespaced",
            verbs: ALL,
            custom: Some(Custom {
                schema,
                columns: version["additionalPrinterColumns"].as_array().cloned().unwrap_or_default(),
            }),
        })
    }

    /// Group and version as written in `apiVersion`.
    pub(crate) fn api_version(&self) -> String {
        match self.resource.group() {
            "" => self.version.clone(),
            group => format!("{group}/{}", self.version),
        }
    }

    /// The collection that holds the objects.
    pub(crate) fn stored(&self) -> &Resource {
        if self.resource == EVENTS_K8S_IO { &EVENTS } else { &self.resource }
    }

    /// Whether status is written through its own path, and ignored on the main one.
    pub(crate) fn has_status(&self) -> bool {
        [&PODS, &NODES, &NAMESPACES].contains(&&self.resource)
    }
}

// === impl Catalogue ===

impl Catalogue {
    /// The built-in kinds and those of the definitions.
    pub(crate) fn new(crds: &[Value]) -> Result<Self, CrdError> {
        let mut kinds = vec![
            Kind::built_in(&PODS, "Pod", "po", true, ALL),
            Kind::built_in(&NODES, "Node", "no", false, ALL),
            Kind::built_in(&NAMESPACES, "Namespace", "ns", false, ALL),
            Kind::built_in(&EVENTS, "Event", "ev", true, ALL),
            Kind::built_in(&SECRETS, "Secret", "", true, ALL),
            Kind::built_in(&CONFIG_MAPS, "ConfigMap", "cm", true, ALL),
            Kind::built_in(&SERVICE_ACCOUNTS, "ServiceAccount", "sa", true, ALL),
            Kind::built_in(&ENDPOINTS, "Endpoints", "ep", true, ALL),
            Kind::built_in(&EVENTS_K8S_IO, "Event", "ev", true, ALL),
            Kind::built_in(&LEASES, "Lease", "", true, ALL),
            Kind::built_in(&CRDS, "CustomResourceDefinition", "crd crds", false, READ),
        ];
        for crd in crds {
            kinds.push(Kind::from_definition(crd)?);
        }
        Ok(Self { kinds })
    }

    /// The kind behind a path, if it is served.
    pub(crate) fn find(&self, group: &str, version: &str, plural: &str) -> Option<&Kind> {
        self.kinds
            .iter()
            .find(|k| k.version == version && k.resource.group() == group && k.resource.plural() == plural)
    }

    /// The kind of a collection.
    pub(crate) fn kind(&self, resource: &Resource) -> Option<&Kind> {
        self.kinds.iter().find(|k| k.resource == *resource)
    }

    /// Every kind of one group and version.
    pub(crate) fn members(&self, group: &str, version: &str) -> impl Iterator<Item = &Kind> {
        self.kinds.iter().filter(move |k| k.version == version && k.resource.group() == group)
    }

    /// Every group and version once, core first.
    pub(crate) fn group_versions(&self) -> Vec<(&str, &str)> {
        let mut seen = Vec::new();
        for kind in &self.kinds {
            let pair = (kind.resource.group(), kind.version.as_str());
            if !seen.contains(&pair) {
                seen.push(pair);
            }
        }
        seen
    }

    /// Every namespaced collection, each once.
    pub(crate) fn namespaced(&self) -> impl Iterator<Item = &Resource> {
        self.kinds.iter().filter(|k| k.namespaced && k.stored() == &k.resource).map(|k| &k.resource)
    }
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(Into::into).collect()
}
