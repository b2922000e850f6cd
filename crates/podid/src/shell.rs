//! The arguments of `podid completion` and `podid man`, and what kubectl asks to complete `kubectl podid`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Command;
use clap_complete::Shell;

/// What kubectl starts when somebody presses Tab after `kubectl podid`.
pub const KUBECTL_COMPLETE: &str = "kubectl_complete-podid";

/// kubectl's word for "offer no files beside these".
const NO_FILES: &str = ":4";

/// Print the completion script for a shell
#[derive(clap::Args)]
#[command(after_help = "\
Examples:\n  source <(podid completion bash)\n  podid completion zsh > \"${fpath[1]}/_podid\"\n  \
podid completion fish > ~/.config/fish/completions/podid.fish\n  \
podid completion powershell | Out-String | Invoke-Expression\n\n\
For kubectl podid put two links to podid into the PATH, called kubectl-podid and kubectl_complete-podid.\n\n\
Exit codes: 0 success, 1 the output could not be written, 2 wrong usage.")]
pub struct Completion {
    /// The shell to complete in
    shell: Shell,
}

/// Print the manual as pages for man
#[derive(clap::Args)]
#[command(after_help = "\
Examples:\n  podid man | man -l -\n  podid man crds apply | man -l -\n  podid man --folder ~/.local/share/man/man1\n\n\
Exit codes: 0 success, 1 the output could not be written, 2 wrong usage or no such command.")]
pub struct Man {
    /// The command to print the page of [default: podid itself]
    command: Vec<String>,
    /// Write the pages of all commands into this folder instead; it is made if it is not there
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    folder: Option<PathBuf>,
}

// === impl Completion ===

impl Completion {
    /// Prints the script.
    pub fn run(&self, mut commands: Command) -> anyhow::Result<ExitCode> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut commands, "podid", &mut script);
        podid_console::print(&String::from_utf8(script)?)?;
        Ok(ExitCode::SUCCESS)
    }
}

// === impl Man ===

impl Man {
    /// Prints one page, or writes all.
    pub fn run(&self, mut commands: Command) -> anyhow::Result<ExitCode> {
        commands.build();
        if let Some(folder) = &self.folder {
            let failed = || format!("cannot write the pages to {}", folder.display());
            std::fs::create_dir_all(folder).with_context(failed)?;
            clap_mangen::generate_to(commands, folder).with_context(failed)?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut found = &commands;
        for name in &self.command {
            let Some(next) = found.find_subcommand(name) else {
                let known = found.get_subcommands().filter(|one| !one.is_hide_set());
                let known: Vec<_> = known.map(Command::get_name).collect();
                anstream::eprintln!("podid: there is no command {name:?}; there are: {}", known.join(", "));
                return Ok(ExitCode::from(podid_console::exit::USAGE));
            };
            found = next;
        }
        let mut page = Vec::new();
        clap_mangen::Man::new(found.clone()).render(&mut page)?;
        podid_console::print(&String::from_utf8(page)?)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// What may follow `words`, of which the last one is being written, in the form in which kubectl reads it.
pub fn candidates(mut commands: Command, words: &[OsString]) -> String {
    commands.build();
    let words: Vec<&str> = words.iter().filter_map(|word| word.to_str()).collect();
    let (begun, before) = words.split_last().map_or(("", [].as_slice()), |(last, before)| (*last, before));
    let mut at = &commands;
    for word in before {
        at = at.find_subcommand(word).unwrap_or(at);
    }
    let names = at.get_subcommands().filter(|one| !one.is_hide_set()).map(|one| {
        let about = one.get_about().map(ToString::to_string).unwrap_or_default();
        (one.get_name().to_owned(), about)
    });
    let flags = at.get_arguments().filter(|one| !one.is_hide_set()).filter_map(|one| {
        let about = one.get_help().map(ToString::to_string).unwrap_or_default();
        Some((format!("--{}", one.get_long()?), about))
    });
    let last_flag =
        before.last().and_then(|word| word.strip_prefix('-')).map(|word| word.trim_start_matches('-'));
    let asked = at.get_arguments().find(|one| match last_flag {
        Some(name) => {
            one.get_long() == Some(name) || one.get_short().map(String::from).as_deref() == Some(name)
        }
        None => one.is_positional(),
    });
    let values = asked.into_iter().flat_map(clap::Arg::get_possible_values).map(|one| {
        let about = one.get_help().map(ToString::to_string).unwrap_or_default();
        (one.get_name().to_owned(), about)
    });
    let takes_value = last_flag.is_some() && asked.is_some_and(|one| one.get_action().takes_values());
    let offered: Vec<_> = if takes_value {
        values.collect()
    } else if begun.starts_with('-') {
        flags.collect()
    } else {
        names.chain(values).collect()
    };
    let lines = offered.into_iter().filter(|(name, _)| name.starts_with(begun)).map(|(name, about)| {
        let about = about.lines().next().unwrap_or_default().to_owned();
        if about.is_empty() { name + "\n" } else { format!("{name}\t{about}\n") }
    });
    lines.collect::<String>() + NO_FILES + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::commands;

    fn offered(words: &[&str]) -> Vec<String> {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        let text = candidates(commands(), &words);
        let (lines, end) = text.trim_end().rsplit_once('\n').unwrap_or(("", text.trim_end()));
        assert_eq!(end, NO_FILES);
        lines.lines().map(|line| line.split('\t').next().unwrap_or_default().to_owned()).collect()
    }

    #[test]
    fn kubectl_is_offered_commands_flags_and_values() {
        assert_eq!(offered(&["expl"]), ["explain"]);
        assert_eq!(offered(&["crds", ""]), ["apply", "diff", "help"]);
        assert!(offered(&["crds", "apply", "--con"]).contains(&"--context".to_owned()));
        assert_eq!(offered(&["explain", "-o", ""]), ["table", "json", "yaml"]);
        assert_eq!(offered(&["completion", "z"]), ["zsh"]);
        assert!(offered(&["no-such-command", "x"]).is_empty());
        assert!(!offered(&["lab", ""]).contains(&"inside".to_owned()), "what is hidden is not offered");
    }
}
