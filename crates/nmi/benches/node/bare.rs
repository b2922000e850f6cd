//! How fast can these bytes be sent behind the redirect when nobody decides anything?

use std::convert::Infallible;
use std::io::{Read, Write};
use std::net::SocketAddrV4;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use podid_lab::net::METADATA;
use podid_nmi::redirect::{Options, Redirect, Settings};
use tokio::net::TcpListener;

/// Tells the bench to be this server, at the address that follows.
pub(crate) const FLAG: &str = "--bare";

/// Answers everything with what comes from standard input, until it is killed.
pub(crate) fn run() {
    let listen = std::env::args().next_back().unwrap().parse().unwrap();
    let mut body = Vec::new();
    std::io::stdin().read_to_end(&mut body).unwrap();
    // As many threads as the agent has.
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let listener = SocketAddrV4::new(listen, 2579);
        let socket = TcpListener::bind(listener).await.unwrap();
        let settings =
            Settings { metadata: SocketAddrV4::new(METADATA, 80), listener, options: Options::default() };
        let mut redirect = Redirect::install(settings).await.unwrap();
        tokio::spawn(serve(socket, body.into()));
        std::io::stdout().write_all(b"!").unwrap();
        std::io::stdout().flush().unwrap();
        redirect.keep(std::future::pending()).await;
    });
}

async fn serve(listener: TcpListener, body: Bytes) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let body = body.clone();
        let service = service_fn(move |_| {
            let mut response = Response::new(Full::new(body.clone()));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            std::future::ready(Ok::<_, Infallible>(response))
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}
