//! Answers every connection to one address with a word, so that whoever gets it is known to have come through.
//!
//! `listen ADDRESS`, for example `listen 127.0.0.1:9099`. The stories run it in the network of a node, where it stands
//! for all that trusts 127.0.0.1 because no pod should reach it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(address) = std::env::args().nth(1) else {
        eprintln!("usage: listen ADDRESS");
        return ExitCode::from(2);
    };
    match listen(&address) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("listen {address}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn listen(address: &str) -> std::io::Result<()> {
    for connection in TcpListener::bind(address)?.incoming() {
        // The caller may be gone already; the next one may not.
        let _ = connection.and_then(|stream| answer(&stream));
    }
    Ok(())
}

/// Reads first: a connection that is closed over unread bytes may take the answer with it.
fn answer(mut stream: &TcpStream) -> std::io::Result<()> {
    let _ = stream.read(&mut [0; 4096])?;
    stream.write_all(b"reached")
}
