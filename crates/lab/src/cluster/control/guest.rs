//! How does the lab use an API server that it was given, and leave it as it was?

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use kube::config::Kubeconfig;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::super::ground::listen;
use super::super::objects;
use super::Control;
use crate::Mode;
use crate::client::{ASSIGNMENTS, Client, Failure, LEASES, NODES};
use crate::given::Given;
use crate::home::Home;
use crate::kubelet::microseconds;
use crate::relay;
use crate::scenario::SYSTEM_NAMESPACE;

mod check;
mod clean;
mod install;
mod token;

/// Says in the cluster that a lab uses it.
const LEASE: &str = "podid-lab";
/// How often that is said again.
const PERIOD: Duration = Duration::from_secs(10);
/// Seconds without it after which the lab counts as dead.
const LIFE: u32 = 40;

/// A cluster that the lab was given and uses alone.
pub(crate) struct Guest {
    client: Client,
    given: Given,
    /// Who uses the cluster: this machine and the lab's directory.
    holder: String,
}

/// Makes the given API server reachable at `inside` and takes the cluster for this lab, if it may.
pub(in super::super) async fn enter(
    home: &Home,
    given: Given,
    inside: SocketAddr,
    (ended, tasks): (&CancellationToken, &TaskTracker),
) -> anyhow::Result<Guest> {
    tasks.spawn(relay::forward(home.clone(), listen(inside).await?, ended.clone()));
    let client = Client::new(given.inside(inside)).await?;
    let host = nix::unistd::gethostname().unwrap_or_default();
    let holder = format!("{}:{}", host.display(), home.path().display());
    let guest = Guest { client, given, holder };
    guest.may_everything().await?;
    guest.check().await?;
    guest.hold(ended, tasks).await?;
    Ok(guest)
}

// === impl Guest ===

impl Guest {
    /// Installs podid's definitions and rights, and makes kubeconfigs with them.
    pub(in super::super) async fn control(
        &self,
        mode: Mode,
        home: &Home,
        inside: SocketAddr,
        (ended, tasks): (&CancellationToken, &TaskTracker),
    ) -> anyhow::Result<Control> {
        self.clean().await.context("cannot remove what an earlier lab left in the cluster")?;
        install::apply(&self.client, mode).await?;
        let private = home.private()?;
        let mut accounts = Vec::new();
        for (part, account) in [("mic", objects::MIC), ("nmi", objects::NMI)] {
            if part == "mic" && mode == Mode::Managed {
                accounts.push(PathBuf::new());
                continue;
            }
            let file = private.join(format!("{part}.token"));
            let renewed = token::keep(self.client.clone(), account, file.clone()).await?;
            let ended = ended.clone();
            tasks.spawn(async move { ended.run_until_cancelled(renewed).await });
            accounts.push(write(home, part, &self.given.with_token_file(inside, &file))?);
        }
        let [for_mic, for_nmi] = <[PathBuf; 2]>::try_from(accounts).unwrap_or_default();
        let for_people = self.given.path().to_owned();
        Ok(Control { client: self.client.clone(), for_people, for_mic, for_nmi })
    }

    /// The URL of the API server.
    pub(crate) fn server(&self) -> String {
        self.given.server()
    }

    /// Takes everything of the lab out of the cluster and says so.
    pub(crate) async fn leave(&self) {
        match self.clean().await {
            Ok(cleaned) => anstream::println!("\nRemoved from {}: {cleaned}.", self.given.server()),
            Err(failure) => anstream::eprintln!(
                "\nNot everything of the lab could be removed from {}: {failure}.\nThe next lab there removes the \
                 rest; or do it by hand: kubectl delete nodes,namespaces,clusterroles,clusterrolebindings,crds \
                 -l podid.dev/lab=true",
                self.given.server()
            ),
        }
        // Last, since it says that the lab is there.
        let _ = self.client.delete(LEASES, SYSTEM_NAMESPACE, LEASE).await;
    }

    async fn clean(&self) -> Result<clean::Cleaned, Failure> {
        clean::clean(&self.client).await
    }

    async fn may_everything(&self) -> anyhow::Result<()> {
        let server = self.given.server();
        let path = self.given.path().display();
        let question = json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {"verb": "*", "group": "*", "resource": "*"}},
        });
        match self.client.create(&question).await {
            Ok(answer) if answer["status"]["allowed"] == true => Ok(()),
            Ok(_) => anyhow::bail!(
                "the user of {path} may not do everything in {server}; the lab makes nodes, roles and definitions, \
                 so give a kubeconfig with the rights of cluster-admin"
            ),
            Err(Failure::Forbidden(why)) => {
                anyhow::bail!("{server} does not accept the credentials of {path}: {why}; renew them")
            }
            Err(failure) => anyhow::bail!("cannot speak to {server} of {path}: {failure}"),
        }
    }

    async fn check(&self) -> anyhow::Result<()> {
        let nodes = self.client.list(NODES, "", "").await?.items;
        let assignments = match self.client.list(ASSIGNMENTS, "", "").await {
            Ok(list) => list.items,
            // The kind is not defined, so there are none.
            Err(Failure::Absent(_)) => Vec::new(),
            Err(failure) => return Err(failure.into()),
        };
        check::may_use(&nodes, &assignments)?;
        Ok(())
    }

    /// Says in the cluster that this lab uses it, now and until `ended`.
    async fn hold(&self, ended: &CancellationToken, tasks: &TaskTracker) -> anyhow::Result<()> {
        let lease = match self.client.get(LEASES, SYSTEM_NAMESPACE, LEASE).await {
            Ok(lease) => Some(lease),
            Err(Failure::Absent(_)) => None,
            Err(failure) => return Err(failure.into()),
        };
        let host = self.holder.split(':').next().unwrap_or_default();
        let is_dead = |holder: &str| match holder.split_once(':') {
            // On this machine one can look.
            Some((on, path)) => on == host && Home::at(path.into()).is_abandoned(),
            None => false,
        };
        check::may_hold(lease.as_ref(), jiff::Timestamp::now(), is_dead)?;
        renew(&self.client, &self.holder).await?;
        let (client, holder, ended) = (self.client.clone(), self.holder.clone(), ended.clone());
        tasks.spawn(async move {
            while ended.run_until_cancelled(tokio::time::sleep(PERIOD)).await.is_some() {
                if let Err(failure) = renew(&client, &holder).await {
                    tracing::debug!(%failure, "the lab's lease was not renewed");
                }
            }
        });
        Ok(())
    }
}

async fn renew(client: &Client, holder: &str) -> Result<Value, Failure> {
    let spec = json!({
        "holderIdentity": holder, "leaseDurationSeconds": LIFE, "renewTime": microseconds(jiff::Timestamp::now()),
    });
    match client.patch(LEASES, SYSTEM_NAMESPACE, LEASE, &json!({"spec": spec})).await {
        Err(Failure::Absent(_)) => {
            let lease = json!({
                "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                "metadata": {"name": LEASE, "namespace": SYSTEM_NAMESPACE}, "spec": spec,
            });
            client.create(&lease).await
        }
        renewed => renewed,
    }
}

/// JSON is YAML, too.
fn write(home: &Home, part: &str, kubeconfig: &Kubeconfig) -> anyhow::Result<PathBuf> {
    Ok(home.write(&format!("kubeconfig-{part}"), &serde_json::to_vec(kubeconfig)?)?)
}
