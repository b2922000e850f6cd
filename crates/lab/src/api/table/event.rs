//! Which one line tells an event?

use jiff::Timestamp;
use serde_json::Value;

use super::super::admit::text;
use super::Column;
use super::age::since;

pub(super) const COLUMNS: &[Column] = &[
    Column::text("Last Seen"),
    Column::text("Type"),
    Column::text("Reason"),
    Column::text("Object"),
    Column::text("Subobject").wide(),
    Column::text("Source").wide(),
    Column::text("Message"),
    Column::text("First Seen").wide(),
    Column::number("Count").wide(),
    Column::text("Name").wide(),
];

/// The cells of an event in its core/v1 form.
pub(super) fn cells(event: &Value, now: Timestamp) -> Vec<Value> {
    let series = &event["series"];
    let first = first_of([&event["firstTimestamp"], &event["eventTime"]]);
    let last = first_of([&series["lastObservedTime"], &event["lastTimestamp"]]);
    let last = if last.is_null() { first } else { last };
    let count = series["count"].as_u64().or_else(|| event["count"].as_u64()).unwrap_or(1).max(1);
    let object = &event["involvedObject"];
    let target = [text(&object["kind"]).to_lowercase(), text(&object["name"]).to_owned()];
    let source =
        [first_of([&event["source"]["component"], &event["reportingComponent"]]), &event["source"]["host"]];
    vec![
        since(last, now).into(),
        event["type"].clone(),
        event["reason"].clone(),
        target.join("/").trim_end_matches('/').into(),
        text(&object["fieldPath"]).into(),
        source.map(text).join(", ").trim_end_matches(", ").into(),
        text(&event["message"]).trim().into(),
        since(first, now).into(),
        count.into(),
        event["metadata"]["name"].clone(),
    ]
}

fn first_of(values: [&Value; 2]) -> &Value {
    values.into_iter().find(|value| !text(value).is_empty()).unwrap_or(&Value::Null)
}
