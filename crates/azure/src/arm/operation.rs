//! Has the operation ended that a PATCH started?
//!
//! ARM answers a PATCH at once and names an address to look at (ARM documentation, "Track
//! asynchronous operations"). What that address answers tells by itself which of the two kinds it is,
//! so an address is all that has to be saved to finish an operation after a restart.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode, Uri};
use podid_core::ids::IdentityResourceId;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::call::Call;
use super::pace::{Bucket, Family, Verb};
use super::problem::Problem;
use super::{Error, Inner, Progress};
use crate::http::retry_after;

/// A change that ARM is at work on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    url: String,
    wait: Option<Duration>,
}

/// Looks in a row that may fail before the operation is left alone.
const FAILED_LOOKS: u32 = 5;

/// Shortest time between two looks where ARM names none.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);

// === impl Operation ===

impl Operation {
    /// The operation at an address that [`Operation::url`] gave earlier.
    pub fn saved(url: impl Into<String>) -> Self {
        Self { url: url.into(), wait: None }
    }

    /// The address to look at, to be saved.
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// Reads the answer to a PATCH that succeeded: done, or running at an address.
pub(super) fn started(answer: &Response<Bytes>, endpoint: &str) -> Result<Progress, Error> {
    let headers = answer.headers();
    let address = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let running =
        |url| Ok(Progress::Running(Operation { url: trusted(url, endpoint)?, wait: retry_after(headers) }));
    match address("azure-asyncoperation").or_else(|| address("location")) {
        Some(url) => running(url),
        None if answer.status() == StatusCode::ACCEPTED => Err(Error::malformed("an operation")),
        // A 200 or 201 without an operation is the changed resource itself.
        None => Ok(Progress::Done),
    }
}

/// An address that ARM named, if it is ARM's own: our token is sent there.
pub(super) fn trusted(url: &str, endpoint: &str) -> Result<String, Error> {
    let foreign = || Error::Unavailable {
        reason: "ARM names an address outside of itself, which is not followed".to_owned(),
        retry_after: None,
    };
    let parse = |text: &str| -> Option<(String, String)> {
        let uri: Uri = text.parse().ok()?;
        Some((uri.scheme_str()?.to_owned(), uri.authority()?.as_str().to_ascii_lowercase()))
    };
    let (scheme, host) = parse(url).ok_or_else(foreign)?;
    let (own_scheme, own_host) = parse(endpoint).ok_or_else(foreign)?;
    // Regional addresses such as westeurope.management.azure.com are ARM as well.
    let is_own = host == own_host || host.strip_suffix(&own_host).is_some_and(|rest| rest.ends_with('.'));
    if scheme == own_scheme && is_own && !host.contains('@') { Ok(url.to_owned()) } else { Err(foreign()) }
}

/// Reads an answer of an operation's address.
fn looked(
    answer: &Response<Bytes>,
    operation: &Operation,
    endpoint: &str,
    target: &str,
    sent: &[IdentityResourceId],
) -> Result<Progress, Error> {
    let headers = answer.headers();
    let document: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    let is_running = match document.get("status").and_then(Value::as_str) {
        Some("Succeeded") => false,
        Some("Failed" | "Canceled") => {
            let error = document.get("error").unwrap_or(&document);
            return Err(Problem::of(error).judge_operation(target, sent));
        }
        Some(_) => true,
        None => answer.status() == StatusCode::ACCEPTED,
    };
    if !is_running {
        return Ok(Progress::Done);
    }
    let url =
        next_address(headers).map_or_else(|| Ok(operation.url.clone()), |url| trusted(url, endpoint))?;
    Ok(Progress::Running(Operation { url, wait: retry_after(headers) }))
}

fn next_address(headers: &HeaderMap) -> Option<&str> {
    ["azure-asyncoperation", "location"].iter().find_map(|name| headers.get(*name)?.to_str().ok())
}

/// Time until the next look where ARM names none: so short that it adds little to what has `passed`
/// already, and never more than `longest`.
fn unasked(passed: Duration, longest: Duration) -> Duration {
    (passed / 20).max(SHORTEST_WAIT).min(longest)
}

impl Inner {
    /// Looks at `operation` until it ends or its time is up.
    pub(super) async fn watch(
        &self,
        target: &str,
        mut operation: Operation,
        sent: &[IdentityResourceId],
    ) -> Result<(), Error> {
        let begin = Instant::now();
        let mut failed_looks = 0;
        operation.url = trusted(&operation.url, &self.endpoint)?;
        loop {
            // A `Retry-After` of zero is no licence to spin.
            let asked = operation.wait.take().map(|asked| asked.max(SHORTEST_WAIT));
            let wait = asked.unwrap_or_else(|| unasked(begin.elapsed(), self.settings.poll));
            if begin.elapsed().saturating_add(wait) > self.settings.operation {
                return Err(Error::StillRunning { target: target.to_owned(), operation });
            }
            sleep(wait).await;
            match self.look(&operation, target, sent).await {
                Ok(Progress::Done) => return Ok(()),
                Ok(Progress::Running(next)) => (operation, failed_looks) = (next, 0),
                Err(error @ (Error::Throttled { .. } | Error::Unavailable { .. } | Error::Login(_))) => {
                    failed_looks += 1;
                    if failed_looks == FAILED_LOOKS {
                        tracing::debug!(target, %error, "the operation cannot be watched; it goes on without us");
                        return Err(Error::StillRunning { target: target.to_owned(), operation });
                    }
                    operation.wait = error.retry_after();
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn look(
        &self,
        operation: &Operation,
        target: &str,
        sent: &[IdentityResourceId],
    ) -> Result<Progress, Error> {
        let call = Call {
            method: Method::GET,
            url: operation.url.clone(),
            bucket: Bucket::of(target, Family::Operation, Verb::Read),
            body: None,
            about: target,
        };
        let answer = self.send(call, &[]).await?;
        looked(&answer, operation, &self.endpoint, target, sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARM: &str = "https://management.azure.com/";

    #[test]
    fn only_arms_own_addresses_are_followed() {
        let own = ["https://management.azure.com/x?y=z", "https://WestEurope.management.azure.com/x"];
        for url in own {
            assert_eq!(trusted(url, ARM).unwrap(), url);
        }
        let foreign = [
            "",
            "/relative",
            "http://management.azure.com/x",
            "https://evil.example/x",
            "https://evilmanagement.azure.com/x",
            "https://management.azure.com@evil.example/",
            "https://management.azure.com:8443/",
        ];
        for url in foreign {
            assert!(trusted(url, ARM).is_err(), "{url}");
        }
    }

    #[test]
    fn the_first_answer_tells_whether_and_where_to_look() {
        let answer = |status: u16, headers: &[(&str, &str)]| {
            let mut builder = Response::builder().status(status);
            for (name, value) in headers {
                builder = builder.header(*name, *value);
            }
            started(&builder.body(Bytes::new()).unwrap(), ARM)
        };
        let (status, location) =
            ("https://management.azure.com/status", "https://management.azure.com/location");
        let at = |url: &str| Progress::Running(Operation::saved(url));
        assert_eq!(answer(200, &[]).unwrap(), Progress::Done);
        assert_eq!(answer(200, &[("location", location)]).unwrap(), at(location));
        assert_eq!(answer(202, &[("location", location)]).unwrap(), at(location));
        let both = [("location", location), ("Azure-AsyncOperation", status)];
        assert_eq!(answer(202, &both).unwrap(), at(status));
        assert_eq!(answer(200, &both).unwrap(), at(status));
        let paced = answer(202, &[("location", location), ("retry-after", "7")]).unwrap();
        let wait = Some(Duration::from_secs(7));
        assert_eq!(paced, Progress::Running(Operation { url: location.to_owned(), wait }));
        assert!(answer(202, &[]).is_err());
        assert!(answer(202, &[("location", "https://evil.example/")]).is_err());
    }

    #[test]
    fn looks_are_frequent_at_first_and_rare_later() {
        let longest = Duration::from_secs(5);
        let cases = [(0, 100), (2_000, 100), (20_000, 1_000), (100_000, 5_000), (900_000, 5_000)];
        for (passed, wait) in cases {
            assert_eq!(unasked(Duration::from_millis(passed), longest), Duration::from_millis(wait));
        }
    }
}
