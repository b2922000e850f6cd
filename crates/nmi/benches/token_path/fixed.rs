//! How fast can these bytes be sent when nobody decides anything?

use std::convert::Infallible;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use podid_runtime::http::serve;
use podid_runtime::shutdown::Shutdown;
use tokio::net::TcpListener;
use tracing::Dispatch;

use crate::place::Place;

/// A bare hyper server that answers everything with `body`.
pub(crate) fn start_bare(body: Bytes) -> Place {
    Place::start(Dispatch::none(), |listener| serve_bare(listener, body))
}

/// The server that podid uses, with its limits, doing the same.
pub(crate) fn start_limited(body: Bytes) -> Place {
    Place::start(Dispatch::none(), |listener| {
        serve("bench", listener, Shutdown::new(), move |_, _| std::future::ready(answer(&body)))
    })
}

async fn serve_bare(listener: TcpListener, body: Bytes) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let body = body.clone();
        let service = service_fn(move |_| std::future::ready(Ok::<_, Infallible>(answer(&body))));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

fn answer(body: &Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.clone()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
