//! Sends one HTTP request exactly as written and prints the answer exactly as it came.
//!
//! `get ADDRESS TARGET [HEADER…]`, for example
//! `get 169.254.169.254:80 '/metadata//identity' 'Metadata: true'`. Clients that tidy paths up
//! cannot ask what an attacker asks; the stories use this in the lab's pods.

use std::io::{Read, Write, copy, stdout};
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, target, headers @ ..] = arguments.as_slice() else {
        eprintln!("usage: get ADDRESS TARGET [HEADER...]");
        return ExitCode::from(2);
    };
    match get(address, target, headers) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("get {address}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn get(address: &str, target: &str, headers: &[String]) -> std::io::Result<()> {
    let parsed = address.parse().map_err(std::io::Error::other)?;
    let mut stream = TcpStream::connect_timeout(&parsed, Duration::from_secs(5))?;
    let mut request = format!("GET {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    for header in headers {
        request.push_str(header);
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes())?;
    copy(&mut stream.take(1 << 20), &mut stdout())?;
    Ok(())
}
