//! With which cluster and which Azure are the commands tried? The lab's API server, and a small ARM.

mod cluster;
mod play;

pub(crate) use cluster::Cluster;
pub(crate) use play::{Play, principal, resource};

use podid_console::Steps;
use podid_core::addon::Wanted;
use podid_core::ids::ObjectRef;

use crate::{How, Session};

/// The tutorial's pod identity.
pub(crate) fn wanted() -> Wanted {
    Wanted { id: ObjectRef::new("my-app", "my-pod"), resource: resource("app"), selector: "my-pod".into() }
}

/// A session that says nothing and has little patience.
pub(crate) fn session<'a>(cluster: &Cluster, play: &'a Play, stop_after: Option<usize>) -> Session<&'a Play> {
    let how = How { stop_after, patience: std::time::Duration::from_secs(2), ..How::default() };
    Session::new(cluster.client.clone(), play, Steps::quiet(), how)
}
