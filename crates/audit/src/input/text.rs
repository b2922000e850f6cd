//! What text does a file hold, and on which line is a piece of it?

use std::path::Path;

use serde_json::value::RawValue;

use crate::target::Source;

/// The text of a file, ready to be parsed as JSON.
#[derive(Debug)]
pub(super) struct Text {
    text: String,
    /// Where each line begins.
    lines: Vec<usize>,
}

/// A file that cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("cannot be read: {0}")]
    Io(#[from] std::io::Error),
    #[error("is not text: byte {0} is neither UTF-8 nor is there a mark of UTF-16 at its beginning")]
    Encoding(usize),
    #[error("is Bicep: build it with `az bicep build --file {0}` and audit the JSON that this writes")]
    Bicep(String),
    #[error(
        "is a Bicep parameter file: build it with `az bicep build-params --file {0}` and audit the JSON that \
         this writes"
    )]
    BicepParameters(String),
}

/// Reads a file. Marks of byte order are taken off; what PowerShell writes as UTF-16 is understood.
pub(super) fn read(path: &Path) -> Result<Text, Unreadable> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("bicep") => return Err(Unreadable::Bicep(path.display().to_string())),
        Some("bicepparam") => return Err(Unreadable::BicepParameters(path.display().to_string())),
        _ => {}
    }
    let bytes = std::fs::read(path)?;
    let text = match bytes.as_slice() {
        [0xEF, 0xBB, 0xBF, ..] => utf8(bytes)?.split_off(3),
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes)?,
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes)?,
        _ => utf8(bytes)?,
    };
    Ok(Text::new(text))
}

fn utf8(bytes: Vec<u8>) -> Result<String, Unreadable> {
    String::from_utf8(bytes).map_err(|error| Unreadable::Encoding(error.utf8_error().valid_up_to()))
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, Unreadable> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let text = String::from_utf16(&pairs.iter().map(|pair| unit(*pair)).collect::<Vec<_>>());
    match text {
        Ok(text) if rest.is_empty() => Ok(text),
        _ => Err(Unreadable::Encoding(2)),
    }
}

// === impl Text ===

impl Text {
    fn new(text: String) -> Self {
        let mut text = text;
        if serde_json::from_str::<&RawValue>(&text).is_err() {
            // Templates may have comments; JSON may not.
            text = without_comments(&text);
        }
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        let lines = std::iter::once(0).chain(ends).collect();
        Self { text, lines }
    }

    /// The text itself.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Where `piece`, a part of this text, was found.
    pub(super) fn source(&self, file: &str, piece: &RawValue, kind: &'static str) -> Source {
        let start = self.text.as_ptr().addr();
        let at = piece.get().as_ptr().addr().checked_sub(start).filter(|at| *at <= self.text.len());
        let line = at.map(|at| self.lines.partition_point(|line| *line <= at));
        let column = at.zip(line).map(|(at, line)| at - self.lines[line - 1] + 1);
        Source { file: file.to_owned(), line, position: column, kind }
    }
}

/// The same text with blanks for `//` and `/* */` comments, so that every piece stays where it was.
fn without_comments(text: &str) -> String {
    #[derive(PartialEq)]
    enum In {
        Json,
        Word,
        Line,
        Block,
    }
    let mut state = In::Json;
    let mut blank = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(letter) = rest.next() {
        let next = rest.peek().copied();
        match (&state, letter, next) {
            (In::Json, '"', _) => state = In::Word,
            (In::Word, '"', _) | (In::Line, '\n', _) => state = In::Json,
            (In::Word, '\\', Some(escaped)) => {
                blank.push(letter);
                blank.push(escaped);
                rest.next();
                continue;
            }
            (In::Json, '/', Some('/')) => state = In::Line,
            (In::Json, '/', Some('*')) => {
                state = In::Block;
                // Not the end of `/*/`.
                blank.push_str("  ");
                rest.next();
                continue;
            }
            (In::Block, '*', Some('/')) => {
                state = In::Json;
                blank.push_str("  ");
                rest.next();
                continue;
            }
            _ => {}
        }
        match state {
            In::Line | In::Block if letter != '\n' => {
                blank.extend(std::iter::repeat_n(' ', letter.len_utf8()));
            }
            _ => blank.push(letter),
        }
    }
    blank
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_become_blanks_and_nothing_moves() {
        let text = "{ // one ü\n \"a\": \"// no /* no \\\" //\", /* two\n lines */ \"b\": 1 /*/ */}";
        let blank = without_comments(text);
        assert_eq!(blank.len(), text.len());
        let value: serde_json::Value = serde_json::from_str(&blank).unwrap();
        assert_eq!(value, serde_json::json!({"a": "// no /* no \" //", "b": 1}));
        assert_eq!(blank.find("\"b\""), text.find("\"b\""));
    }

    #[test]
    fn a_piece_is_found_by_line_and_column() {
        let text = Text::new("[\n  {},\r\n  {\"a\": 1}\n]".to_owned());
        let pieces: Vec<&RawValue> = serde_json::from_str(text.as_str()).unwrap();
        let places = pieces.iter().map(|piece| {
            let source = text.source("f", piece, "Export");
            (source.line, source.position)
        });
        assert_eq!(places.collect::<Vec<_>>(), [(Some(2), Some(3)), (Some(3), Some(3))]);
    }

    #[test]
    fn what_powershell_writes_is_understood() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        let little: Vec<u8> = "\u{feff}[\"ü\"]".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = "\u{feff}[\"ü\"]".encode_utf16().flat_map(u16::to_be_bytes).collect();
        for bytes in [little, big, "\u{feff}[\"ü\"]".as_bytes().to_vec(), "[\"ü\"]".as_bytes().to_vec()] {
            std::fs::write(&path, &bytes).unwrap();
            assert_eq!(read(&path).unwrap().as_str(), "[\"ü\"]", "{bytes:?}");
        }
        for bytes in [&b"\xff\xfea"[..], b"ab\xe9", b"\xff\xfe\x00\xd8"] {
            std::fs::write(&path, bytes).unwrap();
            assert!(matches!(read(&path), Err(Unreadable::Encoding(_))), "{bytes:?}");
        }
    }
}
