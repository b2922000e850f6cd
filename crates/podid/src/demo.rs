//! The arguments of `podid demo`.
//!
//! Those of both generations of the original are accepted: `--subscriptionid`, `--clientid` and
//! `--resourcegroup` of the tutorial, and the hyphenated ones of its later releases (peer contract §8).

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use podid_demo::{Config, VaultSecret};
use podid_runtime::shutdown::Shutdown;

/// Arguments of the demo application.
#[derive(clap::Args)]
#[command(after_help = "\
Example:\n  podid demo --subscriptionid ID --clientid ID --resourcegroup NAME\n\n\
It repeats its checks until a signal, and says in its log how each ended.\n\n\
Exit codes: 0 ended after a signal, 1 it could not start, 2 wrong usage.")]
pub struct Args {
    /// Subscription whose VMs are counted
    #[arg(long = "subscriptionid", alias = "subscription-id", value_name = "ID", default_value = "")]
    subscription: String,

    /// Client id of the identity that the pod is bound to
    #[arg(long = "clientid", alias = "identity-client-id", value_name = "ID", default_value = "")]
    client_id: String,

    /// Resource group whose VMs are counted
    #[arg(long = "resourcegroup", alias = "resource-group", value_name = "NAME", default_value = "")]
    resource_group: String,

    /// Audience of the tokens, and the address of ARM
    #[arg(long, value_name = "URL", default_value = "https://management.azure.com/")]
    resource_name: String,

    /// Key vault to read a secret from, by name or host name
    #[arg(long, value_name = "NAME", requires = "keyvault_secret_name")]
    keyvault_name: Option<String>,

    /// Secret to read from the key vault
    #[arg(long, value_name = "NAME", requires = "keyvault_name")]
    keyvault_secret_name: Option<String>,

    /// Pause between rounds, such as 100s, 1m30s or 100
    #[arg(long, value_name = "DURATION", default_value = "100s", value_parser = parse_duration)]
    period: Duration,

    /// Make one round; exit 0 only if every check succeeded
    #[arg(long)]
    once: bool,

    #[arg(long, env = "MY_POD_NAME", default_value = "", hide = true)]
    pod_name: String,
    #[arg(long, env = "MY_POD_NAMESPACE", default_value = "", hide = true)]
    pod_namespace: String,
    #[arg(long, env = "MY_POD_IP", default_value = "", hide = true)]
    pod_ip: String,

    #[command(flatten)]
    logging: crate::klog::Logging,
}

/// Runs the demo until it is told to stop, or for one round.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let _log = args.logging.init()?;
    say(&args.opening());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let succeeded = runtime.block_on(async {
        let shutdown = Shutdown::on_signals().context("cannot listen for signals")?;
        let rounds = podid_demo::run(args.config(), |line| say(&line), shutdown.begun());
        anyhow::Ok(rounds.await)
    })?;
    Ok(if succeeded || !args.once { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prints a line at once. Nobody may be reading any more, and that is no reason to stop.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

// === impl Args ===

impl Args {
    /// The first line: which pod this is, where the environment tells.
    fn opening(&self) -> String {
        let Self { pod_namespace, pod_name, pod_ip, .. } = self;
        if pod_name.is_empty() {
            return "starting demo, outside of a pod as far as MY_POD_NAME tells".to_owned();
        }
        format!("starting demo pod {pod_namespace}/{pod_name} {pod_ip}")
    }

    fn config(&self) -> Config {
        let vault = self.keyvault_name.as_ref().zip(self.keyvault_secret_name.as_ref());
        Config {
            subscription: self.subscription.clone(),
            resource_group: self.resource_group.clone(),
            client_id: self.client_id.clone(),
            resource: self.resource_name.clone(),
            secret: vault.map(|(vault, name)| VaultSecret::new(vault, name)),
            period: self.period,
            once: self.once,
            ..Config::default()
        }
    }
}

/// Reads a duration as Go writes it (`1m30s`, `1.5h`, `300ms`), or a plain number of seconds.
fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a duration; write for example 100s, 1m30s or 100");
    if let Ok(seconds) = text.parse() {
        return Ok(Duration::from_secs(seconds));
    }
    let mut rest = text;
    let mut total = 0.0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let (number, unit_on) = rest.split_at(end);
        let (seconds, unit) = UNITS.iter().find(|(_, unit)| unit_on.starts_with(unit)).ok_or_else(wrong)?;
        total += number.parse::<f64>().map_err(|_| wrong())? * seconds;
        rest = &unit_on[unit.len()..];
    }
    if text.is_empty() { Err(wrong()) } else { Duration::try_from_secs_f64(total).map_err(|_| wrong()) }
}

/// Go's units in seconds; those that begin like another one come first.
const UNITS: [(f64, &str); 7] =
    [(1e-9, "ns"), (1e-6, "us"), (1e-6, "µs"), (1e-3, "ms"), (1.0, "s"), (60.0, "m"), (3600.0, "h")];

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Demo {
        #[command(flatten)]
        args: Args,
    }

    fn config(arguments: &[&str]) -> Config {
        Demo::try_parse_from([&["demo"], arguments].concat()).unwrap().args.config()
    }

    #[test]
    fn both_generations_of_arguments_mean_the_same() {
        let first = config(&["--subscriptionid=s", "--clientid=c", "--resourcegroup=g"]);
        let second =
            config(&["--subscription-id", "s", "--identity-client-id", "c", "--resource-group", "g"]);
        for config in [first, second] {
            assert_eq!(config.subscription, "s");
            assert_eq!(config.client_id, "c");
            assert_eq!(config.resource_group, "g");
            assert_eq!(config.resource, "https://management.azure.com/");
            assert_eq!(config.period, Duration::from_secs(100));
            assert!(!config.once);
        }
    }

    #[test]
    fn a_vault_needs_a_secret_and_a_secret_needs_a_vault() {
        assert!(Demo::try_parse_from(["demo", "--keyvault-name=kv"]).is_err());
        assert!(Demo::try_parse_from(["demo", "--keyvault-secret-name=s"]).is_err());
        let secret = config(&["--keyvault-name=kv", "--keyvault-secret-name=s"]).secret.unwrap();
        assert_eq!((&*secret.vault, &*secret.url), ("kv", "https://kv.vault.azure.net"));
        let elsewhere = config(&["--keyvault-name=kv.vault.azure.cn", "--keyvault-secret-name=s"]);
        assert_eq!(elsewhere.secret.unwrap().url, "https://kv.vault.azure.cn");
    }

    #[test]
    fn the_first_line_names_the_pod_if_there_is_one() {
        let opening = |arguments: &[&str]| {
            Demo::try_parse_from([&["demo"], arguments].concat()).unwrap().args.opening()
        };
        let pod = ["--pod-name=demo", "--pod-namespace=my-app", "--pod-ip=10.0.0.7"];
        assert_eq!(opening(&pod), "starting demo pod my-app/demo 10.0.0.7");
        assert!(opening(&[]).starts_with("starting demo, outside"));
    }

    #[test]
    fn durations_are_read_as_go_writes_them() {
        let cases = [
            ("100s", 100_000),
            ("100", 100_000),
            ("1m30s", 90_000),
            ("1h0m0s", 3_600_000),
            ("1.5h", 5_400_000),
            ("300ms", 300),
            ("0", 0),
        ];
        for (text, milliseconds) in cases {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "s", "1x", "-1s", "1m30", ".", "1..5s", "1e999h", "µ"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
