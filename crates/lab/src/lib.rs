//! A simulated Azure and Kubernetes on one machine, in which the shipped binary runs.
//!
//! The lab knows no other crate of podid: it starts the running binary as child processes and
//! speaks wire formats of its own, so that a wrong field name cannot hide on both sides.
//!
//! From outside in: [`start`] makes a [`home`] and [`enter`]s namespaces; [`mod@inside`] builds the
//! [`cluster`]: the [`net`]work, the simulated [`azure`], the Kubernetes [`api`], and a
//! [`kubelet`] that runs pods as processes; the [`story`] then makes the tutorial happen and the
//! [`timeline`] shows it. All of them but the API itself speak to Kubernetes through the [`client`].

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::doors::Doors;
pub use crate::exec::Exec;
use crate::given::Given;
use crate::home::Home;
use crate::relay::Relay;

pub mod api;
pub mod azure;
mod client;
mod cluster;
mod doors;
mod enter;
mod exec;
mod given;
mod home;
mod inside;
mod kubelet;
pub mod net;
mod relay;
mod scenario;
mod story;
mod timeline;

/// What kind of lab is wanted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Settings {
    /// Which of the two modes podid runs in.
    pub mode: Mode,
    /// Whether to make the tutorial happen and check it.
    pub story: bool,
    /// Whether to keep running until interrupted.
    pub keep: bool,
    /// Port of the Kubernetes API on the host's loopback address; 0 takes a free one.
    pub api_port: u16,
    /// The kubeconfig of a cluster to use instead of the embedded API; see [`start`].
    pub kubeconfig: Option<PathBuf>,
    /// How slow, strict and faulty the simulated Azure is.
    pub scenario: azure::Settings,
}

/// The two modes of operation (design §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// MIC assigns identities, NMI serves what is assigned.
    Standard,
    /// Identities are on the nodes already, NMI decides alone.
    Managed,
}

/// How the simulated Azure behaves: what the file at `path` says, in JSON or YAML, on top of what
/// the tutorial needs.
pub fn scenario(path: Option<&Path>) -> anyhow::Result<azure::Settings> {
    let Some(path) = path else { return Ok(scenario::tutorial()) };
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the scenario {}", path.display()))?;
    let settings = serde_saphyr::from_str(&text);
    let settings: azure::Settings =
        settings.with_context(|| format!("{} is not a scenario", path.display()))?;
    Ok(scenario::of_the_tutorial(settings))
}

/// Starts a lab and returns when it has ended and nothing of it is left.
///
/// With a kubeconfig, the lab uses that cluster's API server with the rights of the kubeconfig's user, who must be
/// allowed everything. It refuses a cluster that has anything of others, and leaves nothing of its own there.
///
/// Must be called while the process has one thread.
pub fn start(settings: &Settings) -> anyhow::Result<ExitCode> {
    let given = settings.kubeconfig.as_deref().map(Given::read).transpose()?;
    let doors = match &given {
        Some(given) => {
            given.knock()?;
            Doors::open(None)?
        }
        None => Doors::open(Some(settings.api_port))?,
    };
    let home = Home::create()?;
    let prepared = serde_json::to_vec(settings)
        .context("cannot write the settings")
        .and_then(|text| Ok(home.write("settings.json", &text)?))
        // It stays in the host's network, so it starts before that is left.
        .and_then(|_| given.map(|given| Relay::start(&home, &given)).transpose());
    let _relay = prepared.inspect_err(|_| home.remove())?;
    let arguments = ["lab".to_owned(), "inside".to_owned(), home.path().display().to_string()];
    Ok(enter::supervise(&home, &doors, &arguments)?)
}

/// The way to a given cluster's API server, in a process of its own that stays in the host's network.
pub fn relay(host: &str, port: u16, parent: u32) -> anyhow::Result<ExitCode> {
    relay::serve(host, port, parent)
}

/// The lab inside its namespaces, as the first process there.
pub fn inside(home: PathBuf) -> anyhow::Result<ExitCode> {
    inside::inside(&Home::at(home))
}

/// Runs a command in a pod's network; returns its exit code.
///
/// Must be called while the process has one thread.
pub fn exec(request: &Exec) -> anyhow::Result<ExitCode> {
    Ok(exec::exec(request)?)
}

/// The export lines of the lab that runs, for a shell to evaluate.
pub fn environment(lab: Option<PathBuf>) -> anyhow::Result<String> {
    let (home, _) = Home::find(lab)?;
    let exports = std::fs::read_to_string(home.file("env"))
        .context("the lab is still starting; try again in a moment")?;
    let proxied = ["HTTPS_PROXY", "https_proxy"].iter().any(|name| std::env::var_os(name).is_some());
    // The lab is on this machine, where no proxy has to help.
    let direct = "export NO_PROXY=127.0.0.1,localhost${NO_PROXY:+,$NO_PROXY}\n";
    Ok(if proxied { exports + direct } else { exports })
}
