//! On which API servers does every story happen, and how do they fail?

use std::path::Path;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use podid_testbed::{ControlPlane, Programs};

use crate::lab::Lab;

/// The API server of a lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    /// The lab's own.
    Embedded,
    /// A real one, which all stories use one after the other.
    Real,
}

static REAL: LazyLock<ControlPlane> = LazyLock::new(|| {
    ControlPlane::start(&Programs::find().unwrap()).unwrap_or_else(|error| panic!("{error}"))
});

/// Makes two tests of each story, one for each API server.
macro_rules! on_both_servers {
    ($($story:ident),+ $(,)?) => {$(
        mod $story {
            #[test]
            fn embedded() {
                super::$story($crate::server::Server::Embedded);
            }

            #[test]
            fn real() {
                if $crate::server::is_there(stringify!($story)) {
                    super::$story($crate::server::Server::Real);
                }
            }
        }
    )+};
}
pub(crate) use on_both_servers;

/// Whether the programs of a real control plane are there. Says loudly that a story is left out where they are not.
pub(crate) fn is_there(story: &str) -> bool {
    Programs::find_or_skip(story).is_some()
}

/// The real control plane.
pub(crate) fn real() -> &'static ControlPlane {
    &REAL
}

// === impl Server ===

impl Server {
    /// What a lab is told to use it.
    pub(crate) fn arguments(self) -> Vec<String> {
        match self {
            Self::Embedded => Vec::new(),
            Self::Real => vec!["--kubeconfig".to_owned(), REAL.admin_kubeconfig().display().to_string()],
        }
    }

    /// Checks that an ended lab left nothing in it.
    pub(crate) fn is_clean(self) {
        if self == Self::Real {
            let kinds = "nodes,crd,clusterroles,clusterrolebindings,namespaces,pods,leases,configmaps";
            let left = REAL.kubectl(&["get", kinds, "-A", "-o", "name"]).ok();
            let ours = ["lab-vmss", "aadpodidentity", "aad-pod-id", "my-app", "podid", "nmi-", "/mic"];
            let found: Vec<_> =
                left.lines().filter(|line| ours.iter().any(|part| line.contains(part))).collect();
            assert!(found.is_empty(), "the lab left {found:?}");
        }
    }
}

// === impl Lab ===

impl Lab {
    /// Loses what changed until now: every watch has to begin again.
    pub(crate) fn forget_history(&self) {
        match self.server() {
            Server::Embedded => self.post("/podid.dev/forget"),
            Server::Real => REAL.compact().unwrap(),
        }
    }

    /// Has no API server for this long, or longer if `meanwhile` takes longer on a real one.
    pub(crate) fn without_api(&self, length: Duration, meanwhile: impl FnOnce()) {
        let end = Instant::now() + length;
        match self.server() {
            Server::Embedded => self.post(&format!("/podid.dev/outage?seconds={}", length.as_secs())),
            Server::Real => REAL.stop_api_server(),
        }
        meanwhile();
        std::thread::sleep(end.saturating_duration_since(Instant::now()));
        if self.server() == Server::Real {
            REAL.start_api_server().unwrap();
        }
    }
}

/// The kubeconfig of a user who may do nothing.
pub(crate) fn powerless(folder: &Path) -> std::path::PathBuf {
    let account = ["create", "serviceaccount", "powerless", "--namespace=default"];
    let _ = REAL.kubectl(&account);
    let given = REAL.kubeconfig_for("default", "powerless").unwrap();
    let path = folder.join("powerless");
    std::fs::copy(given, &path).unwrap();
    path
}
