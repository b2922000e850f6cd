//! How does a call to an API server fail, and what does that call for?

/// Why a call failed. One variant for each thing that callers do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// There is no such object, or no such kind.
    #[error("{0}")]
    Absent(String),
    /// The object is there already, is another one by now, or was changed meanwhile.
    #[error("{0}")]
    Taken(String),
    /// The caller may not do that.
    #[error("{0}")]
    Forbidden(String),
    /// The request is wrong and will be tomorrow.
    #[error("{0}")]
    Refused(String),
    /// The server cannot be reached or cannot answer now; the same call may succeed later.
    #[error("{0}")]
    Unavailable(String),
}

// === impl Failure ===

impl From<kube::Error> for Failure {
    fn from(error: kube::Error) -> Self {
        let kube::Error::Api(status) = error else {
            return Self::Unavailable(chain(&error));
        };
        let message = if status.message.is_empty() { status.reason } else { status.message };
        match status.code {
            404 => Self::Absent(message),
            409 => Self::Taken(message),
            401 | 403 => Self::Forbidden(message),
            429 | 500.. => Self::Unavailable(message),
            _ => Self::Refused(message),
        }
    }
}

/// An error with its causes, each said once.
fn chain(error: &dyn std::error::Error) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_told_by_what_to_do_about_it() {
        let of = |code: u16| {
            let status = kube::core::Status::failure("why", "Reason").with_code(code);
            Failure::from(kube::Error::Api(status.boxed()))
        };
        let why = || "why".to_owned();
        assert_eq!(of(404), Failure::Absent(why()));
        assert_eq!(of(409), Failure::Taken(why()));
        assert_eq!((of(401), of(403)), (Failure::Forbidden(why()), Failure::Forbidden(why())));
        assert_eq!(of(422), Failure::Refused(why()));
        for code in [429, 500, 503] {
            assert_eq!(of(code), Failure::Unavailable(why()));
        }
    }
}
