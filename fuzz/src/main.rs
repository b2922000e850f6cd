//! What did a run with these arguments find? (`cargo xtask fuzz`)

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use podid_fuzz::corpus;
use podid_fuzz::run::{Found, Until, by_chance, every_byte, replay};

/// Sends the node agent requests that nobody would write.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    target: Target,
}

#[derive(Subcommand)]
enum Target {
    /// Raw bytes on a connection to the token server
    Request {
        /// How long to send what comes of chance
        #[arg(long, value_name = "N", default_value_t = 60)]
        seconds: u64,
        /// Repeats the run that had this seed [default: another one each time]
        #[arg(long, value_name = "N")]
        seed: Option<u64>,
    },
}

fn main() -> ExitCode {
    let Target::Request { seconds, seed } = Cli::parse().target;
    match request(Duration::from_secs(seconds), seed) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("fuzz: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether nothing was found.
fn request(time: Duration, seed: Option<u64>) -> anyhow::Result<bool> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let seed = seed.unwrap_or_else(|| jiff::Timestamp::now().as_microsecond().unsigned_abs());
    println!("seed {seed}");
    Ok(told("the corpus", &runtime.block_on(replay())?)?
        && told("every byte", &runtime.block_on(every_byte())?)?
        && told("by chance", &runtime.block_on(by_chance(seed, Until::Over(time)))?)?)
}

/// Says what was found, and keeps it.
fn told(part: &str, found: &Found) -> anyhow::Result<bool> {
    println!(
        "{part}: {} inputs, {} kinds of answer, {} broke a rule",
        found.sent,
        found.kinds,
        found.broken.len()
    );
    for (input, wrong) in &found.broken {
        println!("{wrong}: {}", corpus::keep(input)?.display());
    }
    Ok(found.broken.is_empty())
}
