//! Which route does this path name?

use percent_encoding::percent_decode_str;

use crate::refusal::{Cause, Refusal};

/// Longest path that is looked at, in bytes.
const LONGEST: usize = 1024;

/// Identity paths of IMDS v2, which hand out the node's own credential.
const SECOND_GENERATION: [&str; 2] = ["getplatformmetadata", "issuecredential"];

/// What a plainly written path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Token,
    HostToken,
    Instance,
    Versions,
    /// Anything else under `/metadata`, and no identity path.
    Metadata,
    Other,
}

/// What nearly every request writes.
const TOKEN: &str = "/metadata/identity/oauth2/token";

/// The route of `written`, or why it has none.
pub(super) fn route(written: &str) -> Result<Route, Refusal> {
    if written == TOKEN {
        return Ok(Route::Token);
    }
    if !is_plain(written) {
        return Err(disguised(written));
    }
    let path = written.strip_suffix('/').unwrap_or(written);
    let below_metadata = match path.split_at_checked("/metadata".len()) {
        Some((first, rest)) if first.eq_ignore_ascii_case("/metadata") => rest,
        _ if path == "/host/token" => return Ok(Route::HostToken),
        _ => return Ok(Route::Other),
    };
    match below_metadata {
        "/identity/oauth2/token" => return Ok(Route::Token),
        "/instance" => return Ok(Route::Instance),
        "/versions" => return Ok(Route::Versions),
        deeper if deeper.starts_with("/instance/") => return Ok(Route::Instance),
        _ => {}
    }
    let folded = below_metadata.to_ascii_lowercase();
    let second_generation = || {
        Refusal::not_found(Cause::SecondVersion, "This IMDS knows version 1 of the identity endpoint only.")
    };
    if folded.starts_with("/v2/identity") {
        return Err(second_generation());
    }
    let Some(identity) = folded.strip_prefix("/identity") else {
        let below = folded.is_empty() || folded.starts_with('/');
        return Ok(if below { Route::Metadata } else { Route::Other });
    };
    if identity.strip_prefix('/').is_some_and(|name| SECOND_GENERATION.contains(&name)) {
        return Err(second_generation());
    }
    Err(Refusal::invalid(
        Cause::UnknownPath,
        "Invalid request: of the paths under /metadata/identity only /metadata/identity/oauth2/token is served.",
    ))
}

/// Whether two readers of this path cannot disagree about it: it begins with a slash and has no
/// encoded or unusual character, no empty segment but a last one, no dot segment, and no `;`, behind
/// which some servers see parameters that are not part of the path.
fn is_plain(written: &str) -> bool {
    written.len() <= LONGEST
        && written.starts_with('/')
        && !written.contains("//")
        && written.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@/".contains(&byte))
        && !written.split('/').any(|segment| segment == "." || segment == "..")
}

/// A path that two readers may read differently is nobody's path.
fn disguised(written: &str) -> Refusal {
    let shown: String = percent_decode_str(written).decode_utf8_lossy().chars().take(64).collect();
    Refusal::invalid(
        Cause::BadPath,
        format!(
            "Invalid request: the path {shown:?} is encoded, doubled, dotted, too long or has backslashes or semicolons; \
         write it plainly, such as /metadata/identity/oauth2/token."
        ),
    )
}
