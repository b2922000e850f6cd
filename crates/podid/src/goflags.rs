//! How were flags of the original written? Go's flag package takes `-name` for `--name`.
//!
//! Only the roles that existed in the original are treated so (peer contract §2.1, §4.1, §8).

use std::ffi::OsString;

const ROLES: [&str; 3] = ["mic", "nmi", "demo"];

/// Turns `-name`, `-name=value` and `-v=5` of the roles `mic`, `nmi` and `demo` into what clap reads.
pub fn normalise(arguments: Vec<OsString>) -> Vec<OsString> {
    let role = arguments.get(1).and_then(|word| word.to_str()).is_some_and(|word| ROLES.contains(&word));
    if !role {
        return arguments;
    }
    let mut only_values = false;
    arguments
        .into_iter()
        .enumerate()
        .map(|(position, argument)| {
            if position < 2 || only_values {
                return argument;
            }
            only_values = argument == "--";
            match argument.to_str().and_then(double_dashed) {
                Some(doubled) => doubled.into(),
                None => argument,
            }
        })
        .collect()
}

/// `-name…` as `--name…`, unless it is a one-letter flag on its own or a negative number.
fn double_dashed(argument: &str) -> Option<String> {
    let name = argument.strip_prefix('-')?;
    let first = name.chars().next()?;
    let word = name.split('=').next().unwrap_or(name);
    let go_style = first.is_ascii_alphabetic() && (word.len() > 1 || name.starts_with("v="));
    go_style.then(|| format!("--{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_go_flags_mean_the_same() {
        let cases = [
            ("-cloudconfig=/etc/azure.json", "--cloudconfig=/etc/azure.json"),
            ("-forceNamespaced", "--forceNamespaced"),
            ("--kubeconfig", "--kubeconfig"),
            ("-v=5", "--v=5"),
            ("-v", "-v"),
            ("-h", "-h"),
            ("-5", "-5"),
            ("-", "-"),
            ("value", "value"),
        ];
        for (written, read) in cases {
            let all = normalise(vec!["podid".into(), "mic".into(), written.into()]);
            assert_eq!(all.last().unwrap(), read);
        }
    }

    #[test]
    fn values_after_two_dashes_and_other_commands_are_left_alone() {
        let lab: Vec<OsString> = ["podid", "lab", "exec", "-it"].map(Into::into).into();
        assert_eq!(normalise(lab.clone()), lab);
        let rest: Vec<OsString> = ["podid", "demo", "--", "-name"].map(Into::into).into();
        assert_eq!(normalise(rest.clone()), rest);
    }
}
