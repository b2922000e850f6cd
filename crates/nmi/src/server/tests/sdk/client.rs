//! How does an SDK behave, as far as a server can tell? Its requests as bytes, its reading, its patience.

use std::time::Duration;

use serde_json::Value;

use super::super::stage::{Stage, TOKEN, Told, resource_id};
use super::recorded::{End, Probe, Sdk};

/// How a program names the identity that it wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Not at all.
    Any,
    /// By client id, where this is it.
    Client(&'static str),
    /// By the resource id of the identity of this name.
    Resource(&'static str),
    /// By object id, where this is it.
    Object(&'static str),
}

/// How asking for a token ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// Seconds that the SDK will use the token for, or the last answer if there is no token.
    pub(super) outcome: Result<u64, Told>,
    pub(super) tries: usize,
}

// === impl Sdk ===

impl Sdk {
    /// The target of a token request; none where the SDK cannot ask in this way.
    pub(super) fn target(&self, wanted: Wanted) -> Option<String> {
        let selector = match wanted {
            Wanted::Any => String::new(),
            Wanted::Client(id) => format!("client_id={id}"),
            Wanted::Object(id) => self.object_id.then(|| format!("object_id={id}"))?,
            Wanted::Resource(name) => {
                format!("{}={}", self.resource_id?, resource_id(name).as_str().replace('/', "%2F"))
            }
        };
        let part = |name: &&str| match *name {
            "api-version" => format!("api-version={}", self.api_version),
            "resource" => "resource=https%3A%2F%2Fvault.azure.net".to_owned(),
            _ => selector.clone(),
        };
        let parts: Vec<_> = self.query.iter().map(part).filter(|part| !part.is_empty()).collect();
        Some(format!("{TOKEN}?{}", parts.join("&")))
    }

    /// The token request, byte for byte.
    pub(super) fn request(&self, wanted: Wanted) -> Option<String> {
        Some(self.written(&self.target(wanted)?, true))
    }

    /// The request that comes before the first token, byte for byte.
    pub(super) fn probe(&self) -> Option<String> {
        Some(match self.probe? {
            Probe::Whole => self.written(&self.target(Wanted::Any)?, false),
            Probe::Path => self.written(TOKEN, false),
            Probe::PathWithMetadata => self.written(TOKEN, true),
            Probe::Version => self.written(&format!("{TOKEN}?api-version={}", self.api_version), false),
        })
    }

    fn written(&self, target: &str, metadata: bool) -> String {
        let mut lines = vec![format!("GET {target} HTTP/1.1")];
        lines.extend(self.headers.iter().map(ToString::to_string));
        lines.extend(metadata.then(|| format!("{}: true", self.metadata)));
        lines.join("\r\n") + "\r\n\r\n"
    }

    /// Seconds for which it uses a token that it reads `now` seconds after 1970, or why it refuses it.
    pub(super) fn read(&self, body: &str, now: i64) -> Result<u64, String> {
        let token: Value = serde_json::from_str(body).map_err(|error| error.to_string())?;
        let token = token.as_object().ok_or("no object")?;
        for field in self.needs {
            let value = token.get(*field).ok_or_else(|| format!("no {field}"))?;
            if value.as_str() == Some("") {
                return Err(format!("{field} is empty"));
            }
        }
        let last =
            if body.rfind("\"expires_on\"") > body.rfind("\"expires_in\"") { End::On } else { End::In };
        let end = if self.end == End::Last { last } else { self.end };
        let number = |field: &str| match &token[field] {
            Value::String(text) => text.parse::<i64>().ok(),
            Value::Number(number) if self.end != End::OnText => number.as_i64(),
            _ => None,
        };
        let left = match end {
            End::In => number("expires_in"),
            End::On | End::OnText | End::Last => number("expires_on").map(|on| on - now),
        };
        u64::try_from(left.ok_or("no end of life")?).map_err(|_| "taken as expired".to_owned())
    }

    /// Asks on the paused clock as often as it has the patience for.
    pub(super) async fn ask(&self, stage: &Stage, address: &str, wanted: Wanted) -> Ended {
        let target = self.target(wanted).unwrap();
        let mut pauses = self.pauses.iter();
        for tries in 1.. {
            let patience = Duration::from_secs(self.hangs_up.unwrap_or(u64::MAX / 2));
            let told = tokio::time::timeout(patience, stage.get(address, &target)).await;
            let told = told.unwrap_or_else(|_| panic!("{} hung up", self.name));
            let outcome = match told.status {
                200 => Ok(self
                    .read(&told.body, stage.now())
                    .unwrap_or_else(|why| panic!("{}: {why}", self.name))),
                _ => Err(told),
            };
            let Err(told) = outcome else { return Ended { outcome, tries } };
            let again = matches!(told.status, 500..=599) || told.status == 429 && self.after_429;
            let Some(pause) = pauses.next().filter(|_| again) else {
                return Ended { outcome: Err(told), tries };
            };
            let told_to_wait = told.retry_after().filter(|_| self.obeys).map(|text| text.parse().unwrap());
            tokio::time::sleep(Duration::from_secs_f64(told_to_wait.unwrap_or(*pause))).await;
        }
        unreachable!("the pauses come to an end")
    }
}
