//! The arguments of `podid nmi`: the original's (peer contract §4.1) and a few of our own.

mod callers;
mod proof;
mod redirection;
mod running;
mod superseded;

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use podid_azure::cloud::{CUSTOM_FILE_VARIABLE, Cloud};
use podid_core::answer::Mode;
use podid_core::ids::{NodeName, ObjectRef};
use podid_core::request::Rules;
use podid_core::select::Matching;
use podid_nmi::cleanup::{Cleaned, cleanup};
use podid_nmi::{Config, Holds};
use podid_runtime::shutdown::Shutdown;
use podid_runtime::telemetry::follow;

use callers::CallerArgs;
use proof::Proof;
use redirection::Redirection;
use running::Running;
use superseded::Superseded;

/// Arguments of the node agent.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:\n  podid nmi --node NAME --kubeconfig FILE\n  podid nmi --cleanup\n\n\
It runs until a signal; the chart and podid manifests start it on every node.\n\n\
Exit codes: 0 ended after a signal, or the redirect is removed; 1 it could not start, or a part of it died; 2 wrong \
usage; 130 second signal.")]
#[allow(clippy::struct_excessive_bools, reason = "flags are independent of each other")]
pub struct Args {
    /// Name of the node that this agent serves
    #[arg(long, env = "NODE_NAME", value_name = "NAME", default_value = "", hide_default_value = true)]
    node: String,

    /// Who decides which identities a pod may use: standard (MIC's assignments) or managed (identities and bindings)
    #[arg(long, value_name = "MODE", default_value = "standard", value_parser = parse_mode, ignore_case = true)]
    operation_mode: Mode,

    /// Match only identities and bindings of the pod's own namespace; managed mode always does
    #[arg(long = "force-namespaced", alias = "forceNamespaced", value_name = "BOOL", num_args = 0..=1,
          require_equals = true, default_missing_value = "true")]
    force_namespaced: Option<bool>,

    /// Kubeconfig file; without it the agent uses the service account of its pod
    #[arg(long, env = "KUBECONFIG", value_name = "FILE")]
    kubeconfig: Option<PathBuf>,

    /// Address to accept redirected requests at; 127.0.0.1 means: there where the node allows it, else at the node's address
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    nmi_listen_address: Ipv4Addr,

    /// Port to accept redirected requests at
    #[arg(long, value_name = "PORT", default_value_t = 2579)]
    nmi_port: u16,

    /// Address of the metadata service
    #[arg(long, value_name = "ADDRESS", default_value_t = *Config::METADATA.ip())]
    metadata_ip: Ipv4Addr,

    /// Port of the metadata service
    #[arg(long, value_name = "PORT", default_value_t = Config::METADATA.port())]
    metadata_port: u16,

    /// Port of /healthz, /livez and /readyz
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    http_probe_port: u16,

    /// Port of /metrics
    #[arg(long, value_name = "PORT", default_value_t = 9090)]
    prometheus_port: u16,

    /// Refuse requests for instance metadata
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false",
          default_missing_value = "true", action = clap::ArgAction::Set)]
    block_instance_metadata: bool,

    /// Refuse requests without the header "Metadata: true"
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "true",
          default_missing_value = "true", action = clap::ArgAction::Set)]
    metadata_header_required: bool,

    /// Serve /host/token/, where any program of the node gets any pod's token
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false",
          default_missing_value = "true", action = clap::ArgAction::Set)]
    host_token_route: bool,

    /// With the next two: how long a request is held for an identity without any sign of an assignment (at most 50 s)
    #[arg(long, value_name = "COUNT", default_value_t = Holds::default().attempts_created)]
    retry_attempts_for_created: u32,

    /// Added to the former for an assignment that is under way
    #[arg(long, value_name = "COUNT", default_value_t = Holds::default().attempts_assigned)]
    retry_attempts_for_assigned: u32,

    /// Seconds that one attempt stands for
    #[arg(long, value_name = "SECONDS", default_value_t = Holds::default().interval.as_secs())]
    find_identity_retry_interval: u64,

    /// Watch only the assignments that carry this node's label
    #[arg(long = "enable-scale-features", alias = "enableScaleFeatures", value_name = "BOOL", num_args = 0..=1,
          require_equals = true, default_value = "true", default_missing_value = "true", action = clap::ArgAction::Set)]
    enable_scale_features: bool,

    /// Namespace of the agent's own pod
    #[arg(
        long,
        env = "POD_NAMESPACE",
        value_name = "NAMESPACE",
        default_value = "",
        hide_default_value = true
    )]
    pod_namespace: String,

    /// DaemonSet that runs the agent, in the namespace of its pod: when it is deleted, the redirect goes with the agent.
    /// Not watched if this or the namespace is empty; then the redirect stays closed until --cleanup
    #[arg(long, value_name = "NAME", default_value = "nmi")]
    daemonset_name: String,

    /// Key of a taint that new nodes have until the agent can answer their pods; the agent removes it when it is ready.
    /// Needs the right to get and patch nodes
    #[arg(long, value_name = "KEY", default_value = "", hide_default_value = true, value_parser = crate::taint::key)]
    startup_taint: String,

    /// Start on a node that uses kubenet, too
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false",
          default_missing_value = "true", action = clap::ArgAction::Set)]
    allow_network_plugin_kubenet: bool,

    /// The kubelet's file that tells whether it uses kubenet
    #[arg(long, value_name = "FILE", default_value = "/etc/default/kubelet")]
    kubelet_config: PathBuf,

    /// Cloud whose Entra service principals use
    #[arg(long, env = "CLOUD", value_name = "NAME", default_value = "AzurePublicCloud")]
    cloud: String,

    /// Host that an AzureIdentity may name as its adEndpoint, beside those of the Azure clouds; may be repeated
    #[arg(long, value_name = "HOST", value_delimiter = ',')]
    allowed_authority: Vec<String>,

    /// Text at the end of the User-Agent
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    custom_user_agent: String,

    /// Remove the redirect from this node, and exit; pods reach the metadata service again. An agent that runs is asked
    /// to do it, and stays without until it is started anew. Exit codes: 0 removed or nothing there, 1 not removed
    #[arg(long)]
    cleanup: bool,

    #[command(flatten)]
    redirection: Redirection,

    #[command(flatten)]
    proof: Proof,

    #[command(flatten)]
    callers: CallerArgs,

    #[command(flatten)]
    running: Running,

    #[command(flatten)]
    superseded: Superseded,

    #[command(flatten)]
    logging: crate::klog::Logging,
}

/// Runs the role until it is told to stop.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let _log = args.logging.init()?;
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    if args.cleanup {
        println!("{}", cleaned(runtime.block_on(cleanup())?));
        return Ok(ExitCode::SUCCESS);
    }
    args.superseded.report();
    args.callers.report(args.host_token_route);
    let config = args.config(namespaced_by_environment())?;
    runtime.block_on(async {
        let shutdown = Shutdown::on_signals().context("cannot listen for signals")?;
        follow(args.running.log_level_file()).context("cannot listen for SIGHUP")?;
        podid_nmi::run(config, shutdown).await?;
        Ok(ExitCode::SUCCESS)
    })
}

fn cleaned(cleaned: Cleaned) -> &'static str {
    match cleaned {
        Cleaned::Nothing => "there was no redirect",
        Cleaned::Leftover => "redirect removed",
        Cleaned::ByAgent => {
            "redirect removed by the NMI that runs on this node. It makes another one when it is started anew: \
             delete its DaemonSet if that is not wanted"
        }
    }
}

/// The original's variable for what `--forceNamespaced` says.
fn namespaced_by_environment() -> bool {
    std::env::var("FORCENAMESPACED").is_ok_and(|value| value == "true")
}

fn parse_mode(text: &str) -> Result<Mode, String> {
    match text.to_ascii_lowercase().as_str() {
        "standard" => Ok(Mode::Standard),
        "managed" => Ok(Mode::Managed),
        _ => Err("use standard or managed".to_owned()),
    }
}

// === impl Args ===

impl Args {
    fn config(&self, namespaced_by_environment: bool) -> anyhow::Result<Config> {
        if self.node.is_empty() {
            bail!("the node's name is missing; give --node NAME (in a pod: the field spec.nodeName)");
        }
        if self.operation_mode == Mode::Managed && self.force_namespaced == Some(false) {
            bail!("managed mode matches within a namespace only; leave out --forceNamespaced=false");
        }
        let namespaced = self.operation_mode == Mode::Managed
            || self.force_namespaced.unwrap_or(false)
            || namespaced_by_environment;
        let custom_cloud = std::env::var_os(CUSTOM_FILE_VARIABLE).map(PathBuf::from);
        let any = |port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
        Ok(Config {
            node: NodeName::new(self.node.as_str()),
            mode: self.operation_mode,
            matching: if namespaced { Matching::Namespaced } else { Matching::ClusterWide },
            listen: self.nmi_listen_address,
            port: self.nmi_port,
            metadata: SocketAddrV4::new(self.metadata_ip, self.metadata_port),
            probes: any(self.http_probe_port),
            metrics: any(self.prometheus_port),
            redirect: self.redirection.options(),
            rules: Rules {
                metadata_header_required: self.metadata_header_required,
                block_instance_metadata: self.block_instance_metadata,
                host_token_route: self.host_token_route,
                pass_through: self.callers.pass_through(),
            },
            kubeconfig: self.kubeconfig.clone().filter(|path| !path.as_os_str().is_empty()),
            own_assignments_only: self.enable_scale_features,
            self_test: self.proof.wanted(),
            callers: self.callers.config(),
            holds: Holds {
                attempts_created: self.retry_attempts_for_created,
                attempts_assigned: self.retry_attempts_for_assigned,
                interval: Duration::from_secs(self.find_identity_retry_interval),
            },
            daemon_set: self.daemon_set(),
            startup_taint: Some(self.startup_taint.clone()).filter(|key| !key.is_empty()),
            kubelet_config: (!self.allow_network_plugin_kubenet).then(|| self.kubelet_config.clone()),
            cloud: Cloud::parse(&self.cloud, custom_cloud.as_deref())?,
            allowed_authorities: self.allowed_authority.clone(),
            user_agent: user_agent(&self.custom_user_agent),
            running: self.running.config(),
        })
    }

    fn daemon_set(&self) -> Option<ObjectRef> {
        let (namespace, name) = (self.pod_namespace.as_str(), self.daemonset_name.as_str());
        (!namespace.is_empty() && !name.is_empty()).then(|| ObjectRef::new(namespace, name))
    }
}

/// As the original writes it, so that logs of Azure can be searched as before.
fn user_agent(custom: &str) -> String {
    format!("aad-pod-identity/NMI/podid-{} {custom}", env!("CARGO_PKG_VERSION")).trim_end().to_owned()
}

#[cfg(test)]
mod page;
#[cfg(test)]
mod tests;
