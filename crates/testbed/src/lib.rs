//! How does podid behave on a real Kubernetes? A control plane for tests, on one machine, in seconds.
//!
//! ```no_run
//! use podid_testbed::{ControlPlane, Programs};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let Some(programs) = Programs::find_or_skip("a pod becomes ready") else { return Ok(()) };
//! let cluster = ControlPlane::start(&programs)?;
//! let _kubelets = cluster.kubelets(&["node-1", "node-2"])?;
//! cluster.kubectl(&["create", "deployment", "web", "--image=web"]).ok();
//! cluster.kubectl(&["rollout", "status", "deployment/web"]).ok();
//! # Ok(())
//! # }
//! ```
//!
//! [`ControlPlane::start`] runs the real etcd, kube-apiserver and kube-controller-manager, with RBAC on and admission as on
//! a real cluster. Nodes are played, see [`ControlPlane::kubelets`]: no container runs. A control plane takes about
//! 3 seconds and 400 MB of memory, so a test binary shares one, in a `LazyLock`, with a namespace for each test.
//!
//! Nothing is left when it is dropped or when the process ends in whatever way. `PODID_TESTBED_KEEP=1` keeps its folder
//! with the logs and says where it is. This crate knows nothing of podid.

mod api_server;
mod audit;
mod authority;
mod background;
mod control_plane;
mod controllers;
mod error;
mod etcd;
mod folder;
mod kubeconfig;
mod kubelets;
mod output;
mod port;
mod process;
mod programs;

pub use audit::AuditEvent;
pub use control_plane::ControlPlane;
pub use error::{Failure, StartError};
pub use kubelets::Kubelets;
pub use output::Output;
pub use programs::{Missing, NAMES, Programs};
