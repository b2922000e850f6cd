//! The arguments of `podid nmi` about what people and machines see of it.

use std::path::PathBuf;

use podid_nmi::audit::AuditLog;

/// What is written about requests.
#[derive(clap::Args)]
pub(super) struct Running {
    /// File to which one JSON object is added for each request about an identity: who asked, what was decided and why.
    /// "-" means standard output, "off" nothing. A file that is moved away is made anew
    #[arg(long, value_name = "FILE", default_value = "off", value_parser = parse_place)]
    audit_log: AuditLog,

    /// File that is read on SIGHUP: a verbosity as of --v, or directives as of `RUST_LOG`. Without the file, the level
    /// is as at the start again
    #[arg(long, value_name = "FILE", default_value = "/etc/podid/log-level")]
    log_level_file: PathBuf,
}

fn parse_place(text: &str) -> Result<AuditLog, String> {
    match text {
        "off" => Ok(AuditLog::Off),
        "-" => Ok(AuditLog::Stdout),
        "" => Err("name a file, - or off".to_owned()),
        path => Ok(AuditLog::File(path.into())),
    }
}

// === impl Running ===

impl Running {
    /// Where the log level is read when the process is told to.
    pub(super) fn log_level_file(&self) -> PathBuf {
        self.log_level_file.clone()
    }

    pub(super) fn config(&self) -> podid_nmi::Running {
        podid_nmi::Running { audit: self.audit_log.clone() }
    }
}
