//! What is looked at?

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

/// Where a target was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The file, as it was named, or as it is seen from the folder that was named.
    pub file: String,
    /// The line where it begins, from 1.
    pub line: Option<usize>,
    /// The column where it begins, from 1.
    pub position: Option<usize>,
    /// What the file is, such as `Template`.
    pub kind: &'static str,
}

/// What a target is called; records share it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// Its name: that of the resource, or `namespace/name` of an object in a cluster.
    pub name: String,
    /// Its type, such as `Microsoft.ContainerService/managedClusters`.
    pub kind: String,
    /// Where it was found, the nearest first.
    pub sources: Vec<Source>,
    /// What else places it, such as `resourceId`.
    pub fields: BTreeMap<&'static str, String>,
}

/// One thing that rules are asked about.
#[derive(Clone, Debug)]
pub struct Target {
    /// What it is called.
    pub subject: Arc<Subject>,
    /// What it is. Without secrets: reasons quote from it.
    pub data: Value,
}

// === impl Target ===

impl Target {
    /// A target of this type with this name.
    pub fn new(kind: impl Into<String>, name: impl Into<String>, data: Value) -> Self {
        let subject = Subject { name: name.into(), kind: kind.into(), ..Subject::default() };
        Self { subject: Arc::new(subject), data }
    }

    /// The same, found there.
    #[must_use]
    pub fn found(mut self, source: Source) -> Self {
        Arc::make_mut(&mut self.subject).sources.push(source);
        self
    }

    /// The same, placed by a field.
    #[must_use]
    pub fn with_field(mut self, name: &'static str, value: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.subject).fields.insert(name, value.into());
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.subject.name
    }

    /// Its type.
    pub fn kind(&self) -> &str {
        &self.subject.kind
    }

    /// What is at `path`: names and `[index]`es joined by dots, names in any case. None if there is nothing;
    /// a null is something.
    pub fn at(&self, path: &str) -> Option<&Value> {
        at(&self.data, path)
    }
}

/// What is at `path` of `value`; see [`Target::at`].
pub fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(value, |value, step| {
        let (name, indexes) = step.split_once('[').map_or((step, ""), |(name, rest)| (name, rest));
        let value = if name.is_empty() { value } else { member(value, name)? };
        indexes
            .split('[')
            .filter(|index| !index.is_empty())
            .try_fold(value, |value, index| value.get(index.trim_end_matches(']').parse::<usize>().ok()?))
    })
}

/// The member with this name, in any case; the exact one first.
fn member<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    let members = value.as_object()?;
    members.get(name).or_else(|| {
        members.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_is_followed_whatever_the_case_of_its_names() {
        let value = json!({"properties": {"Pools": [{"count": 3}, {"count": 5}], "none": null}});
        let count = |path| at(&value, path).cloned();
        assert_eq!(count("Properties.pools[1].Count"), Some(json!(5)));
        assert_eq!(count("properties.none"), Some(Value::Null));
        assert_eq!(count("properties.pools[2].count"), None);
        assert_eq!(count("properties.pools.count"), None);
        assert_eq!(count("properties.pools[x]"), None);
        assert_eq!(count("properties.none.more"), None);
    }

    #[test]
    fn the_exact_name_wins_over_one_in_another_case() {
        assert_eq!(at(&json!({"A": 1, "a": 2}), "a"), Some(&json!(2)));
    }
}
