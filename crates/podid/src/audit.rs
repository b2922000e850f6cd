//! The arguments of `podid audit`.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Subcommand, ValueEnum};
use jiff::Timestamp;
use podid_audit::cluster::{self, Picture};
use podid_audit::{
    Keep, Level, Output, Report, Run, Selection, Settings, Suppression, catalogue, input, rules,
};
use podid_console::{Format, exit};

use crate::access::Access;

/// How we call ourselves in requests.
const USER_AGENT: &str = concat!("podid-audit/", env!("CARGO_PKG_VERSION"));

/// Check that clusters, and what they are made from, are set up right
///
/// FILES are resources that were exported (PSRule's Export-AzRuleData, `az aks show`, `az resource list`), and ARM
/// templates with their parameter files: each a file, a folder, or a pattern such as '**/*.json'.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "\
Examples:\n  podid audit export/\n  podid audit aks.json -o sarif > podid.sarif\n  podid audit --cluster\n  \
podid audit --subscription ID\n  podid audit --rules\n  \
podid audit explain Azure.AKS.ManagedIdentity\n\n\
Exit codes: 0 no rule failed at the level of --fail-on or above, 1 one did, 2 wrong usage, 3 something could not be \
looked at (\"Not looked at\" says what) and nothing failed.")]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// What to look at: files, folders, patterns
    files: Vec<String>,
    /// Look at the live cluster, as kubectl finds it; nothing is written
    #[arg(long)]
    cluster: bool,
    #[command(flatten)]
    access: Access,
    /// Look at the AKS clusters of this subscription, in the name of the account that Azure's SDKs would find
    /// (`az login`, or variables such as AZURE_CLIENT_ID); nothing is written; may be repeated
    #[arg(long, value_name = "ID", value_delimiter = ',', value_parser = subscription_id)]
    subscription: Vec<String>,
    /// How to print what was found
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
    /// The set of rules to ask: Podid.Default, Podid.All, Azure.Default, Azure.Preview, Azure.All, a dated one
    /// such as Azure.GA_2024_06, or a file with a Baseline or options of PSRule
    #[arg(long, value_name = "NAME|FILE", default_value = "Podid.Default")]
    baseline: String,
    /// Ask only this rule, by name or reference, whatever the baseline says; may be repeated
    #[arg(long, value_name = "RULE", value_delimiter = ',')]
    rule: Vec<String>,
    /// Do not ask this rule; may be repeated
    #[arg(long, value_name = "RULE", value_delimiter = ',')]
    exclude: Vec<String>,
    /// A failure that does not matter, as RULE=TARGET, or a file with SuppressionGroups or options of PSRule; may be
    /// repeated
    #[arg(long, value_name = "RULE=TARGET|FILE")]
    suppress: Vec<String>,
    /// The lowest level of a failed rule that makes the exit code 1
    #[arg(long, value_enum, default_value_t = FailOn::Error)]
    fail_on: FailOn,
    /// Which records to print [default: problem for people, processed for programs]
    #[arg(long, value_enum)]
    show: Option<Keep>,
    /// List the rules instead
    #[arg(long)]
    rules: bool,
}

/// The id of a subscription; it becomes part of an address.
fn subscription_id(text: &str) -> Result<String, String> {
    let fits = text.len() == 36 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    if fits {
        Ok(text.to_owned())
    } else {
        Err("a subscription has an id such as 00000000-0000-0000-0000-000000000000: `az account list` shows it"
            .to_owned())
    }
}

#[derive(Subcommand)]
enum Command {
    /// Print the page of a rule: what it asks, why, and what to do
    #[command(after_help = "Example:\n  podid audit explain Azure.AKS.ManagedIdentity\n\n\
Exit codes: 0 success, 2 wrong usage or no such rule.")]
    Explain {
        /// The rule's name or reference
        rule: String,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum FailOn {
    Error,
    Warning,
    Information,
    Never,
}

/// Runs the audit.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if let Some(Command::Explain { rule }) = &args.command {
        return Ok(explain(rule));
    }
    if args.rules {
        anstream::print!("{}", catalogue::list(rules::all(), args.format())?);
        return Ok(ExitCode::SUCCESS);
    }
    let selection = match args.selection() {
        Ok(selection) => selection,
        Err(error) => return Ok(usage(&format!("{error:#}"))),
    };
    if args.files.is_empty() && args.subscription.is_empty() && !args.cluster {
        return Ok(usage(
            "there is nothing to look at: name files, folders or patterns, --cluster or --subscription; see podid audit --help",
        ));
    }
    let mut report = args.look(&selection)?;
    if args.cluster
        && let Err(error) = args.look_at_cluster(&selection, &mut report)
    {
        report.cannot_read("the cluster", format!("{error:#}"));
    }
    anstream::print!("{}", args.output.render(&report, Timestamp::now())?);
    if args.output != Output::Table {
        // The forms for programs hold records only.
        for unread in &report.unread {
            anstream::eprintln!("podid: not looked at: {}: {}", unread.what, unread.why);
        }
    }
    Ok(args.exit_code(&report))
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")
}

fn usage(message: &str) -> ExitCode {
    anstream::eprintln!("podid: {message}");
    ExitCode::from(exit::USAGE)
}

fn read(selection: &mut Selection, file: &str) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{file} cannot be read"))?;
    Ok(selection.read(Path::new(file), &text, Timestamp::now())?)
}

fn explain(name: &str) -> ExitCode {
    match rules::find(name) {
        Some(rule) => {
            anstream::print!("{}", rule.page);
            ExitCode::SUCCESS
        }
        None => usage(&format!("there is no rule {name:?}: `podid audit --rules` lists them")),
    }
}

// === impl Args ===

impl Args {
    fn format(&self) -> Format {
        match self.output {
            Output::Json => Format::Json,
            Output::Yaml => Format::Yaml,
            Output::Table | Output::Csv | Output::Nunit3 | Output::Sarif | Output::Markdown => Format::Table,
        }
    }

    fn selection(&self) -> anyhow::Result<Selection> {
        let mut selection =
            Selection { include: self.rule.clone(), exclude: self.exclude.clone(), ..Selection::default() };
        match self.baseline.parse() {
            Ok(baseline) => selection.baseline = baseline,
            Err(_) if Path::new(&self.baseline).is_file() => read(&mut selection, &self.baseline)?,
            Err(error) => return Err(error.into()),
        }
        for text in &self.suppress {
            match Suppression::parse(text) {
                Err(_) if Path::new(text).is_file() => read(&mut selection, text)?,
                parsed => selection.suppressions.push(parsed?),
            }
        }
        selection.check(&rules::all().collect::<Vec<_>>())?;
        Ok(selection)
    }

    fn look(&self, selection: &Selection) -> anyhow::Result<Report> {
        let keep = self.show.unwrap_or_else(|| self.output.keeps());
        let mut report = Report::default();
        report.notes.extend_from_slice(&selection.notes);
        let settings = Settings::default();
        let run = Run::new(rules::AZURE, selection, &settings, keep);
        input::files(&self.files, &run, &mut report);
        if !self.subscription.is_empty() {
            runtime()?.block_on(Box::pin(self.subscriptions(&run, &mut report)));
        }
        Ok(report)
    }

    async fn subscriptions(&self, run: &Run<'_, Settings>, report: &mut Report) {
        let arm = match input::log_in(USER_AGENT).await {
            Ok(arm) => arm,
            Err(error) => {
                return report.cannot_read(
                    format!("subscription {}", self.subscription.join(", ")),
                    error.to_string(),
                );
            }
        };
        for id in &self.subscription {
            input::subscription(&arm, id, run, report).await;
        }
    }

    fn look_at_cluster(&self, selection: &Selection, report: &mut Report) -> anyhow::Result<()> {
        let census = runtime()?.block_on(async {
            let client = self.access.client(USER_AGENT).await?;
            anyhow::Ok(cluster::look(&client).await?)
        })?;
        let picture = Picture::from(census);
        let keep = self.show.unwrap_or_else(|| self.output.keeps());
        cluster::audit(&picture, &Run::new(rules::LIVE, selection, &picture, keep), report);
        Ok(())
    }

    /// A failure that was found is the answer, also where something else could not be looked at.
    fn exit_code(&self, report: &Report) -> ExitCode {
        let level = match self.fail_on {
            FailOn::Error => Some(Level::Error),
            FailOn::Warning => Some(Level::Warning),
            FailOn::Information => Some(Level::Information),
            FailOn::Never => None,
        };
        ExitCode::from(match (report.fails(level), report.is_complete()) {
            (true, _) => exit::NOT_FINE,
            (false, false) => exit::NOT_LOOKED_AT,
            (false, true) => exit::FINE,
        })
    }
}
