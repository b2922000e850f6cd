//! Does a line hold a token?
//!
//! Tokens are JWTs: base64url of `{"`, which is `eyJ`, a dot, and the same again. None may appear in any output of
//! any test, whatever went wrong.

/// The least length of the two parts that make us sure.
const PART: usize = 16;

/// Whether `line` holds something that looks like a token.
pub(crate) fn holds_token(line: &str) -> bool {
    line.match_indices("eyJ").any(|(start, _)| {
        let (head, rest) = part(&line[start..]);
        let payload = rest.strip_prefix('.').filter(|payload| payload.starts_with("eyJ"));
        head.len() >= PART && payload.is_some_and(|payload| part(payload).0.len() >= PART)
    })
}

/// Splits after the base64url characters at the start.
fn part(text: &str) -> (&str, &str) {
    let is_base64url = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    text.split_at(text.find(|c| !is_base64url(c)).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_wherever_it_stands() {
        // Put together here, so that the output of a failure does not look like a leak itself.
        let token =
            ["eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9", "eyJhdWQiOiJodHRwczovL3ZhdWx0In0", "c2ln"].join(".");
        for line in
            [token.clone(), format!("Bearer {token}\""), format!("eyJ {{\"access_token\":\"{token}\"}} eyJ")]
        {
            assert!(holds_token(&line));
        }
    }

    #[test]
    fn what_only_begins_like_one_is_none() {
        let head = "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9";
        for line in ["", "eyJ", "eyJ.eyJ.sig", "keyJab.eyJcd", head, &format!("{head}.[redacted]")] {
            assert!(!holds_token(line), "{line}");
        }
    }
}
