//! What is a file: resources, a template, its parameters, or something else?

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::input::text::Text;

/// What a file is.
#[derive(Debug)]
pub(super) enum Kind<'a> {
    /// Resources, as they are exported.
    Resources(Vec<&'a RawValue>),
    /// A template.
    Template,
    /// The parameters of a template.
    Parameters,
    /// None of that; in words that go on after "it is".
    Other(String),
}

/// A file that is not JSON.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotJson {
    #[error("is empty")]
    Empty,
    #[error("is not JSON: {0}")]
    Syntax(serde_json::Error),
}

type Members<'a> = BTreeMap<String, &'a RawValue>;

/// What the file with this text is.
pub(super) fn of(text: &Text) -> Result<Kind<'_>, NotJson> {
    let text = text.as_str();
    match text.trim_start().bytes().next() {
        None => Err(NotJson::Empty),
        Some(b'[') => serde_json::from_str(text).map(Kind::Resources).map_err(NotJson::Syntax),
        Some(b'{') => of_object(text).map_err(NotJson::Syntax),
        Some(_) => match serde_json::from_str::<&RawValue>(text) {
            Ok(_) => Ok(Kind::Other("a single value and no resource of Azure".to_owned())),
            Err(error) => Err(NotJson::Syntax(error)),
        },
    }
}

fn of_object(text: &str) -> Result<Kind<'_>, serde_json::Error> {
    let members: Members<'_> = serde_json::from_str(text)?;
    let has = |name: &str| members.keys().any(|known| known.eq_ignore_ascii_case(name));
    let string = |name: &str| members.get(name).and_then(|raw| serde_json::from_str(raw.get()).ok());
    let schema = string("$schema").unwrap_or_else(String::new).to_lowercase();
    if schema.contains("deploymentparameters.json") {
        return Ok(Kind::Parameters);
    }
    if schema.contains("deploymenttemplate.json") || has("contentVersion") && has("resources") {
        return Ok(Kind::Template);
    }
    if (has("type") || has("ResourceType")) && (has("name") || has("ResourceName")) {
        return Ok(Kind::Resources(vec![serde_json::from_str(text)?]));
    }
    if has("apiVersion")
        && let Some(kind) = string("kind")
    {
        let with = "objects of a cluster are looked at with `podid audit --cluster`";
        return Ok(Kind::Other(format!("a Kubernetes {kind}; {with}")));
    }
    // What ARM answers to a list.
    if let Some(list) = members.get("value")
        && let Ok(resources) = serde_json::from_str(list.get())
    {
        return Ok(Kind::Resources(resources));
    }
    Ok(Kind::Other("JSON, but neither resources of Azure, nor a template, nor its parameters".to_owned()))
}
