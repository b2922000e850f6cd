//! The arguments of `podid explain`.

use std::process::ExitCode;

use podid_console::{Format, exit};
use podid_diagnose::explain;

/// What to explain.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:\n  podid explain no-binding\n  podid explain            # all codes\n  podid explain no-binding -o json\n\n\
Refusals of NMI, events and log lines of MIC and the answers of podid's commands end in such a code. The pages are \
part of podid; nothing is asked.\n\n\
Exit codes: 0 success, 1 the output could not be written, 2 wrong usage or no such code.")]
pub struct Args {
    /// The code, as it stands in a message [default: list all codes]
    code: Option<String>,
    /// How to print it
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
}

/// Prints the page of a code, or the list of all.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let text = match &args.code {
        None => args.output.render(&explain::list(), explain::table)?,
        Some(code) => match explain::find(code) {
            Ok(page) => args.output.render(&page.value(), || podid_console::page(page.text()))?,
            Err(unknown) => {
                anstream::eprintln!("podid: {unknown}");
                return Ok(ExitCode::from(exit::USAGE));
            }
        },
    };
    podid_console::print(&text)?;
    Ok(ExitCode::SUCCESS)
}
