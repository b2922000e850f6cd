//! How is etcd run, and how is its history thrown away?

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::error::{Failure, StartError};
use crate::process::Process;

/// etcd's form of a unix socket: a file of this name in its working directory. No port can be taken by others then,
/// and nobody else may ask it.
const SOCKET: &str = "client:0";
/// How the API server, which runs in the same folder, reaches it.
pub(crate) const ADDRESS: &str = "unix://client:0";
const PEERS: &str = "unix://peer:0";
/// No answer of etcd takes that long.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running etcd.
#[derive(Debug)]
pub(crate) struct Etcd {
    process: Process,
    socket: PathBuf,
}

#[derive(Deserialize)]
struct Answer {
    header: Header,
}

#[derive(Deserialize)]
struct Header {
    /// A number in a string, as gRPC's JSON has 64-bit numbers.
    revision: String,
}

// === impl Etcd ===

impl Etcd {
    /// Starts etcd in `folder`, in a process group of its own, that others join.
    pub(crate) fn start(program: &Path, folder: &Path) -> Result<Self, StartError> {
        let mut arguments = [
            "--name=testbed",
            "--data-dir=etcd",
            // Nobody misses the data after a power failure.
            "--unsafe-no-fsync",
            "--log-level=warn",
        ]
        .map(str::to_owned)
        .to_vec();
        arguments.extend([
            format!("--listen-client-urls={ADDRESS}"),
            format!("--advertise-client-urls={ADDRESS}"),
            format!("--listen-peer-urls={PEERS}"),
            format!("--initial-advertise-peer-urls={PEERS}"),
            format!("--initial-cluster=testbed={PEERS}"),
        ]);
        let process = Process::start("etcd", program, &arguments, folder, 0)?;
        Ok(Self { process, socket: folder.join(SOCKET) })
    }

    /// The process group that all programs of this control plane are in.
    pub(crate) fn group(&self) -> i32 {
        self.process.id()
    }

    pub(crate) fn until_ready(&mut self) -> Result<(), StartError> {
        let socket = self.socket.clone();
        self.process.until(|| ask(&socket, "GET", "/health", "").is_ok_and(|body| body.contains(r#""true""#)))
    }

    /// Throws away everything but the newest version of each object, and makes sure that there is a newer revision than
    /// any that a client has seen.
    pub(crate) fn compact(&self) -> Result<(), Failure> {
        let doing = || "compact etcd's history".to_owned();
        let call = |path: &str, body: &str| {
            ask(&self.socket, "POST", path, body)
                .map_err(|problem| Failure::Files { doing: doing(), problem })
        };
        // Base64 of "podid-testbed"; Kubernetes keeps its objects under /registry.
        let written = call("/v3/kv/put", r#"{"key":"cG9kaWQtdGVzdGJlZA=="}"#)?;
        let unexpected =
            || Failure::Unexpected { doing: doing(), answer: written.chars().take(200).collect() };
        let revision = serde_json::from_str::<Answer>(&written).map_err(|_| unexpected())?.header.revision;
        let compacted =
            call("/v3/kv/compaction", &format!(r#"{{"revision":"{revision}","physical":true}}"#))?;
        if compacted.contains(r#""header""#) {
            Ok(())
        } else {
            Err(Failure::Unexpected { doing: doing(), answer: compacted.chars().take(200).collect() })
        }
    }
}

/// The body of the answer of etcd's JSON gateway.
fn ask(socket: &Path, method: &str, path: &str, body: &str) -> std::io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let length = body.len();
    // With HTTP/1.0 the answer ends with the connection, and is not in chunks.
    write!(stream, "{method} {path} HTTP/1.0\r\nHost: etcd\r\nContent-Length: {length}\r\n\r\n{body}")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
}
