//! Which pods pass through, today and with podid?

use super::finding::some;
use super::{Code, Finding, Level, Object, View};
use crate::facts::Exception;

pub(super) fn find(view: &View<'_>) -> Vec<Finding> {
    view.cluster.exceptions().iter().map(|exception| of_one(view, exception)).collect()
}

fn of_one(view: &View<'_>, exception: &Exception) -> Finding {
    let pods = view.cluster.pods().iter().map(|pod| &pod.fact);
    // A host-network pod reaches IMDS anyway.
    let covered = pods.filter(|pod| pod.is_live() && !pod.host_network && exception.covers(pod));
    let whom = match (some(covered.map(|pod| &pod.id)), &view.cluster.pods) {
        (_, None) => "the pods that it covers".to_owned(),
        (names, _) if names.is_empty() => "no pod at the moment".to_owned(),
        (names, _) => names,
    };
    Finding {
        code: Code::Exception,
        level: Level::Note,
        object: Object::new("AzurePodIdentityException", &exception.id),
        change: format!(
            "It lets through {whom}. The original answers their token requests itself and knows client_id only; podid \
             passes every request on and every answer back unchanged."
        ),
        action: "Nothing; delete it if nobody needs it, because it gives the node's identities.".to_owned(),
    }
}
