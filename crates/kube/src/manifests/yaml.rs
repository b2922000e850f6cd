//! How is an object written as YAML?

use serde::Serialize;
use serde_json::Value;
use serde_saphyr::{SerializerOptions, ser_options};

/// Objects that could not be written; it names the cause.
#[derive(Debug, thiserror::Error)]
#[error("manifest cannot be written as YAML: {0}")]
pub struct Unwritable(String);

/// A file with the given objects, separated by `---`, below `notes` as comments.
pub(super) fn file(notes: &[&str], objects: &[Value]) -> Result<String, Unwritable> {
    let mut text: String =
        notes.iter().flat_map(|note| note.lines()).map(|line| format!("# {line}\n")).collect();
    for (index, object) in objects.iter().enumerate() {
        if index > 0 {
            text.push_str("---\n");
        }
        text.push_str(&document(object)?);
    }
    Ok(text)
}

/// One object as YAML.
pub fn document(object: &Value) -> Result<String, Unwritable> {
    serde_saphyr::to_string_with_options(object, options()).map_err(|error| Unwritable(error.to_string()))
}

/// The object as JSON, absent fields left out.
pub(super) fn json(object: &impl Serialize) -> Result<Value, Unwritable> {
    serde_json::to_value(object).map_err(|error| Unwritable(error.to_string()))
}

/// No folded scalars: a rule or message stays on the line where `grep` finds it.
fn options() -> SerializerOptions {
    ser_options! { prefer_block_scalars: false }
}
