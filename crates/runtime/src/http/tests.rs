//! Does the server hold its limits and drain as promised?

use std::sync::Arc;

use http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;

use super::*;

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = bind("test", ([127, 0, 0, 1], 0).into()).await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

fn say(text: impl Into<Bytes>) -> Response<Whole<Bytes>> {
    Response::new(Whole::new(text.into()))
}

const CLOSE: &str = "GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn the_handler_sees_path_and_peer() {
    let (listener, address) = listen().await;
    let shutdown = Shutdown::new();
    let server = tokio::spawn(serve("test", listener, shutdown.clone(), |request, peer| async move {
        say(format!("{} from {}", request.uri().path(), peer.ip()))
    }));
    assert!(ask(address, CLOSE).await.ends_with("/x from 127.0.0.1"));
    shutdown.begin();
    server.await.unwrap();
}

#[tokio::test]
async fn a_handler_that_panics_costs_its_own_connection_only() {
    let (listener, address) = listen().await;
    let shutdown = Shutdown::new();
    let server = tokio::spawn(serve("test", listener, shutdown.clone(), |request, _| async move {
        assert!(request.uri().path() != "/panic", "broken on purpose");
        say("fine")
    }));
    assert_eq!(ask(address, &CLOSE.replace("/x", "/panic")).await, "");
    assert!(ask(address, CLOSE).await.ends_with("fine"));
    shutdown.begin();
    server.await.unwrap();
}

/// W-43.
#[tokio::test]
async fn slow_headers_are_cut_off() {
    let (listener, address) = listen().await;
    let shutdown = Shutdown::new();
    let server = Server::new("test").header_timeout(Duration::from_millis(50));
    let server = tokio::spawn(server.serve(listener, shutdown.clone(), |_, _| async { say("fine") }));
    assert!(!ask(address, "GET /x HTTP/1.1\r\nHost: h\r\nX-Slow").await.contains("200"));
    shutdown.begin();
    server.await.unwrap();
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answer_loses_its_place() {
    let (listener, address) = listen().await;
    let shutdown = Shutdown::new();
    let server = Server::new("test").read_timeout(Duration::from_millis(100)).limits(Limits {
        all: 1,
        each: 1,
        reserve: 0,
    });
    // More than the system takes on its way.
    let handler = |request: Request<Incoming>, _| async move {
        say(if request.uri().path() == "/large" { vec![0; 32 << 20] } else { b"fine".to_vec() })
    };
    let server = tokio::spawn(server.serve(listener, shutdown.clone(), handler));
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(b"GET /large HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    let another = async {
        while !ask(address, CLOSE).await.ends_with("fine") {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), another).await.unwrap();
    drop(idle);
    shutdown.begin();
    server.await.unwrap();
}

#[tokio::test]
async fn oversized_headers_are_refused() {
    let (listener, address) = listen().await;
    let shutdown = Shutdown::new();
    let server = tokio::spawn(serve("test", listener, shutdown.clone(), |_, _| async { say("fine") }));
    let request = format!("GET /x HTTP/1.1\r\nHost: h\r\nX-Big: {}\r\n\r\n", "x".repeat(BUFFER));
    assert!(ask(address, &request).await.contains(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE.as_str()));
    shutdown.begin();
    server.await.unwrap();
}

/// A server whose handler says when it has a request and answers when it is let go.
struct Held {
    asked: Arc<Notify>,
    release: Arc<Notify>,
    address: SocketAddr,
    shutdown: Shutdown,
    server: tokio::task::JoinHandle<()>,
}

async fn hold(drain: Duration) -> Held {
    let (listener, address) = listen().await;
    let (asked, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let shutdown = Shutdown::new();
    let handler = {
        let (asked, release) = (asked.clone(), release.clone());
        move |_, _| {
            let (asked, release) = (asked.clone(), release.clone());
            async move {
                asked.notify_one();
                release.notified().await;
                say("late but fine")
            }
        }
    };
    let server = tokio::spawn(Server::new("test").drain(drain).serve(listener, shutdown.clone(), handler));
    Held { asked, release, address, shutdown, server }
}

#[tokio::test]
async fn a_request_in_hand_is_answered_while_new_connections_are_refused() {
    let held = hold(DRAIN).await;
    let answer = tokio::spawn(ask(held.address, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n"));
    held.asked.notified().await;
    held.shutdown.begin();
    while TcpStream::connect(held.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    held.release.notify_one();
    assert!(answer.await.unwrap().ends_with("late but fine"));
    held.server.await.unwrap();
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_up_the_drain() {
    let held = hold(DRAIN).await;
    let idle = TcpStream::connect(held.address).await.unwrap();
    held.shutdown.begin();
    held.server.await.unwrap();
    drop(idle);
}

#[tokio::test]
async fn the_drain_deadline_cuts_off_what_is_left() {
    let held = hold(Duration::from_millis(50)).await;
    let answer = tokio::spawn(ask(held.address, CLOSE));
    held.asked.notified().await;
    held.shutdown.begin();
    held.server.await.unwrap();
    assert_eq!(answer.await.unwrap(), "");
}

#[tokio::test]
async fn a_port_in_use_is_named_with_what_to_do() {
    let (_listener, address) = listen().await;
    let error = bind("probes", address).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "cannot listen on {address} for probes: the port is in use by another process; \
             stop that one or choose another port"
        )
    );
}

/// A connection to `address` from `peer`, which is some address of the loopback device.
async fn connect_from(peer: [u8; 4], address: SocketAddr) -> TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind((peer, 0).into()).unwrap();
    socket.connect(address).await.unwrap()
}

#[tokio::test]
async fn a_client_with_hundreds_of_connections_keeps_nobody_else_out() {
    let (listener, address) = listen().await;
    let shutdown = Shutdown::new();
    let server = tokio::spawn(serve("test", listener, shutdown.clone(), |_, _| async { say("fine") }));
    let most = Limits::default().each;
    let mut greedy = Vec::new();
    for _ in 0..most + 50 {
        greedy.push(connect_from([127, 0, 0, 2], address).await);
    }
    let mut modest = connect_from([127, 0, 0, 3], address).await;
    modest.write_all(CLOSE.as_bytes()).await.unwrap();
    let mut answer = String::new();
    modest.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("fine"), "{answer}");
    // Those beyond its share have been turned away with a reason, in the order in which they came.
    for mut refused in greedy.split_off(most) {
        answer.clear();
        refused.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 503 ") && head.contains("Retry-After"), "{head}");
        assert!(head.contains(&format!("Content-Length: {}", body.len())), "{head} {}", body.len());
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert!(body["error_description"].as_str().unwrap().contains("Close some"), "{body}");
    }
    // When it closes them, it is served again.
    drop(greedy);
    let again = async {
        loop {
            let mut stream = connect_from([127, 0, 0, 2], address).await;
            let mut answer = String::new();
            let sent = stream.write_all(CLOSE.as_bytes()).await;
            if sent.and(stream.read_to_string(&mut answer).await).is_ok() && answer.ends_with("fine") {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), again).await.unwrap();
    shutdown.begin();
    server.await.unwrap();
}

#[tokio::test]
async fn a_client_that_sends_its_headers_byte_by_byte_is_cut_off_all_the_same() {
    let (listener, address) = listen().await;
    let shutdown = Shutdown::new();
    let server = Server::new("test").header_timeout(Duration::from_millis(100));
    let server = tokio::spawn(server.serve(listener, shutdown.clone(), |_, _| async { say("fine") }));
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /x HTTP/1.1\r\nX-Slow: ").await.unwrap();
    while stream.write_all(b"x").await.is_ok() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    shutdown.begin();
    server.await.unwrap();
}

#[tokio::test]
async fn a_body_that_never_comes_holds_up_neither_the_answer_nor_the_connection() {
    let (listener, address) = listen().await;
    let shutdown = Shutdown::new();
    let server = tokio::spawn(serve("test", listener, shutdown.clone(), |_, _| async { say("fine") }));
    let answer = ask(address, "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000\r\n\r\nx").await;
    assert!(answer.ends_with("fine"), "{answer}");
    shutdown.begin();
    server.await.unwrap();
}

#[tokio::test]
async fn a_client_that_finds_the_server_full_is_not_told_that_it_is_to_blame() {
    let (listener, address) = listen().await;
    let shutdown = Shutdown::new();
    let server = Server::new("test").limits(Limits { all: 1, each: 1, reserve: 0 });
    let server = tokio::spawn(server.serve(listener, shutdown.clone(), |_, _| async { say("fine") }));
    let _only = connect_from([127, 0, 0, 2], address).await;
    let mut other = connect_from([127, 0, 0, 3], address).await;
    let mut answer = String::new();
    other.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("The server has as many"), "{answer}");
    shutdown.begin();
    server.await.unwrap();
}

#[tokio::test]
async fn whoever_was_let_in_before_the_shutdown_is_answered_and_told_that_it_was_the_last_time() {
    let (listener, address) = listen().await;
    let shutdown = Shutdown::new();
    let mut open = TcpStream::connect(address).await.unwrap();
    // Accepted by the kernel, and by nobody else, when the shutdown begins.
    let mut queued = Vec::new();
    for _ in 0..50 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
        queued.push(stream);
    }
    shutdown.begin();
    let server = Server::new("test").linger(Duration::from_secs(20));
    let server = tokio::spawn(server.serve(listener, shutdown, |_, _| async { say("fine") }));
    let mut answer = String::new();
    for mut stream in queued {
        answer.clear();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("fine") && answer.contains("connection: close"), "{answer}");
    }
    // One that is open and silent may bring its request, too.
    tokio::time::sleep(3 * QUIET).await;
    TcpStream::connect(address).await.unwrap_err();
    open.write_all(b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    answer.clear();
    open.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("fine") && answer.contains("connection: close"), "{answer}");
    server.await.unwrap();
}
