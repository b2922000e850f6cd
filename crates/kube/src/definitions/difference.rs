//! What would an apply change, in the form that people know from `kubectl diff`?

use similar::TextDiff;

use super::{Applied, DefinitionError};
use crate::manifests::document;

/// Lines around a change.
const CONTEXT: usize = 3;

impl Applied {
    /// The change as a unified diff of YAML; none if there is no change.
    pub fn difference(&self) -> Result<Option<String>, DefinitionError> {
        let text = |json| document(json).map_err(|_| DefinitionError::Unwritable(self.name.clone()));
        let before = self.before.as_ref().map(text).transpose()?.unwrap_or_default();
        let after = text(&self.after)?;
        if before == after {
            return Ok(None);
        }
        let (live, merged) = (format!("LIVE/{}", self.name), format!("MERGED/{}", self.name));
        let diff = TextDiff::from_lines(&before, &after);
        Ok(Some(diff.unified_diff().context_radius(CONTEXT).header(&live, &merged).to_string()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn applied(before: Option<Value>, after: Value) -> Applied {
        Applied { name: "x.example".to_owned(), before, after }
    }

    #[test]
    fn nothing_is_said_where_nothing_changes() {
        let same = json!({"spec": {"a": 1}});
        assert_eq!(applied(Some(same.clone()), same).difference().unwrap(), None);
    }

    #[test]
    fn a_change_is_shown_with_its_surroundings() {
        let diff = applied(Some(json!({"a": 1, "b": 2})), json!({"a": 1, "b": 3})).difference().unwrap();
        assert_eq!(
            diff.unwrap(),
            "--- LIVE/x.example\n+++ MERGED/x.example\n@@ -1,2 +1,2 @@\n a: 1\n-b: 2\n+b: 3\n"
        );
    }

    #[test]
    fn what_is_new_is_all_added() {
        let diff = applied(None, json!({"a": 1})).difference().unwrap().unwrap();
        assert!(diff.ends_with("@@ -0,0 +1 @@\n+a: 1\n"), "{diff}");
    }
}
