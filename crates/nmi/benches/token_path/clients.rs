//! Who asks, and how long does each answer take?
//!
//! Each client is a pod: it has an address of its own in 127/8, one connection that it keeps, and asks again as
//! soon as it is answered.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::runtime::Runtime;

use crate::place::Place;

/// Clients that ask at the same time.
pub(crate) const COUNT: usize = 32;

/// What the SDKs send, less the headers that nobody looks at.
const REQUEST: &[u8] = b"GET /metadata/identity/oauth2/token?api-version=2018-02-01\
    &resource=https%3A%2F%2Fvault.azure.net HTTP/1.1\r\n\
    Host: 169.254.169.254\r\nMetadata: true\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n";

/// Clients with open connections to one server.
pub(crate) struct Clients {
    runtime: Runtime,
    connections: Vec<Connection>,
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// The address of the client, and of its pod.
pub(crate) fn address(number: usize) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(127, 1, 0, u8::try_from(number + 1).unwrap()))
}

// === impl Clients ===

impl Clients {
    /// Connects all clients to the server.
    pub(crate) fn connect(place: &Place) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let connections = runtime.block_on(join_all((0..COUNT).map(|number| async move {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind((address(number), 0).into()).unwrap();
            let stream = socket.connect(place.address).await.unwrap();
            stream.set_nodelay(true).unwrap();
            Connection { stream, buffer: vec![0; 16 * 1024] }
        })));
        Self { runtime, connections }
    }

    /// Asks `requests` times in all, and gives how long each took.
    pub(crate) fn ask(&mut self, requests: usize) -> Vec<Duration> {
        let each = requests / COUNT;
        let asking = self.connections.iter_mut().map(|connection| async move {
            let mut latencies = Vec::with_capacity(each);
            for _ in 0..each {
                let begun = Instant::now();
                connection.ask().await;
                latencies.push(begun.elapsed());
            }
            latencies
        });
        self.runtime.block_on(join_all(asking)).concat()
    }

    /// The body of one answer.
    pub(crate) fn answer(mut self) -> Bytes {
        let connection = &mut self.connections[0];
        let body = self.runtime.block_on(connection.ask());
        Bytes::copy_from_slice(&connection.buffer[body])
    }
}

// === impl Connection ===

impl Connection {
    /// Asks once and reads the whole answer; gives where its body lies in the buffer.
    async fn ask(&mut self) -> std::ops::Range<usize> {
        self.stream.write_all(REQUEST).await.unwrap();
        let mut filled = 0;
        loop {
            let read = self.stream.read(&mut self.buffer[filled..]).await.unwrap();
            assert!(read > 0, "the server hung up");
            filled += read;
            if let Some(body) = body(&self.buffer[..filled])
                && filled >= body.end
            {
                return body;
            }
        }
    }
}

/// Where the body of an answer will lie, once its headers are there.
fn body(answer: &[u8]) -> Option<std::ops::Range<usize>> {
    let start = answer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let headers = std::str::from_utf8(&answer[..start]).ok()?;
    assert!(headers.starts_with("HTTP/1.1 200 "), "{}", String::from_utf8_lossy(answer));
    let length: usize =
        headers.lines().find_map(|line| line.strip_prefix("content-length: "))?.parse().ok()?;
    Some(start..start + length)
}
