//! Which objects does the controller watch?

use futures::StreamExt;
use futures::stream::{BoxStream, select_all};
use podid_kube::Client;
use podid_kube::pulse::Pulse;
use podid_kube::watch;

use crate::world::Happening;

/// Changes that are taken in at once when many are there.
const BATCH: usize = 512;

/// The kinds of objects, as they are called in metrics.
pub(crate) const KINDS: [&str; 5] = ["pods", "nodes", "identities", "bindings", "assignments"];

/// The changes of everything that decisions are made from, as they come, and for each kind of object when the API
/// server last answered.
pub(crate) fn all(client: &Client) -> (BoxStream<'static, Vec<Happening>>, Vec<(&'static str, Pulse)>) {
    let heard = KINDS.map(|kind| (kind, Pulse::of(client.clone())));
    let pulses = heard.iter().map(|(kind, (_, pulse))| (*kind, pulse.clone())).collect();
    let [pods, nodes, identities, bindings, assignments] = heard.map(|(_, (client, _))| client);
    let kinds = [
        watch::pods(pods).map(Happening::Pod).boxed(),
        watch::nodes(nodes).map(Happening::Node).boxed(),
        watch::identity_originals(identities).map(Happening::Identity).boxed(),
        watch::binding_originals(bindings).map(Happening::Binding).boxed(),
        watch::assignments(assignments).map(Happening::Record).boxed(),
    ];
    (select_all(kinds).ready_chunks(BATCH).boxed(), pulses)
}
