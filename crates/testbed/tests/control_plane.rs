//! Is it a Kubernetes control plane, and is nothing left of it?
#![allow(clippy::unwrap_used, clippy::unwrap_in_result, clippy::panic, reason = "these are tests")]

use podid_testbed::{ControlPlane, Programs};

#[test]
fn its_folder_is_gone_with_it() {
    let Some(programs) = Programs::find_or_skip("its_folder_is_gone_with_it") else { return };
    let cluster = ControlPlane::start(&programs).unwrap();
    let folder = cluster.folder().to_path_buf();
    assert!(cluster.kubectl(&["get", "serviceaccounts"]).ok().contains("default"));
    drop(cluster);
    assert!(!folder.exists());
}
