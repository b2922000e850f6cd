//! What do the commands take, and what do they refuse before anything is asked?

use clap::Parser;

use super::*;

const ID: &str =
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/my_App";

#[derive(Parser)]
#[command(name = "podid")]
struct Only {
    #[command(subcommand)]
    command: Command,
}

fn parse(line: &str) -> Result<Command, String> {
    let words = std::iter::once("podid").chain(line.split_whitespace());
    Only::try_parse_from(words).map(|only| only.command).map_err(|error| error.to_string())
}

/// The words for an `add` that cannot be meant.
fn refused(arguments: &str) -> String {
    let line = format!("add {}", arguments.replace("ID", ID));
    match parse(&line) {
        Ok(Command::Add(args)) => match args.wanted() {
            Err(Failure::Usage(message)) => message,
            _ => String::new(),
        },
        _ => "clap".to_owned(),
    }
}

#[test]
fn what_the_tutorial_pastes_is_taken() {
    let lines = [
        "add --resource-group myResourceGroup --cluster-name myAKSCluster --namespace my-app --name my-pod-identity \
         --identity-resource-id ID",
        "add -g g --cluster-name c --namespace my-app -n one --identity-resource-id ID --binding-selector several \
         --no-wait --aks-custom-headers A=b",
        "delete --name my-pod-identity --namespace my-app --resource-group g --cluster-name c",
        "list -g g --cluster-name c -o json",
        "exception add -g g --cluster-name c --namespace my-app -n e --pod-labels app=a tier=b",
        "exception update -g g --cluster-name c --namespace my-app --name e --pod-labels app=a",
        "exception delete -g g --cluster-name c --namespace my-app --name e --no-wait",
        "exception list -g g --cluster-name c",
    ];
    for line in lines {
        assert!(parse(&line.replace("ID", ID)).is_ok(), "{line}");
    }
    for line in ["add --name a", "delete --namespace my-app", "exception update --namespace a --name b"] {
        assert!(parse(line).is_err(), "{line}");
    }
}

#[test]
fn a_name_that_is_not_given_is_made_of_the_identity() {
    for line in [
        "add --namespace my-app --identity-resource-id ID",
        "add --name= --namespace my-app --identity-resource-id ID",
    ] {
        let Ok(Command::Add(args)) = parse(&line.replace("ID", ID)) else { panic!("{line}") };
        let wanted = args.wanted().ok().unwrap();
        assert!(wanted.id.name.starts_with("my-app-"), "{wanted:?}");
        assert_eq!(wanted.selector, wanted.id.name);
    }
}

#[test]
fn what_cannot_be_meant_is_refused_in_one_line_that_says_what_can() {
    let long = "x".repeat(64);
    let cases = [
        "--namespace my-app --name My_Pod --identity-resource-id ID".to_owned(),
        "--namespace My --name a --identity-resource-id ID".to_owned(),
        "--namespace my-app --name a --identity-resource-id /subscriptions/x".to_owned(),
        "--namespace my-app --name a --identity-resource-id ID --binding-selector a/b".to_owned(),
        format!("--namespace my-app --name {long} --identity-resource-id ID"),
    ];
    let told: Vec<String> = cases.iter().map(|case| refused(case)).collect();
    insta::assert_snapshot!(told.join("\n").replace(&long, "xxx…"));
}

#[test]
fn every_command_says_what_it_does_with_an_example_and_its_exit_codes() {
    let mut commands = crate::cli::commands();
    for path in [
        &["add"][..],
        &["delete"],
        &["list"],
        &["exception", "add"],
        &["exception", "delete"],
        &["exception", "update"],
        &["exception", "list"],
    ] {
        let mut command = &mut commands;
        for word in path {
            command = command.find_subcommand_mut(word).unwrap();
        }
        let help = command.render_long_help().to_string();
        assert!(help.contains("Example") && help.contains("Exit codes: 0"), "{path:?}: {help}");
        assert!(help.contains("--resource-group") && help.contains("--cluster-name"), "{path:?}");
    }
    let add = commands.find_subcommand_mut("add").unwrap().clone().term_width(100);
    insta::assert_snapshot!(add.clone().render_long_help().to_string());
}
