//! What is a file: resources, a template, its parameters, or something else?

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::input::text::Text;

/// What a file is.
#[derive(Debug)]
pub(super) enum Kind<'a> {
    /// Resources, as they are exported.
    Resources(Vec<&'a RawValue>),
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
        Some(b'{') => serde_json::from_str(text).map(|members| of_object(&members)).map_err(NotJson::Syntax),
        Some(_) => match serde_json::from_str::<&RawValue>(text) {
            Ok(_) => Ok(Kind::Other("a single value and no resource of Azure".to_owned())),
            Err(error) => Err(NotJson::Syntax(error)),
        },
    }
}

fn of_object<'a>(members: &Members<'a>) -> Kind<'a> {
    let has = |name: &str| members.keys().any(|known| known.eq_ignore_ascii_case(name));
    if has("apiVersion") && has("kind") && !has("type") {
        let kind = members.get("kind").map(|kind| kind.get().trim_matches('"')).unwrap_or_default();
        return Kind::Other(format!(
            "a Kubernetes {kind}; objects of a cluster are looked at with `podid audit --cluster`"
        ));
    }
    // What ARM answers to a list.
    if let Some(list) = members.get("value")
        && let Ok(resources) = serde_json::from_str(list.get())
    {
        return Kind::Resources(resources);
    }
    Kind::Other("JSON, but neither resources of Azure, nor a template, nor its parameters".to_owned())
}
