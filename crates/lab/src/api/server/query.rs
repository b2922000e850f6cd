//! What else does a request ask for, in its query and headers?

use std::time::Duration;

use form_urlencoded::parse;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName};
use serde_json::Value;

use super::super::catalogue::Kind;
use super::super::logs::LogOptions;
use super::super::selector::Selector;
use super::super::status::Status;
use super::super::store::DeleteOptions;
use super::super::table::Include;
use super::super::write::{Fields, Part, Write};

/// The query and headers of one request.
pub(super) struct Query {
    pairs: Vec<(String, String)>,
    headers: HeaderMap,
}

/// How the client wants to see objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    Objects,
    Table(Include),
}

// === impl Query ===

impl Query {
    pub(super) fn new(query: Option<&str>, headers: HeaderMap) -> Self {
        let pairs = parse(query.unwrap_or_default().as_bytes()).into_owned().collect();
        Self { pairs, headers }
    }

    pub(super) fn selector(&self, kind: &Kind) -> Result<Selector, Status> {
        let labels = Selector::labels(self.get("labelSelector").unwrap_or_default())?;
        labels.and_fields(kind, self.get("fieldSelector").unwrap_or_default())
    }

    pub(super) fn is_set(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value != "false" && value != "0")
    }

    /// The version to watch from; `None` means "begin with what is there".
    pub(super) fn version(&self) -> Result<Option<u64>, Status> {
        match self.get("resourceVersion") {
            None | Some("" | "0") => Ok(None),
            Some(text) => text.parse().map(Some).map_err(|_| {
                Status::bad_request(format!("resourceVersion: Invalid value: \"{text}\": it is not a number"))
            }),
        }
    }

    pub(super) fn timeout(&self) -> Duration {
        Duration::from_secs(self.number("timeoutSeconds").unwrap_or(3600))
    }

    pub(super) fn write(&self, part: Part) -> Result<Write, Status> {
        let fields = match self.get("fieldValidation") {
            Some("Strict") => Fields::Strict,
            Some("Ignore") => Fields::Ignore,
            None | Some("" | "Warn") => Fields::Warn,
            Some(other) => {
                return Err(Status::bad_request(format!(
                    "fieldValidation: Unsupported value: \"{other}\": supported values: \"Ignore\", \"Strict\", \"Warn\""
                )));
            }
        };
        Ok(Write { dry_run: self.dry_run()?, fields, part })
    }

    /// Options of a delete: those of the body win over those of the query.
    pub(super) fn delete(&self, body: &Value) -> Result<DeleteOptions, Status> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let dry_run = body["dryRun"].as_array().is_some_and(|list| !list.is_empty());
        Ok(DeleteOptions {
            grace_seconds: body["gracePeriodSeconds"].as_u64().or_else(|| self.number("gracePeriodSeconds")),
            uid: text(&body["preconditions"]["uid"]),
            resource_version: text(&body["preconditions"]["resourceVersion"]),
            dry_run: self.dry_run()? || dry_run,
        })
    }

    pub(super) fn log(&self) -> Result<LogOptions, Status> {
        let now = jiff::Timestamp::now();
        let seconds = self.number("sinceSeconds").and_then(|seconds| i64::try_from(seconds).ok());
        let since = match (seconds, self.get("sinceTime")) {
            (Some(seconds), _) => now.checked_sub(jiff::SignedDuration::from_secs(seconds)).ok(),
            (None, Some(time)) => {
                let wrong =
                    |error| Status::bad_request(format!("sinceTime: Invalid value: \"{time}\": {error}"));
                Some(time.parse().map_err(wrong)?)
            }
            (None, None) => None,
        };
        Ok(LogOptions {
            follow: self.is_set("follow"),
            tail_lines: self.number("tailLines").and_then(|lines| usize::try_from(lines).ok()),
            since,
            previous: self.is_set("previous"),
            timestamps: self.is_set("timestamps"),
        })
    }

    pub(super) fn view(&self) -> View {
        if !self.header(&ACCEPT).contains("as=Table") {
            return View::Objects;
        }
        View::Table(match self.get("includeObject") {
            Some("None") => Include::Nothing,
            Some("Object") => Include::Whole,
            _ => Include::Metadata,
        })
    }

    /// The type of the body without its parameters.
    pub(super) fn content_type(&self) -> &str {
        self.header(&CONTENT_TYPE).split(';').next().unwrap_or_default().trim()
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn dry_run(&self) -> Result<bool, Status> {
        match self.get("dryRun") {
            None | Some("") => Ok(false),
            Some("All") => Ok(true),
            Some(other) => Err(Status::bad_request(format!(
                "dryRun: Unsupported value: \"{other}\": supported values: \"All\""
            ))),
        }
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.parse().ok()
    }

    fn header(&self, name: &HeaderName) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}
