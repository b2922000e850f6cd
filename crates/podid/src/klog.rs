//! Which klog flags are accepted, and what of them still means something?
//!
//! The original's manifests pass them (peer contract §2.1); only the verbosity and the format have
//! an effect here, logs always go to standard error.

use podid_runtime::telemetry::{Batch, Format};

/// Flags of klog and of the original's logging.
#[derive(clap::Args)]
pub struct Logging {
    /// Verbosity: 0 says what happened, 5 says why
    #[arg(short = 'v', long = "v", value_name = "LEVEL", default_value_t = 0)]
    pub verbosity: u8,

    /// Log format: text or json
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = parse_format)]
    pub log_format: Format,

    #[command(flatten)]
    ignored: Ignored,
}

/// Accepted so that old manifests still start; without effect.
#[derive(clap::Args)]
struct Ignored {
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    logtostderr: Option<bool>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    alsologtostderr: Option<bool>,
    #[arg(long, hide = true)]
    stderrthreshold: Option<String>,
    #[arg(long, hide = true)]
    vmodule: Option<String>,
    #[arg(long = "log_file", hide = true)]
    log_file: Option<String>,
    #[arg(long = "log_dir", hide = true)]
    log_dir: Option<String>,
    #[arg(long = "log_file_max_size", hide = true)]
    log_file_max_size: Option<String>,
    #[arg(long = "add_dir_header", hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    add_dir_header: Option<bool>,
    #[arg(long = "skip_headers", hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    skip_headers: Option<bool>,
    #[arg(long = "skip_log_headers", hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    skip_log_headers: Option<bool>,
    #[arg(long = "one_output", hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    one_output: Option<bool>,
    #[arg(long = "log_backtrace_at", hide = true)]
    log_backtrace_at: Option<String>,
}

impl Logging {
    /// Starts logging as the flags say, until what is returned is dropped.
    pub fn init(&self) -> anyhow::Result<Batch> {
        Ok(podid_runtime::telemetry::init(self.log_format, self.verbosity)?)
    }
}

fn parse_format(text: &str) -> Result<Format, String> {
    match text {
        "text" => Ok(Format::Text),
        "json" => Ok(Format::Json),
        _ => Err("use text or json".to_owned()),
    }
}
