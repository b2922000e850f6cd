//! The arguments of `podid crds`, and what it prints.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Subcommand, ValueEnum};
use podid_kube::definitions::{self, Applied, Wish};
use podid_kube::{Client, crd};
use serde_json::json;

use crate::access::Access;

/// How we call ourselves in requests.
const USER_AGENT: &str = concat!("podid-crds/", env!("CARGO_PKG_VERSION"));

/// Commands on the definitions in a cluster.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Create or upgrade the definitions, and wait until the API server serves them
    #[command(
        after_help = "One line per definition: created, configured or unchanged. Objects are not touched.\n\n\
Examples:\n  podid crds apply\n  podid crds apply --dry-run=server --context NAME\n  podid crds apply --managed\n\n\
Exit codes: 0 success, 1 the cluster refused or could not be asked, 2 wrong usage."
    )]
    Apply {
        #[command(flatten)]
        cluster: Cluster,
        /// "server" asks the API server what would come of it and changes nothing
        #[arg(long, value_enum, value_name = "STRATEGY", default_value_t = DryRun::None)]
        dry_run: DryRun,
        /// Go back to this podid's definitions where those of a newer one are in the cluster
        #[arg(long)]
        force: bool,
        /// How long to wait for each definition to be served, in seconds
        #[arg(long, value_name = "SECONDS", default_value_t = 60)]
        timeout: u64,
        /// Print the resulting definitions, or only their names
        #[arg(short, long, value_enum)]
        output: Option<Output>,
    },
    /// Show what apply would change
    #[command(
        after_help = "Example:\n  podid crds diff\n\nExit codes: 0 no differences, 1 differences, 2 wrong usage, or the cluster refused or could \
not be asked."
    )]
    Diff {
        #[command(flatten)]
        cluster: Cluster,
    },
}

#[derive(clap::Args)]
struct Cluster {
    #[command(flatten)]
    access: Access,
    /// Only what managed mode needs: without AzureAssignedIdentity
    #[arg(long)]
    managed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum DryRun {
    None,
    Server,
}

#[derive(Clone, Copy, ValueEnum)]
enum Output {
    Json,
    Yaml,
    Name,
}

/// Runs a command on the definitions.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    match &args.command {
        Command::Apply { cluster, dry_run, force, timeout, output } => {
            let wish = Wish { dry_run: *dry_run == DryRun::Server, force: *force };
            runtime.block_on(apply(cluster, wish, Duration::from_secs(*timeout), *output))
        }
        Command::Diff { cluster } => {
            // As kubectl has it: 1 is an answer, so an error is more than that.
            Ok(runtime.block_on(diff(cluster)).unwrap_or_else(|error| {
                anstream::eprintln!("podid: {error:#}");
                ExitCode::from(2)
            }))
        }
    }
}

async fn apply(
    cluster: &Cluster,
    wish: Wish,
    timeout: Duration,
    output: Option<Output>,
) -> anyhow::Result<ExitCode> {
    let client = cluster.client().await?;
    let mut all = Vec::new();
    for crd in cluster.definitions() {
        let applied = definitions::apply(&client, &crd, wish).await?;
        if !wish.dry_run {
            definitions::established(&client, &applied.name, timeout).await?;
        }
        match output {
            None => print_line(&applied, wish),
            Some(Output::Name) => anstream::println!("{}", full_name(&applied)),
            Some(Output::Json | Output::Yaml) => all.push(applied.after),
        }
    }
    let list = json!({"apiVersion": "v1", "kind": "List", "items": all});
    match output {
        Some(Output::Json) => anstream::println!("{}", serde_json::to_string_pretty(&list)?),
        Some(Output::Yaml) => anstream::print!("{}", podid_kube::manifests::document(&list)?),
        None | Some(Output::Name) => {}
    }
    Ok(ExitCode::SUCCESS)
}

async fn diff(cluster: &Cluster) -> anyhow::Result<ExitCode> {
    let client = cluster.client().await?;
    let mut found = ExitCode::SUCCESS;
    for crd in cluster.definitions() {
        // It shows what a forced apply would do as well; it changes nothing.
        let applied = definitions::apply(&client, &crd, Wish { dry_run: true, force: true }).await?;
        if let Some(difference) = applied.difference()? {
            anstream::print!("{difference}");
            found = ExitCode::from(1);
        }
    }
    Ok(found)
}

fn print_line(applied: &Applied, wish: Wish) {
    let note = if wish.dry_run { " (server dry run)" } else { "" };
    anstream::println!("{} {}{note}", full_name(applied), applied.outcome());
}

/// As kubectl names it.
fn full_name(applied: &Applied) -> String {
    format!("customresourcedefinition.apiextensions.k8s.io/{}", applied.name)
}

// === impl Cluster ===

impl Cluster {
    async fn client(&self) -> anyhow::Result<Client> {
        Ok(self.access.client(USER_AGENT).await?)
    }

    fn definitions(&self) -> Vec<podid_kube::definitions::CustomResourceDefinition> {
        let mut all = crd::definitions();
        if self.managed {
            all.retain(|crd| crd::MANAGED.contains(&crd.spec.names.plural.as_str()));
        }
        all
    }
}
