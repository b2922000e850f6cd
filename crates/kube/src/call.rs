//! How does one call to the API server end?

use std::future::Future;
use std::time::Duration;

/// Why a call failed; one variant per reaction.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The API server could not answer; the same call may succeed later.
    #[error("{what}: API server unavailable: {problem}")]
    Unavailable {
        /// What was tried.
        what: String,
        /// What went wrong.
        problem: String,
        /// How long the server asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// Someone else changed or created the object; read it again and decide anew.
    #[error("{what}: changed by someone else meanwhile")]
    Conflict {
        /// What was tried.
        what: String,
    },
    /// The object does not exist.
    #[error("{what}: not found")]
    Absent {
        /// What was tried.
        what: String,
    },
    /// The API server does not accept who we say we are; another credential is needed.
    #[error(
        "{what}: the credential is not accepted ({problem}); log in again, or name another kubeconfig or context"
    )]
    Unknown {
        /// What was tried.
        what: String,
        /// The server's words.
        problem: String,
    },
    /// The service account lacks a right; an operator must grant it.
    #[error("{what}: {problem}; grant the right to podid's service account (deploy/infra)")]
    Forbidden {
        /// What was tried.
        what: String,
        /// The server's words.
        problem: String,
    },
    /// The server refuses the object; trying again cannot help.
    #[error("{what}: refused: {problem}")]
    Refused {
        /// What was tried.
        what: String,
        /// The server's words.
        problem: String,
    },
}

/// Waits for `call` at most `limit`; `what` names it in errors, such as `create AzureAssignedIdentity ns/name`.
pub(crate) async fn bounded<T>(
    what: impl Fn() -> String,
    limit: Duration,
    call: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, CallError> {
    match tokio::time::timeout(limit, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(judge(what(), error)),
        Err(_) => Err(CallError::Unavailable {
            what: what(),
            problem: format!("no answer within {} s", limit.as_secs_f32()),
            retry_after: None,
        }),
    }
}

fn judge(what: String, error: kube::Error) -> CallError {
    let status = match error {
        kube::Error::Api(status) => status,
        other => return CallError::Unavailable { what, problem: chain(&other), retry_after: None },
    };
    let problem = status.message.clone();
    match status.code {
        409 => CallError::Conflict { what },
        404 => CallError::Absent { what },
        401 => CallError::Unknown { what, problem },
        403 => CallError::Forbidden { what, problem },
        408 | 429 | 500.. => {
            let wait = status.details.as_ref().map_or(0, |details| details.retry_after_seconds);
            let retry_after = (wait > 0).then(|| Duration::from_secs(u64::from(wait)));
            CallError::Unavailable { what, problem, retry_after }
        }
        _ => CallError::Refused { what, problem },
    }
}

/// An error with its causes on one line; causes that only repeat what was said are left out.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}
