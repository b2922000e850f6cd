//! In which form is an answer printed?

use clap::ValueEnum;
use serde_json::Value;
use serde_saphyr::ser_options;

/// How a command prints what it found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Table,
    /// For programs
    Json,
    /// For programs and people
    Yaml,
}

/// How a command prints a list of objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Listing {
    /// For people
    #[default]
    Table,
    /// For programs
    Json,
    /// For programs and people
    Yaml,
    /// The names only, one on each line, as kubectl takes them
    Name,
}

/// An answer that cannot be written as YAML; it names the cause.
#[derive(Debug, thiserror::Error)]
#[error("the answer cannot be written as YAML: {0}; ask for -o json instead")]
pub struct Unwritable(String);

// === impl Format ===

impl Format {
    /// The answer in this form, with a line break at its end: `value` for programs, `table` for people.
    pub fn render(self, value: &Value, table: impl FnOnce() -> String) -> Result<String, Unwritable> {
        match self {
            Self::Table => Ok(table()),
            // Alternate formatting of a value indents it, and cannot fail.
            Self::Json => Ok(format!("{value:#}\n")),
            // No folded scalars: a message stays on the line where `grep` finds it.
            Self::Yaml => {
                let options = ser_options! { prefer_block_scalars: false };
                serde_saphyr::to_string_with_options(value, options)
                    .map_err(|error| Unwritable(error.to_string()))
            }
        }
    }
}

// === impl Listing ===

impl Listing {
    /// The list in this form; `names` are `kind/name` as kubectl prints them.
    pub fn render(
        self,
        value: &Value,
        table: impl FnOnce() -> String,
        names: impl FnOnce() -> Vec<String>,
    ) -> Result<String, Unwritable> {
        match self {
            Self::Table => Format::Table.render(value, table),
            Self::Json => Format::Json.render(value, table),
            Self::Yaml => Format::Yaml.render(value, table),
            Self::Name => Ok(names().into_iter().map(|name| name + "\n").collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn programs_get_the_value_and_people_the_table() {
        let value = json!({"a": [1, "yes"]});
        let table = || "A\n1\n".to_owned();
        assert_eq!(Format::Table.render(&value, table).ok(), Some("A\n1\n".to_owned()));
        let json = Format::Json.render(&value, table).unwrap_or_default();
        assert_eq!(serde_json::from_str::<Value>(&json).ok(), Some(value.clone()));
        assert_eq!(Format::Yaml.render(&value, table).ok().as_deref(), Some("a:\n- 1\n- \"yes\"\n"));
    }

    #[test]
    fn names_stand_alone_on_their_lines() {
        let names = || vec!["azureidentity/a".to_owned(), "azureidentity/b".to_owned()];
        let text = Listing::Name.render(&json!([]), String::new, names).ok();
        assert_eq!(text.as_deref(), Some("azureidentity/a\nazureidentity/b\n"));
    }
}
