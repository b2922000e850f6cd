//! What is asked of the audit stream, and how is it asked in Log Analytics and in Loki?
//!
//! A query is data with one meaning, [`Query::answer`], and two renderings. The tests try the meaning on lines that
//! the agent has really written.

mod catalogue;
mod kql;
mod logql;

use std::collections::BTreeMap;

use serde_json::Value;

pub use catalogue::QUERIES;

/// A question, asked of lines of the audit stream.
#[derive(Clone, Copy, Debug)]
pub struct Query {
    /// Its file's name.
    pub name: &'static str,
    /// The question, in words.
    pub question: &'static str,
    /// Which lines are looked at: the field and the values that it may have.
    pub only: &'static [(Field, &'static [&'static str])],
    /// What is counted apart.
    pub by: &'static [Field],
    /// How far back, in days.
    pub days: u32,
    /// What is done with the counts.
    pub then: Then,
}

/// What is done with the counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// They are shown.
    Show,
    /// What was there before the last so many days is left out.
    OnlyNew {
        /// The last days.
        days: u32,
    },
    /// What is in a list and was not counted is shown instead.
    OnlyAbsent,
}

/// A field of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Field(pub &'static str);

// === impl Query ===

impl Query {
    /// The counts of the `lines` of the last `days`, by the values of `by`. Fields that a line lacks are empty.
    pub fn count<'a>(&self, lines: impl Iterator<Item = &'a Value>) -> BTreeMap<Vec<String>, u64> {
        let mut counts = BTreeMap::new();
        for line in lines {
            if self.only.iter().all(|(field, values)| values.contains(&field.of(line).as_str())) {
                let key = self.by.iter().map(|field| field.of(line)).collect();
                *counts.entry(key).or_default() += 1;
            }
        }
        counts
    }

    /// The answer from the `recent` lines and those `before` them, where `known` is the list of what there should be.
    pub fn answer(&self, recent: &[Value], before: &[Value], known: &[Vec<String>]) -> Vec<Vec<String>> {
        let counts = self.count(recent.iter());
        match self.then {
            Then::Show => counts.into_keys().collect(),
            Then::OnlyNew { .. } => {
                let old = self.count(before.iter());
                counts.into_keys().filter(|key| !old.contains_key(key)).collect()
            }
            Then::OnlyAbsent => known.iter().filter(|key| !counts.contains_key(*key)).cloned().collect(),
        }
    }

    /// Every field that it names.
    pub fn fields(&self) -> impl Iterator<Item = Field> {
        self.only.iter().map(|(field, _)| *field).chain(self.by.iter().copied())
    }

    /// For Azure Monitor's Log Analytics.
    pub fn kql(&self) -> String {
        kql::render(self)
    }

    /// For Grafana's Loki.
    pub fn logql(&self) -> String {
        logql::render(self)
    }
}

// === impl Field ===

impl Field {
    /// Its value in a line, as text.
    fn of(self, line: &Value) -> String {
        let value = self.0.split('.').try_fold(line, |value, key| value.get(key));
        match value {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        }
    }

    /// As one word, for a column or a label.
    fn word(self) -> String {
        self.0.replace('.', "_")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn query(then: Then) -> Query {
        Query {
            name: "test",
            question: "?",
            only: &[(Field("decision"), &["served"])],
            by: &[Field("identity.name")],
            days: 30,
            then,
        }
    }

    fn served(identity: &str) -> Value {
        json!({"decision": "served", "identity": {"name": identity}})
    }

    fn key(name: &str) -> Vec<String> {
        vec![name.to_owned()]
    }

    #[test]
    fn only_matching_lines_count_and_what_a_line_lacks_is_empty() {
        let refused = json!({"decision": "refused", "identity": {"name": "c"}});
        let lines = [served("a"), served("a"), json!({"decision": "served"}), refused];
        let counts = query(Then::Show).count(lines.iter());
        assert_eq!(counts, [(key("a"), 2), (key(""), 1)].into());
    }

    #[test]
    fn what_is_new_was_not_there_before_and_what_is_absent_is_not_there_at_all() {
        let (recent, before) = ([served("a"), served("b")], [served("a")]);
        assert_eq!(query(Then::OnlyNew { days: 1 }).answer(&recent, &before, &[]), [key("b")]);
        let known = [key("b"), key("z")];
        assert_eq!(query(Then::OnlyAbsent).answer(&recent, &before, &known), [key("z")]);
    }

    #[test]
    fn both_renderings_name_every_field_and_every_value() {
        for query in QUERIES {
            for text in [query.kql(), query.logql()] {
                for field in query.fields() {
                    assert!(text.contains(field.0), "{} lacks {}", query.name, field.0);
                }
                for value in query.only.iter().flat_map(|(_, values)| *values) {
                    assert!(text.contains(value), "{} lacks {value}", query.name);
                }
            }
        }
    }
}
