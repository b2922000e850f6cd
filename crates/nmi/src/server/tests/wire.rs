//! The same over a real connection.

use std::time::Duration;

use podid_runtime::http::serve;
use podid_runtime::shutdown::Shutdown;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::stage::{MARK, Stage, TOKEN, VAULT, pod};

/// A connection to an agent that takes 127.0.0.1 for a pod's address.
pub(super) struct Wire {
    stream: TcpStream,
    shutdown: Shutdown,
    server: JoinHandle<()>,
}

impl Wire {
    pub(super) async fn to(stage: &Stage) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (shutdown, server) = (Shutdown::new(), stage.server.clone());
        let handler = move |request, peer| server.handle(request, peer);
        let server = tokio::spawn(serve("token requests", listener, shutdown.clone(), handler));
        Self { stream: TcpStream::connect(address).await.unwrap(), shutdown, server }
    }

    pub(super) async fn write(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    /// The head of an answer and as many bytes of body as it announces.
    pub(super) async fn read(&mut self) -> (String, String) {
        let mut bytes = Vec::new();
        let head = loop {
            let mut byte = [0];
            self.stream.read_exact(&mut byte).await.unwrap();
            bytes.push(byte[0]);
            if bytes.ends_with(b"\r\n\r\n") {
                break String::from_utf8(bytes).unwrap().to_ascii_lowercase();
            }
        };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        self.stream.read_exact(&mut body).await.unwrap();
        (head, String::from_utf8(body).unwrap())
    }
}

fn request(headers: &str) -> String {
    format!("GET {TOKEN}?{VAULT} HTTP/1.1\r\nHost: 169.254.169.254\r\n{headers}\r\n")
}

#[tokio::test]
async fn one_connection_carries_probe_and_tokens_whatever_the_case_of_headers() {
    let stage = Stage::standard().await;
    stage.ready_pod("web", "127.0.0.1").await;
    let mut wire = Wire::to(&stage).await;
    wire.write(&format!("GET {TOKEN} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
    assert!(wire.read().await.0.starts_with("http/1.1 400 "));
    for header in ["Metadata: true\r\n", "metadata: true\r\n", "METADATA: true\r\n"] {
        wire.write(&request(header)).await;
        let (head, body) = wire.read().await;
        assert!(head.starts_with("http/1.1 200 ") && body.contains(MARK), "{header}{head}");
    }
}

#[tokio::test]
async fn what_is_no_http_or_no_path_is_refused_and_reaches_nobody() {
    let stage = Stage::standard().await;
    stage.ready_pod("web", "127.0.0.1").await;
    let requests = [
        "GET http://169.254.169.254/metadata/identity/oauth2/token?resource=r HTTP/1.1\r\nHost: x\r\nMetadata: true\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: x\r\nMetadata: true\r\n\r\n",
        "CONNECT 169.254.169.254:80 HTTP/1.1\r\nHost: x\r\nMetadata: true\r\n\r\n",
        "GET metadata/identity/oauth2/token HTTP/1.1\r\nHost: x\r\n\r\n",
        "nonsense\r\n\r\n",
    ];
    for request in requests.into_iter().skip(1) {
        let mut wire = Wire::to(&stage).await;
        wire.write(request).await;
        assert!(wire.read().await.0.starts_with("http/1.1 400 "), "{request}");
    }
    assert!(stage.imds.seen().is_empty());
    // A target with scheme and host names the same path as one without.
    let mut wire = Wire::to(&stage).await;
    wire.write(requests[0]).await;
    assert!(wire.read().await.0.starts_with("http/1.1 200 "));
}

#[tokio::test]
async fn a_hold_ends_when_the_caller_hangs_up() {
    let stage = Stage::standard().await;
    stage.cluster.apply_pod(pod("shop", "web", "127.0.0.1"));
    stage.settle().await;
    let mut wire = Wire::to(&stage).await;
    wire.write(&request("Metadata: true\r\n")).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let Wire { stream, shutdown, server } = wire;
    drop(stream);
    // Well before the hold would end by itself.
    let noticed = async {
        while !stage.metrics().contains("status_code=\"499\"} 1") {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), noticed).await.unwrap();
    shutdown.begin();
    server.await.unwrap();
}

/// W-56.
#[tokio::test]
async fn what_is_in_hand_is_finished_at_the_end() {
    let stage = Stage::standard().await;
    stage.ready_pod("web", "127.0.0.1").await;
    stage.imds.says(super::stage::Says::Late(Duration::from_millis(300)));
    let mut wire = Wire::to(&stage).await;
    wire.write(&request("Metadata: true\r\n")).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    stage.draining.begin();
    wire.shutdown.begin();
    let (head, body) = wire.read().await;
    assert!(head.starts_with("http/1.1 200 ") && body.contains(MARK));
    wire.server.await.unwrap();
}
