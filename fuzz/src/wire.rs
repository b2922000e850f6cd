//! How are bytes sent, and what comes back?

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::time::timeout;

/// How long the other side may be silent before it is told that no more comes.
const SILENCE: Duration = Duration::from_millis(40);
/// How long it may take to hang up once it knows that. Longer than any hold of the agent under test.
const PATIENCE: Duration = Duration::from_secs(20);

/// What came back.
#[derive(Debug, Default)]
pub struct Heard {
    pub bytes: Vec<u8>,
    /// The other side hung up in the end.
    pub ended: bool,
}

/// Sends `input` over a connection of its own and listens until the other side hangs up.
pub async fn exchange(address: SocketAddr, input: &[u8]) -> anyhow::Result<Heard> {
    let (mut reading, mut writing) = TcpStream::connect(address).await?.into_split();
    let input = input.to_vec();
    // A server that has heard enough closes; what is left to send is of no use then.
    let sending = tokio::spawn(async move {
        let _ = writing.write_all(&input).await;
        writing
    });
    let mut heard = Heard::default();
    while let Ok(more) = timeout(SILENCE, read(&mut reading, &mut heard)).await {
        if !more {
            break;
        }
    }
    if !heard.ended {
        sending.abort();
        // Dropping the writing half says that no more comes.
        drop(sending.await);
        let rest = async { while read(&mut reading, &mut heard).await {} };
        let _ = timeout(PATIENCE, rest).await;
    }
    Ok(heard)
}

/// Whether there may be more. A reset is an end, too.
async fn read(from: &mut OwnedReadHalf, heard: &mut Heard) -> bool {
    let mut buffer = [0; 4096];
    match from.read(&mut buffer).await {
        Ok(0) | Err(_) => {
            heard.ended = true;
            false
        }
        Ok(count) => {
            heard.bytes.extend_from_slice(&buffer[..count]);
            true
        }
    }
}
