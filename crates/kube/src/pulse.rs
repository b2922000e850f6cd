//! When did the API server last answer?
//!
//! A quiet cluster has no changes to tell for hours. But every watch begins anew after some minutes, so that an
//! API server that is well answers at least that often.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kube::Client;
use tokio::time::Instant;
use tower::{BoxError, service_fn};

/// When the last answer to one client came. Clones share it.
#[derive(Clone, Debug)]
pub struct Pulse {
    last: Arc<Mutex<Instant>>,
}

// === impl Pulse ===

impl Pulse {
    /// As if an answer had come just now.
    pub fn new() -> Self {
        Self { last: Arc::new(Mutex::new(Instant::now())) }
    }

    /// The same client, whose answers are noted.
    pub fn of(client: Client) -> (Client, Self) {
        let pulse = Self::new();
        let noting = pulse.clone();
        let ask = move |request| {
            let (client, noting) = (client.clone(), noting.clone());
            async move {
                let answer = client.send(request).await?;
                if answer.status().is_success() {
                    noting.beat();
                }
                Ok::<_, BoxError>(answer)
            }
        };
        (Client::new(service_fn(ask), ""), pulse)
    }

    /// How long ago that was.
    pub fn age(&self) -> Duration {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    fn beat(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

impl Default for Pulse {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use http::{Request, Response, StatusCode};
    use kube::client::Body;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_a_good_answer_is_a_sign_of_life() {
        let status = Arc::new(Mutex::new(StatusCode::OK));
        let says = status.clone();
        let server = service_fn(move |_: Request<Body>| {
            let response = Response::builder().status(*says.lock().unwrap()).body(Body::empty()).unwrap();
            async move { Ok::<_, BoxError>(response) }
        });
        let (client, pulse) = Pulse::of(Client::new(server, "default"));
        let ask = async || {
            let request = Request::get("/api/v1/pods").body(Body::empty()).unwrap();
            client.send(request).await.unwrap();
        };
        tokio::time::advance(Duration::from_mins(1)).await;
        assert_eq!(pulse.age(), Duration::from_mins(1));
        ask().await;
        assert_eq!(pulse.age(), Duration::ZERO);
        tokio::time::advance(Duration::from_secs(5)).await;
        *status.lock().unwrap() = StatusCode::SERVICE_UNAVAILABLE;
        ask().await;
        assert_eq!(pulse.age(), Duration::from_secs(5));
    }
}
