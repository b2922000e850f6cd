//! What does a page say of a command's flags, given what clap knows?

use std::collections::BTreeSet;

use clap::{Arg, Args, Command};

/// All flags of a command.
pub(crate) fn flags<A: Args>() -> Vec<Arg> {
    A::augment_args(Command::new("podid")).get_arguments().cloned().collect()
}

/// Every way to write a flag's name.
pub(crate) fn names(arg: &Arg) -> Vec<&str> {
    arg.get_long().into_iter().chain(arg.get_all_aliases().into_iter().flatten()).collect()
}

/// The rows of the flags that are shown. `original` are the names that the original's flags have.
pub(crate) fn rows_of_flags(flags: &[Arg], original: &[&str]) -> BTreeSet<String> {
    flags.iter().filter(|arg| !arg.is_hide_set()).map(|arg| row(arg, original)).collect()
}

/// The flags that are accepted and hidden, under the name that the original has for them.
pub(crate) fn hidden_flags(flags: &[Arg]) -> BTreeSet<String> {
    let hidden = flags.iter().filter(|arg| arg.is_hide_set());
    hidden.map(|arg| format!("--{}", names(arg).last().unwrap())).collect()
}

fn row(arg: &Arg, original: &[&str]) -> String {
    let name = arg.get_long().unwrap();
    let value =
        arg.get_value_names().map(|names| names[0].as_str()).filter(|_| arg.get_action().takes_values());
    let optional = arg.get_num_args().is_some_and(|range| range.min_values() == 0);
    let written = match value {
        Some(value) if optional => format!("--{name}[={value}]"),
        Some(value) => format!("--{name}={value}"),
        None => format!("--{name}"),
    };
    let default: Vec<_> = arg.get_default_values().iter().map(|value| value.to_str().unwrap()).collect();
    let shown = |text: &str| if text.is_empty() { "–".to_owned() } else { format!("`{text}`") };
    let variable = arg.get_env().and_then(|name| name.to_str()).unwrap_or_default();
    let original = match names(arg).into_iter().find(|name| original.contains(name)) {
        None => "–".to_owned(),
        Some(same) if same == name => "same".to_owned(),
        Some(other) => format!("`--{other}`"),
    };
    let help =
        arg.get_long_help().or(arg.get_help()).unwrap().to_string().replace('\n', " ").replace('|', "\\|");
    format!("| `{written}` | {} | {} | {original} | {help} |", shown(&default.join(",")), shown(variable))
}
