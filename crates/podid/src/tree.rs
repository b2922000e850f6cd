//! Do all commands speak in one way: about, example, exit codes, and the same words for the same flags?
#![allow(clippy::unwrap_used, reason = "clippy takes only functions marked as tests for tests")]

use clap::Command;
use podid_console::exit;

use crate::cli::commands;

/// The commands of `az aks pod-identity` and `az aks`, whose flags people paste: -n is --name there.
const AS_AZ: [&str; 6] =
    ["podid add", "podid delete", "podid list", "podid exception", "podid enable", "podid disable"];

/// What one flag is called everywhere.
const SHORT: [(char, &str); 3] = [('n', "namespace"), ('o', "output"), ('g', "resource-group")];

/// Every command that does something, by its whole name.
fn leaves() -> Vec<(String, Command)> {
    fn collect(name: &str, command: &Command, into: &mut Vec<(String, Command)>) {
        let below = || command.get_subcommands().filter(|one| one.get_name() != "help" && !one.is_hide_set());
        if below().next().is_none() || command.get_positionals().next().is_some() {
            into.push((name.to_owned(), command.clone()));
        }
        for one in below() {
            collect(&format!("{name} {}", one.get_name()), one, into);
        }
    }
    let mut found = Vec::new();
    let mut all = commands();
    all.build();
    collect("podid", &all, &mut found);
    assert!(found.len() > 12, "only {} commands were found", found.len());
    found
}

fn after_help(command: &Command) -> String {
    command.get_after_help().or(command.get_after_long_help()).map(ToString::to_string).unwrap_or_default()
}

/// What a command says about its exit codes: from the words to the end of that paragraph.
fn exit_codes(command: &Command) -> Option<String> {
    let text = after_help(command);
    let start = text.find("Exit code")?;
    Some(text[start..].split("\n\n").next()?.replace('\n', " "))
}

#[test]
fn every_command_says_what_it_is_for_shows_an_example_and_names_its_exit_codes() {
    let mut lacking = Vec::new();
    for (name, command) in leaves() {
        let text = after_help(&command);
        let has_example = text.contains("Example") && text.contains(&name);
        for (fine, what) in [
            (command.get_about().is_some(), "about"),
            (has_example, "an example"),
            (exit_codes(&command).is_some(), "exit codes"),
        ] {
            if !fine {
                lacking.push(format!("{name} lacks {what}"));
            }
        }
    }
    assert!(lacking.is_empty(), "{}", lacking.join("\n"));
}

#[test]
fn the_same_flag_has_the_same_letter_everywhere() {
    for (name, command) in leaves() {
        let as_az = AS_AZ.iter().any(|known| name.starts_with(known));
        for argument in command.get_arguments() {
            let (short, long) = (argument.get_short(), argument.get_long());
            for (letter, word) in SHORT {
                if as_az && letter == 'n' {
                    continue;
                }
                let is_letter = short == Some(letter);
                assert!(!is_letter || long == Some(word), "{name}: -{letter} is --{word}, not {long:?}");
            }
            if long == Some("output") {
                assert_eq!(short, Some('o'), "{name}");
            }
        }
    }
}

#[test]
fn every_flag_and_argument_that_people_see_says_what_it_is() {
    for (name, command) in leaves() {
        for argument in command.get_arguments().filter(|one| !one.is_hide_set()) {
            assert!(argument.get_help().is_some(), "{name}: {} is not described", argument.get_id());
        }
    }
}

#[test]
fn the_exit_codes_of_all_commands_are_on_their_page() {
    let page = include_str!("../../../docs/reference/exit-codes.md");
    let rows =
        page.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next()?.parse::<u8>().ok());
    let known: Vec<u8> = rows.collect();
    for code in [exit::FINE, exit::NOT_FINE, exit::USAGE, exit::NOT_LOOKED_AT] {
        assert!(known.contains(&code), "docs/reference/exit-codes.md lacks {code}");
    }
    for (name, command) in leaves() {
        let said = exit_codes(&command).unwrap_or_default();
        let words = said.split([' ', ':', ',', ';', '.', '(', ')']);
        // A number within a sentence that is no code has a unit behind it; none is used so far.
        for code in words.filter_map(|word| word.parse::<u8>().ok()) {
            assert!(known.contains(&code), "{name} says {code}, which docs/reference/exit-codes.md lacks");
        }
    }
}
