//! How does a program that knows only Azure's names reach the simulated one, where nobody can give it an `/etc/hosts`?
//!
//! Through a proxy (`ALL_PROXY`, `HTTPS_PROXY`), which leads every `CONNECT` to one address.

use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

/// Leads whoever connects to `to`, whatever name they ask for, until the task is ended.
pub async fn serve(listener: TcpListener, to: SocketAddr) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(lead(stream, to));
    }
}

/// One client; its connection ends with the first thing that goes wrong.
async fn lead(stream: TcpStream, to: SocketAddr) -> std::io::Result<()> {
    let mut client = BufReader::new(stream);
    let mut line = String::new();
    while client.read_line(&mut line).await? > 2 {
        line.clear();
    }
    let mut server = TcpStream::connect(to).await?;
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}
