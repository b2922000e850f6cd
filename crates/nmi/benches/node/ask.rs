//! How does a pod ask, and what is it answered?

use std::ops::Range;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What the SDKs send, less the headers that nobody looks at.
const REQUEST: &[u8] = b"GET /metadata/identity/oauth2/token?api-version=2018-02-01\
    &resource=https%3A%2F%2Fvault.azure.net HTTP/1.1\r\n\
    Host: 169.254.169.254\r\nMetadata: true\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n";

/// A connection that a pod keeps.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer; its body lies in the connection's buffer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Seconds after which to ask again, if the answer says so.
    pub(crate) retry_after: Option<u64>,
    body: Range<usize>,
}

// === impl Connection ===

impl Connection {
    pub(crate) fn new(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        Self { stream, buffer: vec![0; 4 * 1024] }
    }

    /// Asks once and reads the whole answer.
    pub(crate) async fn ask(&mut self) -> Answer {
        self.send().await;
        self.receive().await
    }

    pub(crate) async fn send(&mut self) {
        self.stream.write_all(REQUEST).await.unwrap();
    }

    pub(crate) async fn receive(&mut self) -> Answer {
        let mut filled = 0;
        loop {
            let read = self.stream.read(&mut self.buffer[filled..]).await.unwrap();
            assert!(read > 0, "the server hung up");
            filled += read;
            if let Some(answer) = parse(&self.buffer[..filled])
                && filled >= answer.body.end
            {
                return answer;
            }
        }
    }

    /// The body of an answer to this connection's last request.
    pub(crate) fn body(&self, answer: &Answer) -> Vec<u8> {
        self.buffer[answer.body.clone()].to_vec()
    }
}

/// The answer, once its headers are there.
fn parse(bytes: &[u8]) -> Option<Answer> {
    let start = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let mut lines = std::str::from_utf8(&bytes[..start]).ok()?.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let (mut length, mut retry_after) = (0, None);
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        match name {
            "content-length" => length = value.parse().ok()?,
            "retry-after" => retry_after = value.parse().ok(),
            _ => {}
        }
    }
    Some(Answer { status, retry_after, body: start..start + length })
}
