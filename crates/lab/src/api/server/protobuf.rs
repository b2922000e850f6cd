//! Which object does kubectl send in protobuf?
//!
//! `kubectl create namespace|secret|configmap|serviceaccount` and `kubectl drain` write protobuf and take no refusal.
//! Fields are listed by the numbers of the published `generated.proto` files; all others are skipped.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// What a field holds.
#[derive(Clone, Copy)]
enum Shape {
    Text,
    Number,
    Flag,
    Texts,
    TextMap,
    BytesMap,
    Message(&'static [Field]),
}

type Field = (u64, &'static str, Shape);

/// The first bytes of every Kubernetes message.
const MAGIC: &[u8] = b"k8s\0";

const UNKNOWN: &[Field] =
    &[(1, "type", Shape::Message(&[(1, "apiVersion", Shape::Text), (2, "kind", Shape::Text)]))];
const METADATA: Field = (
    1,
    "metadata",
    Shape::Message(&[
        (1, "name", Shape::Text),
        (2, "generateName", Shape::Text),
        (3, "namespace", Shape::Text),
        (5, "uid", Shape::Text),
        (6, "resourceVersion", Shape::Text),
        (11, "labels", Shape::TextMap),
        (12, "annotations", Shape::TextMap),
        (14, "finalizers", Shape::Texts),
    ]),
);
const KINDS: [(&str, &[Field]); 5] = [
    ("Namespace", &[METADATA]),
    ("ServiceAccount", &[METADATA]),
    (
        "ConfigMap",
        &[
            METADATA,
            (2, "data", Shape::TextMap),
            (3, "binaryData", Shape::BytesMap),
            (4, "immutable", Shape::Flag),
        ],
    ),
    (
        "Secret",
        &[
            METADATA,
            (2, "data", Shape::BytesMap),
            (3, "type", Shape::Text),
            (4, "stringData", Shape::TextMap),
            (5, "immutable", Shape::Flag),
        ],
    ),
    (
        "DeleteOptions",
        &[
            (1, "gracePeriodSeconds", Shape::Number),
            (
                2,
                "preconditions",
                Shape::Message(&[(1, "uid", Shape::Text), (2, "resourceVersion", Shape::Text)]),
            ),
            (5, "dryRun", Shape::Texts),
        ],
    ),
];

/// The object in the JSON form; `None` if it is of no kind that is read here, or damaged.
pub(super) fn parse(body: &[u8]) -> Option<Value> {
    let envelope = body.strip_prefix(MAGIC)?;
    let header = message(envelope, UNKNOWN)?;
    let kind = header["type"]["kind"].as_str()?;
    let (_, fields) = KINDS.iter().find(|(name, _)| *name == kind)?;
    let mut object = message(raw(envelope)?, fields)?;
    if kind != "DeleteOptions" {
        object["apiVersion"] = header["type"]["apiVersion"].clone();
        object["kind"] = kind.into();
    }
    Some(object)
}

fn message(mut bytes: &[u8], fields: &[Field]) -> Option<Value> {
    let mut object = Map::new();
    while !bytes.is_empty() {
        let (number, content) = next(&mut bytes)?;
        let Some((_, name, shape)) = fields.iter().find(|(known, ..)| *known == number) else { continue };
        let name = (*name).to_owned();
        match (shape, content) {
            (Shape::Text, Content::Bytes(text)) if !text.is_empty() => {
                object.insert(name, std::str::from_utf8(text).ok()?.into());
            }
            (Shape::Number, Content::Number(number)) => {
                object.insert(name, number.into());
            }
            (Shape::Flag, Content::Number(number)) => {
                object.insert(name, (number != 0).into());
            }
            (Shape::Texts, Content::Bytes(text)) => {
                let text = std::str::from_utf8(text).ok()?;
                object.entry(name).or_insert_with(|| json!([])).as_array_mut()?.push(text.into());
            }
            (Shape::TextMap | Shape::BytesMap, Content::Bytes(entry)) => {
                let (key, value) = pair(entry)?;
                let value = match shape {
                    Shape::TextMap => std::str::from_utf8(value).ok()?.to_owned(),
                    _ => STANDARD.encode(value),
                };
                let map = object.entry(name).or_insert_with(|| json!({})).as_object_mut()?;
                map.insert(key.to_owned(), value.into());
            }
            (Shape::Message(fields), Content::Bytes(inner)) => {
                object.insert(name, message(inner, fields)?);
            }
            _ => {}
        }
    }
    Some(object.into())
}

/// The serialized object inside the envelope.
fn raw(mut envelope: &[u8]) -> Option<&[u8]> {
    while !envelope.is_empty() {
        if let (2, Content::Bytes(bytes)) = next(&mut envelope)? {
            return Some(bytes);
        }
    }
    None
}

fn pair(mut entry: &[u8]) -> Option<(&str, &[u8])> {
    let (mut key, mut value): (&[u8], &[u8]) = (&[], &[]);
    while !entry.is_empty() {
        match next(&mut entry)? {
            (1, Content::Bytes(bytes)) => key = bytes,
            (2, Content::Bytes(bytes)) => value = bytes,
            _ => {}
        }
    }
    Some((std::str::from_utf8(key).ok()?, value))
}

enum Content<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The next field with its number. Fixed-width fields occur in none of these messages.
fn next<'a>(bytes: &mut &'a [u8]) -> Option<(u64, Content<'a>)> {
    let tag = varint(bytes)?;
    let content = match tag & 7 {
        0 => Content::Number(varint(bytes)?),
        2 => {
            let length = usize::try_from(varint(bytes)?).ok()?;
            let (content, rest) = bytes.split_at_checked(length)?;
            *bytes = rest;
            Content::Bytes(content)
        }
        _ => return None,
    };
    Some((tag >> 3, content))
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        let length = u8::try_from(content.len()).unwrap();
        [&[number << 3 | 2, length], content].concat()
    }

    fn envelope(kind: &str, object: &[u8]) -> Vec<u8> {
        let header = field(1, &[field(1, b"v1"), field(2, kind.as_bytes())].concat());
        [MAGIC, &header, &field(2, object)].concat()
    }

    #[test]
    fn secret_is_read_with_its_metadata_and_bytes() {
        let label = field(11, &[field(1, b"a"), field(2, b"b")].concat());
        let metadata = field(1, &[field(1, b"s"), field(2, b""), field(8, b""), label].concat());
        let data = field(2, &[field(1, b"key"), field(2, b"abc")].concat());
        let object = [metadata, data, field(3, b"Opaque"), vec![5 << 3, 1]].concat();
        let expected = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "labels": {"a": "b"}},
            "data": {"key": "YWJj"}, "type": "Opaque", "immutable": true,
        });
        assert_eq!(parse(&envelope("Secret", &object)), Some(expected));
    }

    #[test]
    fn delete_options_carry_no_kind() {
        let object = [vec![1 << 3, 0], field(2, &field(1, b"u")), field(5, b"All")].concat();
        let expected = json!({"gracePeriodSeconds": 0, "preconditions": {"uid": "u"}, "dryRun": ["All"]});
        assert_eq!(parse(&envelope("DeleteOptions", &object)), Some(expected));
    }

    #[test]
    fn damaged_and_foreign_messages_are_not_read() {
        let whole = envelope("Namespace", &field(1, &field(1, b"n")));
        assert!(parse(&whole).is_some());
        for end in 0..whole.len() {
            assert!(parse(&whole[..end]).is_none_or(|object| object["metadata"].is_null()), "{end}");
        }
        assert_eq!(parse(&envelope("Pod", b"")), None);
        assert_eq!(parse(br#"{"kind": "Namespace"}"#), None);
        assert_eq!(parse(&[MAGIC, &[0xff; 20]].concat()), None);
    }
}
