//! Which objects does the controller watch?

use futures::StreamExt;
use futures::stream::{BoxStream, select_all};
use podid_kube::Client;
use podid_kube::watch;

use crate::world::Happening;

/// Changes that are taken in at once when many are there.
const BATCH: usize = 512;

/// The changes of everything that decisions are made from, as they come.
pub(crate) fn all(client: &Client) -> BoxStream<'static, Vec<Happening>> {
    let kinds = [
        watch::pods(client.clone()).map(Happening::Pod).boxed(),
        watch::nodes(client.clone()).map(Happening::Node).boxed(),
        watch::identity_originals(client.clone()).map(Happening::Identity).boxed(),
        watch::binding_originals(client.clone()).map(Happening::Binding).boxed(),
        watch::assignments(client.clone()).map(Happening::Record).boxed(),
    ];
    select_all(kinds).ready_chunks(BATCH).boxed()
}
