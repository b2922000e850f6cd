//! How does an answer reach standard output?

use std::io::{self, ErrorKind, Write as _};

/// Prints `text` as it is, without colours where nobody sees them. A reader who has enough, such as
/// `head`, is no error.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}
