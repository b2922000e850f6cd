//! The arguments of `podid mic`: the original's (peer contract §2.1) and a few of our own.

mod duration;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use podid_core::ids::ClientId;
use podid_core::select::Matching;
use podid_mic::{Cloud, Config, Lock};
use podid_runtime::shutdown::Shutdown;

/// Arguments of the controller.
#[derive(clap::Args)]
#[command(after_help = "\
Example:\n  podid mic --kubeconfig FILE --cloud-config /etc/kubernetes/azure.json\n\n\
It runs until a signal; the chart and podid manifests start it in a cluster. The environment variable \
MIC_POD_NAMESPACE has to name the namespace of its records.\n\n\
Exit codes: 0 ended after a signal, 1 it could not start, lost the leader lock, or a part of it died, 2 wrong \
usage, 130 second signal.")]
pub struct Args {
    /// Kubeconfig file; without it the controller uses the service account of its pod
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,

    /// Cloud configuration (azure.json); without it the environment variables CLOUD, TENANT_ID, … are read
    #[arg(long = "cloud-config", alias = "cloudconfig", value_name = "FILE")]
    cloud_config: Option<PathBuf>,

    /// Match only identities and bindings of the pod's own namespace
    #[arg(long = "force-namespaced", alias = "forceNamespaced", value_name = "BOOL", num_args = 0..=1,
          require_equals = true, default_missing_value = "true")]
    force_namespaced: Option<bool>,

    /// Namespace of the leader lock
    #[arg(long, value_name = "NAMESPACE", default_value = "default")]
    leader_election_namespace: String,

    /// Name of the leader lock
    #[arg(long, value_name = "NAME", default_value = "aad-pod-identity-mic")]
    leader_election_name: String,

    /// This replica's name in the leader lock; the host's name unless given
    #[arg(long, value_name = "NAME")]
    leader_election_instance: Option<String>,

    /// How long the leader lock is respected after its last renewal
    #[arg(long, value_name = "DURATION", default_value = "15s", value_parser = duration::parse)]
    leader_election_duration: Duration,

    /// Also hold the lock of the original (an Endpoints object), so that its controller stays away
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "true",
          default_missing_value = "true", action = clap::ArgAction::Set)]
    legacy_lock: bool,

    /// Port of /healthz, /livez and /readyz
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    http_probe_port: u16,

    /// Port of /metrics
    #[arg(long, value_name = "PORT", default_value_t = 8888)]
    prometheus_port: u16,

    /// Client ids of identities that are never taken off a VM or scale set
    #[arg(long, value_name = "CLIENT_ID,…", value_delimiter = ',')]
    immutable_user_msis: Vec<String>,

    /// Record writes at the same time
    #[arg(long = "create-delete-batch", alias = "createDeleteBatch", value_name = "COUNT", default_value_t = 20,
          value_parser = clap::value_parser!(u16).range(1..))]
    create_delete_batch: u16,

    /// How often each VM or scale set is compared with what should be there
    #[arg(long, value_name = "DURATION", default_value = "3m", value_parser = duration::parse)]
    identity_assignment_reconcile_interval: Duration,

    /// How often everything is planned again, in case a change was missed
    #[arg(long = "sync-retry-duration", alias = "syncRetryDuration", value_name = "DURATION", default_value = "3600s",
          value_parser = duration::parse)]
    sync_retry_duration: Duration,

    /// First wait of an identity that ARM refuses; it doubles up to 10 minutes
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = duration::parse)]
    update_user_msi_retry_interval: Duration,

    /// When identities are put on VMs and scale sets: per-use, when a pod there needs them, or all-nodes, as soon as
    /// a binding names them, on all of them, so that no pod waits for Azure
    #[arg(long, value_name = "STRATEGY", value_enum, default_value_t = Strategy::PerUse)]
    assignment_strategy: Strategy,

    /// How long an identity that nobody uses any more stays on its VM or scale set; 10m spares a rolling restart
    /// its two writes to Azure
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration::parse_or_zero)]
    removal_delay: Duration,

    /// Appended to the user agent
    #[arg(long, value_name = "TEXT", default_value = "")]
    custom_user_agent: String,

    #[command(flatten)]
    without_effect: WithoutEffect,

    #[command(flatten)]
    logging: crate::klog::Logging,
}

/// When identities are put on VMs and scale sets.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Strategy {
    PerUse,
    AllNodes,
}

/// Flags of the original that are accepted and change nothing.
#[derive(clap::Args)]
struct WithoutEffect {
    #[arg(long = "enable-profile", alias = "enableProfile", hide = true, num_args = 0..=1, require_equals = true,
          default_missing_value = "true")]
    enable_profile: Option<bool>,
    #[arg(long = "enable-scale-features", alias = "enableScaleFeatures", hide = true, num_args = 0..=1,
          require_equals = true, default_missing_value = "true")]
    enable_scale_features: Option<bool>,
    #[arg(long = "client-qps", alias = "clientQps", hide = true)]
    client_qps: Option<f32>,
    #[arg(long, hide = true)]
    config_map_name: Option<String>,
    #[arg(long, hide = true)]
    type_upgrade_status_key: Option<String>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    enable_type_upgrade: Option<bool>,
    #[arg(long, hide = true)]
    update_user_msi_max_retry: Option<u32>,
}

/// Runs the controller until it is told to stop.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let _log = args.logging.init()?;
    let config = args.config(|name| std::env::var(name).ok())?;
    args.without_effect.say();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let shutdown = Shutdown::on_signals().context("cannot listen for signals")?;
        // Its messages tell their causes themselves; the chain would tell them twice.
        podid_mic::run(config, shutdown).await.map_err(|error| anyhow!("{error}"))?;
        Ok(ExitCode::SUCCESS)
    })
}

// === impl Args ===

impl Args {
    fn config(&self, variable: impl Fn(&str) -> Option<String>) -> anyhow::Result<Config> {
        let Some(namespace) = variable("MIC_POD_NAMESPACE").filter(|name| !name.is_empty()) else {
            bail!(
                "environment variable MIC_POD_NAMESPACE is not set; set it to the namespace of this pod \
                 (fieldRef metadata.namespace), where podid keeps its ownership record"
            );
        };
        let namespaced = self.force_namespaced.unwrap_or_default()
            || variable("FORCENAMESPACED").is_some_and(|value| value == "true");
        let immutable = self.immutable_user_msis.iter().filter_map(|text| ClientId::parse(text).ok());
        let port = |port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
        Ok(Config {
            kubeconfig: self.kubeconfig.clone().filter(|path| !path.as_os_str().is_empty()),
            cloud: match &self.cloud_config {
                Some(path) if !path.as_os_str().is_empty() => Cloud::File(path.clone()),
                _ => Cloud::Environment,
            },
            namespace,
            matching: if namespaced { Matching::Namespaced } else { Matching::ClusterWide },
            strategy: match self.assignment_strategy {
                Strategy::PerUse => podid_core::strategy::Strategy::PerUse,
                Strategy::AllNodes => podid_core::strategy::Strategy::AllNodes,
            },
            lock: Lock {
                namespace: self.leader_election_namespace.clone(),
                name: self.leader_election_name.clone(),
                identity: self.instance()?,
                duration: self.leader_election_duration,
                legacy: self.legacy_lock,
            },
            probes: port(self.http_probe_port),
            metrics: port(self.prometheus_port),
            immutable: immutable.collect(),
            batch: self.create_delete_batch.into(),
            compare: self.identity_assignment_reconcile_interval,
            check: self.sync_retry_duration,
            refused: self.update_user_msi_retry_interval,
            stay: self.removal_delay,
            user_agent: Some(self.custom_user_agent.clone()).filter(|text| !text.is_empty()),
        })
    }

    fn instance(&self) -> anyhow::Result<String> {
        if let Some(name) = self.leader_election_instance.clone().filter(|name| !name.is_empty()) {
            return Ok(name);
        }
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname")
            .context("cannot read the host's name; give --leader-election-instance NAME")?;
        Ok(name.trim().to_owned())
    }
}

// === impl WithoutEffect ===

impl WithoutEffect {
    /// Says once which of the given flags change nothing, and why.
    fn say(&self) {
        let given = [
            (self.enable_profile == Some(true), "enableProfile", "there is no profiling port"),
            (self.enable_scale_features.is_some(), "enableScaleFeatures", "they are always on"),
            (self.client_qps.is_some(), "clientQps", "the API server's own fairness limits the rate"),
            (self.enable_type_upgrade == Some(true), "enable-type-upgrade", "objects need no rewriting"),
            (
                self.update_user_msi_max_retry.is_some(),
                "update-user-msi-max-retry",
                "podid tries until it succeeds",
            ),
        ];
        for (_, flag, reason) in given.iter().filter(|(given, ..)| *given) {
            tracing::info!(flag, reason, "flag has no effect");
        }
    }
}

#[cfg(test)]
mod page;

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    fn config(arguments: &[&str], variables: &[(&str, &str)]) -> anyhow::Result<Config> {
        let arguments = ["podid", "mic"].iter().chain(arguments).map(Into::into).collect();
        let mut arguments = crate::goflags::normalise(arguments);
        arguments.remove(1);
        let variable = |name: &str| {
            variables.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned())
        };
        Cli::try_parse_from(arguments)?.args.config(variable)
    }

    const NAMESPACE: (&str, &str) = ("MIC_POD_NAMESPACE", "kube-system");

    #[test]
    fn flags_of_the_original_s_manifest_are_understood() {
        let arguments = [
            "-cloudconfig=/etc/kubernetes/azure.json",
            "--logtostderr",
            "-v=5",
            "-forceNamespaced=true",
            "--createDeleteBatch=7",
            "-clientQps=5",
            "-syncRetryDuration=1h",
            "--immutable-user-msis=AA, bb,",
            "-identity-assignment-reconcile-interval=90s",
            "--enableScaleFeatures=true",
            "--leader-election-instance=mic-0",
        ];
        let config = config(&arguments, &[NAMESPACE]).unwrap();
        assert!(
            matches!(config.cloud, Cloud::File(path) if path == std::path::Path::new("/etc/kubernetes/azure.json"))
        );
        assert_eq!((config.matching, config.batch), (Matching::Namespaced, 7));
        assert_eq!((config.compare, config.check), (Duration::from_secs(90), Duration::from_hours(1)));
        assert_eq!(config.immutable, ["aa", "BB"].map(|id| ClientId::parse(id).unwrap()));
        assert_eq!(config.lock.identity, "mic-0");
    }

    #[test]
    fn defaults_are_the_original_s() {
        let config = config(&[], &[NAMESPACE]).unwrap();
        assert!(matches!(config.cloud, Cloud::Environment));
        assert_eq!((config.probes.port(), config.metrics.port(), config.batch), (8080, 8888, 20));
        assert_eq!((&*config.lock.namespace, &*config.lock.name), ("default", "aad-pod-identity-mic"));
        assert_eq!((config.compare, config.lock.duration), (Duration::from_mins(3), Duration::from_secs(15)));
        assert_eq!(config.matching, Matching::ClusterWide);
        assert!(config.lock.legacy && !config.lock.identity.is_empty());
    }

    #[test]
    fn the_environment_can_force_namespaces_too() {
        let forced = |value| config(&[], &[NAMESPACE, ("FORCENAMESPACED", value)]).unwrap().matching;
        assert_eq!((forced("true"), forced("yes")), (Matching::Namespaced, Matching::ClusterWide));
    }

    #[test]
    fn the_namespace_of_the_pod_is_required() {
        let error = config(&[], &[]).unwrap_err().to_string();
        assert!(error.contains("MIC_POD_NAMESPACE"), "{error}");
    }

    #[test]
    fn an_unknown_flag_or_a_bad_duration_is_wrong_usage() {
        for bad in ["--no-such-flag", "--identity-assignment-reconcile-interval=3", "--createDeleteBatch=0"] {
            assert!(config(&[bad], &[NAMESPACE]).is_err(), "{bad}");
        }
    }
}
