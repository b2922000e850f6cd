//! Which labels were given as `--pod-labels`?
//!
//! As `az` takes them: items `key=value`, apart by spaces. An exception with none would except nobody,
//! and the add-on's service refused none, too.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::name::{self, is_label_key, is_label_value};

/// Labels, by key.
pub type Labels = BTreeMap<Arc<str>, Arc<str>>;

/// Why labels cannot be those of pods.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLabels {
    /// There is none.
    #[error("--pod-labels names no label; give at least one, such as --pod-labels app=my-app")]
    Empty,
    /// An item is not a label.
    #[error(
        "--pod-labels {0:?} is not a label: write KEY=VALUE, such as app=my-app (letters, digits, -, _ and ., \
         at most 63 characters each; the key may begin with a domain and a slash)"
    )]
    Item(String),
    /// One key has two values.
    #[error("--pod-labels gives {key} two values, {first:?} and {second:?}; a pod has one")]
    Twice {
        /// The key.
        key: String,
        /// One value.
        first: String,
        /// The other.
        second: String,
    },
}

/// Reads items; one item may hold several labels apart by spaces, as where a shell got them in quotes.
pub fn parse<'a>(items: impl IntoIterator<Item = &'a str>) -> Result<Labels, InvalidLabels> {
    let mut labels = Labels::new();
    for item in items.into_iter().flat_map(str::split_whitespace) {
        let invalid = || InvalidLabels::Item(item.to_owned());
        let (key, value) = item.split_once('=').ok_or_else(invalid)?;
        if !is_label_key(key) || !is_label_value(value) {
            return Err(invalid());
        }
        match labels.insert(key.into(), value.into()) {
            Some(first) if &*first != value => {
                let (first, second) = (first.to_string(), value.to_owned());
                return Err(InvalidLabels::Twice { key: key.to_owned(), first, second });
            }
            _ => {}
        }
    }
    if labels.is_empty() { Err(InvalidLabels::Empty) } else { Ok(labels) }
}

/// The labels as the table shows them: sorted, apart by one space.
pub fn text(labels: &Labels) -> String {
    labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
}

/// The name of an exception that was given none: the same labels get the same name each time.
pub fn name(labels: &Labels) -> String {
    format!("exception-{:08x}", name::fnv(&text(labels)) & 0xffff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_read_as_az_reads_them() {
        let labels = parse(["app=web", "kubernetes.azure.com/managedby=aks", "tier="]).unwrap();
        assert_eq!(text(&labels), "app=web kubernetes.azure.com/managedby=aks tier=");
        assert_eq!(parse(["b=2 a=1"]).unwrap(), parse(["a=1", "b=2", "a=1"]).unwrap());
        assert_eq!(name(&labels), name(&labels.clone()));
        assert_ne!(name(&labels), name(&parse(["app=web"]).unwrap()));
    }

    #[test]
    fn what_is_no_label_is_named() {
        for bad in ["app", "=x", "a=b=c", "a=-", "a b", "a/b/c=d"] {
            assert!(matches!(parse([bad]), Err(InvalidLabels::Item(_))), "{bad}");
        }
        assert_eq!(parse([]), Err(InvalidLabels::Empty));
        assert_eq!(parse(["  "]), Err(InvalidLabels::Empty));
        assert!(matches!(parse(["a=b", "a=c"]), Err(InvalidLabels::Twice { .. })));
    }
}
