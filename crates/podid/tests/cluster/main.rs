//! Does podid behave on a real Kubernetes, with the rights that its manifests grant and no other?
#![allow(clippy::unwrap_used, clippy::unwrap_in_result, clippy::panic, reason = "these are tests")]

mod exact;
mod lab;
mod manifests;
mod rights;

use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use podid_testbed::{ControlPlane, Programs};

/// One for all tests that install podid, one at a time: what is installed has one name per cluster.
static CLUSTER: LazyLock<Option<Mutex<ControlPlane>>> = LazyLock::new(|| {
    let programs = Programs::find_or_skip("podid on a real API server")?;
    Some(Mutex::new(ControlPlane::start(&programs).unwrap()))
});

/// The cluster, or nothing where its programs are missing, which is said.
fn cluster(test: &str) -> Option<MutexGuard<'static, ControlPlane>> {
    Programs::find_or_skip(test)?;
    Some(CLUSTER.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner))
}
