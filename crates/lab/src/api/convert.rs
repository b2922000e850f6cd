//! How does one stored event look in the two event APIs?

use serde_json::Value;

use super::catalogue::Kind;
use super::resource::EVENTS_K8S_IO;

/// Field names of core/v1 and of events.k8s.io/v1.
const NAMES: [(&str, &str); 7] = [
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
];

/// The object as the kind's clients know it.
pub(super) fn shown(kind: &Kind, stored: &Value) -> Value {
    let mut object = stored.clone();
    if kind.resource == EVENTS_K8S_IO {
        rename(&mut object, NAMES.into_iter());
        object["apiVersion"] = kind.api_version().into();
    }
    object
}

/// The object as it is stored.
pub(super) fn stored(kind: &Kind, mut object: Value) -> Value {
    if kind.resource == EVENTS_K8S_IO && object.is_object() {
        rename(&mut object, NAMES.into_iter().map(|(old, new)| (new, old)));
        object["apiVersion"] = "v1".into();
    }
    object
}

fn rename<'a>(object: &mut Value, names: impl Iterator<Item = (&'a str, &'a str)>) {
    let Some(fields) = object.as_object_mut() else { return };
    for (from, to) in names {
        if let Some(value) = fields.remove(from) {
            fields.insert(to.to_owned(), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::catalogue::Catalogue;
    use super::super::resource::EVENTS;
    use super::*;

    #[test]
    fn event_keeps_its_content_in_both_forms() {
        let catalogue = Catalogue::new(&[]).unwrap();
        let (old, new) = (catalogue.kind(&EVENTS).unwrap(), catalogue.kind(&EVENTS_K8S_IO).unwrap());
        let event = json!({
            "apiVersion": "v1", "kind": "Event", "involvedObject": {"name": "p"}, "message": "m", "count": 2,
            "reportingComponent": "c", "reason": "r",
        });
        let newer = shown(new, &event);
        assert_eq!(
            newer,
            json!({
                "apiVersion": "events.k8s.io/v1", "kind": "Event", "regarding": {"name": "p"}, "note": "m",
                "deprecatedCount": 2, "reportingController": "c", "reason": "r",
            })
        );
        assert_eq!(stored(new, newer), event);
        assert_eq!(shown(old, &event), event);
    }
}
