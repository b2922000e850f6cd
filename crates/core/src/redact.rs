//! What may be logged of a request?
//!
//! A client id is no secret, but logs travel further than clusters: they show enough of it to
//! recognise (the original's form, peer contract §4.5). Texts that a pod chose are cut and stripped
//! of control characters, so that they cannot forge a log line.

use std::fmt::{self, Write as _};

/// Longest text of a pod that a log line repeats, in characters.
const LONGEST: usize = 512;

/// Shortest id of which both ends may be shown without showing most of it.
const SHORTEST_SHOWN: usize = 16;

const COVER: &str = "##### REDACTED #####";

/// A client or object id that prints as its first and last four characters.
#[derive(Clone, Copy, Debug)]
pub struct RedactedId<'a>(pub &'a str);

/// A text that a pod sent; prints cut, and without characters that a terminal or a log acts on.
#[derive(Clone, Copy, Debug)]
pub struct Foreign<'a>(pub &'a str);

// === impl RedactedId ===

impl fmt::Display for RedactedId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.0;
        if !id.is_ascii() || id.len() < SHORTEST_SHOWN {
            return f.write_str(COVER);
        }
        write!(f, "{}{COVER}{}", Foreign(&id[..4]), Foreign(&id[id.len() - 4..]))
    }
}

// === impl Foreign ===

impl fmt::Display for Foreign<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_fit = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
        if self.0.len() <= LONGEST && self.0.bytes().all(is_fit) {
            return f.write_str(self.0);
        }
        for c in self.0.chars().take(LONGEST) {
            f.write_char(if c.is_ascii_graphic() || c == ' ' { c } else { '?' })?;
        }
        if self.0.chars().nth(LONGEST).is_some() { f.write_str("...") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// W-64.
    #[test]
    fn a_client_id_shows_only_its_ends() {
        let cases = [
            ("00000000-1111-2222-3333-44444444abcd", "0000##### REDACTED #####abcd"),
            ("short", COVER),
            ("", COVER),
            ("123456789012345", COVER),
            ("éééééééééééééééééééééééé", COVER),
        ];
        for (id, shown) in cases {
            assert_eq!(RedactedId(id).to_string(), shown);
        }
    }

    #[test]
    fn a_pod_cannot_forge_a_log_line() {
        assert_eq!(Foreign("https://a\r\nI1124 forged\u{1b}[2J").to_string(), "https://a??I1124 forged?[2J");
        assert_eq!(Foreign(&"x".repeat(600)).to_string(), format!("{}...", "x".repeat(512)));
    }
}
