//! May this be the answer to that input?
//!
//! Judged by rules written here anew: nothing of the agent's own parser is used.

use std::sync::LazyLock;

use regex::bytes::Regex;

use crate::agent::{IDENTITY, MARK};
use crate::wire::Heard;

/// A request line that may be answered with a token. It counts wherever it stands; in a body it is none, but then
/// there are only fewer tokens.
const TOKEN_LINE: &str = r"(?-u)GET (?:[A-Za-z][A-Za-z0-9+.-]*://[^/? \r\n]*)?/(?i:metadata)/identity/oauth2/token/?\?[^ \r\n]+ HTTP/1\.[01]";

/// The header without which there is no token.
const HEADER: &str = r"(?-u)(?i:metadata):[ \t]*true";

/// A header with which there is none, in the first request.
const FORWARDED: &str = r"(?-u)\A(?:[^\n]*[^\r\n][^\n]*\n)*?(?i:x-forwarded-for):";

/// The status line of an answer.
const STATUS: &str = r"(?-u)(?:^|\n)HTTP/1\.[01] (\d{3})";

/// What may be asked of IMDS for a pod that is not excepted.
const UPSTREAM: &str = r"^/metadata/identity/oauth2/token\?.*msi_res_id=[^&]*|^/(?i:metadata)/(?:instance(?:/[A-Za-z0-9._~!$&'()*+,=:@-]+)*|versions)/?(?:\?|$)";

/// Statuses that SDKs misread, or that say that nobody thought of this.
const NEVER: [&[u8]; 5] = [b"410", b"500", b"501", b"502", b"504"];

macro_rules! pattern {
    ($name:ident, $text:expr) => {
        static $name: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new($text).ok());
    };
}
pattern!(TOKEN_LINES, TOKEN_LINE);
pattern!(HEADERS, HEADER);
pattern!(FORWARDINGS, FORWARDED);
pattern!(STATUSES, STATUS);
pattern!(UPSTREAMS, UPSTREAM);

/// How often `pattern` is found; a pattern that is none finds nothing, which the tests would notice.
fn count(pattern: &LazyLock<Option<Regex>>, text: &[u8]) -> usize {
    pattern.as_ref().map_or(0, |pattern| pattern.find_iter(text).count())
}

/// What is wrong with this answer, if anything.
pub fn answer(input: &[u8], heard: &Heard) -> Result<(), String> {
    let given = occurrences(&heard.bytes, MARK.as_bytes());
    let lines = count(&TOKEN_LINES, input);
    let marked = count(&HEADERS, input) > 0;
    if given > lines || (given > 0 && !marked) {
        return Err(format!("{given} tokens for {lines} requests that may have one (header: {marked})"));
    }
    if given > 0 && lines == 1 && occurrences(input, b"HTTP/1") == 1 && count(&FORWARDINGS, input) > 0 {
        return Err("a token for a request that came through a proxy".to_owned());
    }
    if !heard.ended {
        return Err("neither a further answer nor a hang-up".to_owned());
    }
    if !heard.bytes.is_empty() && !heard.bytes.starts_with(b"HTTP/1.") {
        return Err("an answer that is no HTTP".to_owned());
    }
    match statuses(&heard.bytes).into_iter().find(|status| NEVER.contains(&status.as_slice())) {
        Some(status) => Err(format!("status {}", String::from_utf8_lossy(&status))),
        None => Ok(()),
    }
}

/// What is wrong with asking this of IMDS, if anything.
pub fn upstream(method: &str, target: &str) -> Result<(), String> {
    let path = target.split('?').next().unwrap_or_default();
    let climbs = path.split('/').any(|segment| segment == "." || segment == "..");
    let known = count(&UPSTREAMS, target.as_bytes()) > 0 && !climbs;
    // In a question about the machine it means nothing.
    let names_one = path.starts_with("/metadata/identity/");
    let foreign = names_one && !target.contains(IDENTITY);
    if method == "GET" && known && !foreign {
        return Ok(());
    }
    Err(format!("IMDS was asked {method} {target}"))
}

/// What an answer is remembered by: its statuses, and how its reasons begin.
pub fn kind(heard: &Heard) -> Vec<Vec<u8>> {
    let mut kind = statuses(&heard.bytes);
    let text = heard.bytes.split(|byte| *byte == b'{').skip(1);
    kind.extend(
        text.map(|reason| reason.iter().copied().filter(|byte| !byte.is_ascii_digit()).take(72).collect()),
    );
    kind
}

fn statuses(bytes: &[u8]) -> Vec<Vec<u8>> {
    let Some(pattern) = STATUSES.as_ref() else { return Vec::new() };
    pattern.captures_iter(bytes).filter_map(|found| Some(found.get(1)?.as_bytes().to_vec())).collect()
}

fn occurrences(text: &[u8], part: &[u8]) -> usize {
    text.windows(part.len()).filter(|window| *window == part).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKING: &[u8] =
        b"GET /metadata/identity/oauth2/token?resource=r HTTP/1.1\r\nHost: x\r\nMetadata: true\r\n\r\n";

    fn heard(text: &str) -> Heard {
        Heard { bytes: text.as_bytes().to_vec(), ended: true }
    }

    #[test]
    fn a_token_needs_the_route_the_header_and_a_query() {
        let token = heard(&format!("HTTP/1.1 200 OK\r\n\r\n{MARK}"));
        assert_eq!(answer(ASKING, &token), Ok(()));
        for (what, instead) in [
            ("identity/oauth2", "identity%2Foauth2"),
            ("identity/oauth2", "identity//oauth2"),
            ("Metadata: true", "Metadata: True"),
            ("Host: x", "X-Forwarded-For: x"),
            ("?resource=r", ""),
            ("GET", "POST"),
        ] {
            let input = String::from_utf8(ASKING.to_vec()).unwrap().replace(what, instead);
            assert!(answer(input.as_bytes(), &token).is_err(), "{input}");
        }
        let after_the_head = [ASKING, b"X-Forwarded-For: x\r\n"].concat();
        assert_eq!(answer(&after_the_head, &token), Ok(()));
        let two = heard(&format!("HTTP/1.1 200 OK\r\n\r\n{MARK}HTTP/1.1 200 OK\r\n\r\n{MARK}"));
        assert!(answer(ASKING, &two).is_err());
    }

    #[test]
    fn silence_other_languages_and_bare_errors_of_a_server_are_no_answers() {
        assert_eq!(answer(ASKING, &heard("")), Ok(()));
        assert_eq!(answer(ASKING, &heard("HTTP/1.1 400 Bad Request\r\n\r\n")), Ok(()));
        assert!(answer(ASKING, &Heard::default()).is_err());
        assert!(answer(ASKING, &heard("SSH-2.0")).is_err());
        assert!(answer(ASKING, &heard("HTTP/1.1 500 Internal Server Error\r\n\r\n")).is_err());
    }

    #[test]
    fn imds_hears_only_of_instance_metadata_versions_and_the_pods_own_identity() {
        let own = format!(
            "/metadata/identity/oauth2/token?api-version=2018-02-01&msi_res_id=x{IDENTITY}&resource=r"
        );
        for fine in [
            own.as_str(),
            "/metadata/instance?api-version=1",
            "/metadata/instance?msi_res_id=other",
            "/Metadata/instance/compute/",
            "/metadata/instance/..name",
            "/metadata/versions",
        ] {
            assert_eq!(upstream("GET", fine), Ok(()));
        }
        for (method, target) in [
            ("POST", "/metadata/instance"),
            ("GET", "/metadata/identity/oauth2/token?resource=r"),
            ("GET", "/metadata/identity/oauth2/token?msi_res_id=other&resource=r"),
            ("GET", "/metadata/instance/../identity/oauth2/token?resource=r"),
            ("GET", "/metadata/instance%2f..%2fidentity"),
            ("GET", "/metadata/identity/issuecredential"),
        ] {
            assert!(upstream(method, target).is_err(), "{method} {target}");
        }
    }
}
