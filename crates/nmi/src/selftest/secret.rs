//! What does only this process know?

use std::fmt::{self, Debug, Formatter, Write};
use std::net::{SocketAddr, SocketAddrV4};
use std::sync::Arc;

use http::{Request, StatusCode};
use ring::rand::{SecureRandom, SystemRandom};

use super::is_caller;
use crate::reply::{self, Reply};

/// Where the question is asked.
const PATH: &str = "/podid/selftest/";

/// A question and its answer, made of chance at the start of the process and kept in it. Clones share them.
#[derive(Clone)]
pub struct Secret {
    words: Arc<Words>,
}

struct Words {
    path: String,
    answer: String,
}

// === impl Secret ===

impl Secret {
    /// A new one. Fails only where the kernel gives no random numbers.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self { words: Arc::new(Words { path: format!("{PATH}{}", word()?), answer: word()? }) })
    }

    /// The request that asks.
    pub(super) fn question(&self, metadata: SocketAddrV4) -> String {
        let path = &self.words.path;
        format!("GET {path} HTTP/1.1\r\nHost: {metadata}\r\nConnection: close\r\n\r\n")
    }

    /// Whether these bytes are a response from this process.
    pub(super) fn is_answered_by(&self, response: &[u8]) -> bool {
        String::from_utf8_lossy(response).contains(&self.words.answer)
    }

    /// The response, where a request from `peer` is the question.
    pub fn answer<B>(&self, request: &Request<B>, peer: SocketAddr) -> Option<Reply> {
        let asked = is_caller(peer.ip()) && request.uri().path() == self.words.path;
        asked.then(|| reply::json(StatusCode::OK, format!(r#"{{"answer":"{}"}}"#, self.words.answer)))
    }
}

impl Debug for Secret {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// 128 bits that nobody guesses, in letters.
fn word() -> std::io::Result<String> {
    let mut bytes = [0_u8; 16];
    let none = |_| std::io::Error::other("the kernel gives no random numbers");
    SystemRandom::new().fill(&mut bytes).map_err(none)?;
    Ok(bytes.iter().fold(String::with_capacity(32), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::super::road::CALLER;
    use super::*;

    #[tokio::test]
    async fn only_the_process_that_asks_can_answer_and_only_the_test_is_answered() {
        let (ours, another) = (Secret::new().unwrap(), Secret::new().unwrap());
        let metadata = "169.254.169.254:80".parse().unwrap();
        let question = ours.question(metadata);
        let path = question.split(' ').nth(1).unwrap();
        let request = Request::get(path).body(()).unwrap();
        let caller = SocketAddr::from((CALLER, 40000));

        let answer = ours.answer(&request, caller).unwrap().into_body().collect().await.unwrap().to_bytes();
        assert!(ours.is_answered_by(&answer) && !another.is_answered_by(&answer));
        assert!(!ours.is_answered_by(question.as_bytes()), "an echo is no answer");
        assert!(ours.answer(&request, SocketAddr::from(([10, 244, 0, 7], 40000))).is_none());
        assert!(ours.answer(&Request::get(PATH).body(()).unwrap(), caller).is_none());
        assert!(another.answer(&request, caller).is_none());
        assert_eq!(format!("{ours:?}"), "Secret");
    }
}
