//! The arguments of `podid adopt`.

use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;
use podid_adopt::{Report, Settings, check};
use podid_azure::cloud::AllowedAuthorities;
use podid_console::{Format, exit};
use podid_core::adopt::Scope;
use podid_core::select::Matching;

use crate::access::Access;

/// How we call ourselves in requests.
const USER_AGENT: &str = concat!("podid-adopt/", env!("CARGO_PKG_VERSION"));

/// Commands for a cluster where aad-pod-identity is installed.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List what would change if podid took over; nothing is written
    #[command(after_help = "\
Every finding has a level: \"blocks\" must be dealt with before podid is installed, \"changes\" works differently \
with podid's defaults, \"note\" is good to know. Each says what to do, or which value switches back.\n\n\
Examples:\n  podid adopt check\n  podid adopt check -n shop -n billing -o json\n  podid adopt check --cluster-wide\n\n\
Exit codes: 0 nothing changes, 1 something blocks or changes, 2 wrong usage, 3 the cluster or a part of it could \
not be looked at and nothing else was found.")]
    Check(Check),
}

#[derive(clap::Args)]
struct Check {
    /// Look at this namespace only; may be repeated [default: all]
    #[arg(short, long, value_name = "NAMESPACE", value_delimiter = ',')]
    namespace: Vec<String>,
    /// podid will be installed with forceNamespaced=false, so that bindings match across namespaces
    #[arg(long)]
    cluster_wide: bool,
    /// Host that podid's agents will be told to allow as an adEndpoint; may be repeated
    #[arg(long, value_name = "HOST", value_delimiter = ',')]
    allowed_authority: Vec<String>,
    /// How to print the findings
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
    #[command(flatten)]
    access: Access,
}

/// Runs a command on adoption.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let Command::Check(check) = &args.command;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let report = match runtime.block_on(check.look()) {
        Ok(report) => report,
        Err(error) => {
            anstream::eprintln!("podid: {error:#}");
            return Ok(ExitCode::from(exit::NOT_LOOKED_AT));
        }
    };
    anstream::print!("{}", check.output.render(&report.json(), || report.table())?);
    Ok(exit_code(&report))
}

/// A change that was found is the answer, also where something else could not be seen.
fn exit_code(report: &Report) -> ExitCode {
    match (report.has_changes(), report.is_complete()) {
        (true, _) => ExitCode::from(exit::NOT_FINE),
        (false, false) => ExitCode::from(exit::NOT_LOOKED_AT),
        (false, true) => ExitCode::SUCCESS,
    }
}

// === impl Check ===

impl Check {
    async fn look(&self) -> anyhow::Result<Report> {
        let client = self.access.client(USER_AGENT).await?;
        let allowed = AllowedAuthorities::with(&self.allowed_authority);
        let refuses = |text: &str| allowed.check(text).err().map(|why| why.to_string());
        let matching = if self.cluster_wide { Matching::ClusterWide } else { Matching::Namespaced };
        let settings = Settings { scope: self.scope(), matching, refuses_authority: &refuses };
        Ok(check(&client, settings).await?)
    }

    fn scope(&self) -> Scope {
        match self.namespace.as_slice() {
            [] => Scope::All,
            names => Scope::Namespaces(names.iter().map(|name| name.as_str().into()).collect()),
        }
    }
}
