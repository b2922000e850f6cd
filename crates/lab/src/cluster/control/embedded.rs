//! How does the embedded API server start?

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use kube::config::Kubeconfig;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::super::access;
use super::super::ground::listen;
use super::Control;
use crate::api::{self, Access, PodLogs, Store};
use crate::azure::pki::Authority;
use crate::client::Client;
use crate::home::Home;

/// Writes that a watch may lag behind.
const HISTORY: usize = 10_000;

const CRDS: [&str; 4] = [
    include_str!("../../../../../deploy/crds/azureassignedidentity.yaml"),
    include_str!("../../../../../deploy/crds/azureidentity.yaml"),
    include_str!("../../../../../deploy/crds/azureidentitybinding.yaml"),
    include_str!("../../../../../deploy/crds/azurepodidentityexception.yaml"),
];

/// Serves the API on the host's listener and at `inside`, until `ended`.
pub(in super::super) async fn start(
    home: &Home,
    outside: TcpListener,
    inside: SocketAddr,
    authority: &Authority,
    logs: Arc<dyn PodLogs>,
    (ended, tasks): (&CancellationToken, &TaskTracker),
) -> anyhow::Result<Control> {
    let crds = CRDS.iter().map(|text| serde_saphyr::from_str(text)).collect::<Result<_, _>>()?;
    let ca = authority.ca_pem();
    let store = Store::new(api::Settings { crds, root_ca: ca.to_owned(), history: HISTORY })?;
    let token = access::random_token()?;
    let names = ["127.0.0.1", "localhost", &inside.ip().to_string(), "kubernetes.default.svc"];
    let access = Access::new(Arc::new(authority.issue(&names)?.server_config()?), &token);

    let from_outside = access::kubeconfig(outside.local_addr()?, ca, &token, "default");
    let from_inside = access::kubeconfig(inside, ca, &token, "default");
    let for_people = home.write("kubeconfig", from_outside.as_bytes())?;
    let of_pods = home.write("kubeconfig-inside", from_inside.as_bytes())?;

    outside.set_nonblocking(true)?;
    for listener in [tokio::net::TcpListener::from_std(outside)?, listen(inside).await?] {
        let server = api::serve(store.clone(), logs.clone(), access.clone(), listener, ended.clone());
        tasks.spawn(server);
    }
    let client = Client::new(Kubeconfig::from_yaml(&from_inside)?).await?;
    Ok(Control { client, for_people, for_mic: of_pods.clone(), for_nmi: of_pods })
}
