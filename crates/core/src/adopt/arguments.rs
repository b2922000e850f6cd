//! Which flags does a command line of the original set?
//!
//! Go's parsers: one or two dashes, `=` or the next argument, a boolean needs no value.

use std::sync::Arc;

use super::flags;

/// Name and value of every flag, in order. A boolean without a value is `true`.
pub(super) fn parse(arguments: &[Arc<str>]) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let mut rest = arguments.iter().map(AsRef::as_ref).peekable();
    while let Some(argument) = rest.next() {
        let Some(flag) = argument.strip_prefix("--").or_else(|| argument.strip_prefix('-')) else { continue };
        if let Some((name, value)) = flag.split_once('=') {
            found.push((name, value));
        } else if flags::is_boolean(flag) {
            found.push((flag, "true"));
        } else {
            let value = rest.next_if(|next| !next.starts_with('-')).unwrap_or_default();
            found.push((flag, value));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_spellings_of_go_are_read() {
        let arguments = ["nmi", "--node=$(NODE_NAME)", "-v", "3", "--forceNamespaced", "--MICNamespace", "x"];
        let arguments = arguments.map(Arc::from);
        let expected =
            [("node", "$(NODE_NAME)"), ("v", "3"), ("forceNamespaced", "true"), ("MICNamespace", "x")];
        assert_eq!(parse(&arguments), expected);
    }
}
