//! What is around the controller?

use std::path::PathBuf;

use podid_testbed::Programs;
use tokio::runtime::{Builder, Runtime};

use crate::azure::Cloud;
use crate::cluster::Cluster;

/// Nodes, scale sets and identities, as in the original's bench.
pub(crate) const NODES: usize = 100;
pub(crate) const SCALE_SETS: usize = 10;
pub(crate) const IDENTITIES: usize = 20;

/// A cluster and an Azure, both new.
pub(crate) struct Stage {
    pub(crate) cluster: Cluster,
    pub(crate) cloud: Cloud,
    pub(crate) runtime: Runtime,
}

// === impl Stage ===

impl Stage {
    pub(crate) fn build(programs: &Programs) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let cloud = Cloud::start(&runtime, SCALE_SETS, IDENTITIES);
        let cluster = Cluster::start(programs, &runtime, &cloud, NODES);
        runtime.block_on(cluster.create_identities(&cloud));
        Self { cluster, cloud, runtime }
    }
}

/// The shipped binary.
pub(crate) fn binary() -> PathBuf {
    let Some(path) = std::env::var_os("PODID_BINARY") else {
        eprintln!("controller: set PODID_BINARY to a podid, or run `cargo xtask bench mic`");
        std::process::exit(1);
    };
    path.into()
}
