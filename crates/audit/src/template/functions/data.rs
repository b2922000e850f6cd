//! What do the functions on encodings, times and made-up names give?

use std::hash::{DefaultHasher, Hash, Hasher};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Answer, Args, shown};
use crate::template::standin;

/// The time at which every template is deployed, so that two runs say the same.
const NOW: &str = "2026-01-01T00:00:00Z";

pub(super) fn call(name: &str, args: &Args) -> Option<Answer> {
    Some(match name {
        "json" => args.text(0).and_then(|text| match serde_json::from_str(text) {
            Ok(value) => Ok(value),
            Err(_) if standin::what(&json!(text)).is_some() => Ok(json!(text)),
            Err(error) => Err(args.wrong(format!("is not JSON: {error}"))),
        }),
        "base64" => args.text(0).map(|text| STANDARD.encode(text).into()),
        "base64tostring" => decoded(args).map(Value::String),
        "base64tojson" => decoded(args).and_then(|text| {
            serde_json::from_str(&text).map_err(|error| args.wrong(format!("is not JSON: {error}")))
        }),
        // Made up, but the same for the same values, and of the right form.
        "uniquestring" => Ok(made_up(args.all(), 13).into()),
        "guid" | "newguid" => {
            let hex = format!("{}{}", hash(args.all(), 1), hash(args.all(), 2));
            let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..32]];
            Ok(parts.join("-").into())
        }
        "utcnow" | "datetimeadd" => Ok(NOW.into()),
        "datetimetoepoch" => Ok(1_767_225_600.into()),
        "pickzones" => Ok(json!(["1"])),
        "datauri" => args
            .text(0)
            .map(|text| format!("data:text/plain;charset=utf8;base64,{}", STANDARD.encode(text)).into()),
        "fail" => {
            Err(args
                .wrong(format!("the template says: {}", args.all().first().map(shown).unwrap_or_default())))
        }
        _ => return None,
    })
}

fn decoded(args: &Args) -> Result<String, crate::template::TemplateError> {
    let bytes = STANDARD.decode(args.text(0)?).ok();
    bytes.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(|| args.wrong("is not base64 of text"))
}

fn hash(values: &[Value], salt: u8) -> String {
    let mut hasher = DefaultHasher::new();
    salt.hash(&mut hasher);
    for value in values {
        shown(value).hash(&mut hasher);
    }
    format!("{:016x}", hasher.finish())
}

/// Small letters and digits.
fn made_up(values: &[Value], length: usize) -> String {
    hash(values, 3).chars().cycle().take(length).collect()
}
