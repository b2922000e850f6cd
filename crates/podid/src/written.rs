//! Do the commands, flags and fields that the documentation names exist?
//!
//! Commands in fences marked `sh` are read as a shell would: those of podid by podid's own arguments,
//! those of kubectl, helm and az by their verbs and kinds. Placeholders are in capitals.
#![allow(clippy::unwrap_used, reason = "clippy takes only functions marked as tests for tests")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::cli::commands;

/// Verbs of kubectl, and whether a kind follows.
const KUBECTL: [(&str, bool); 14] = [
    ("apply", false),
    ("auth can-i", false),
    ("config current-context", false),
    ("create", true),
    ("debug", false),
    ("delete", true),
    ("describe", true),
    ("exec", false),
    ("get", true),
    ("label", true),
    ("logs", false),
    ("patch", true),
    ("scale", true),
    ("set env", false),
];

/// Kinds of Kubernetes itself.
const KINDS: [&str; 16] = [
    "configmap",
    "crd",
    "daemonset",
    "deployment",
    "endpoints",
    "events",
    "lease",
    "namespace",
    "node",
    "nodes",
    "pod",
    "pods",
    "secret",
    "serviceaccount",
    "validatingadmissionpolicy",
    "validatingadmissionpolicybinding",
];

/// Flags of kubectl, helm and az that pages use.
const FLAGS: &[&str] = &[
    "-A",
    "-H",
    "-f",
    "-g",
    "-it",
    "-l",
    "-n",
    "-o",
    "-p",
    "-s",
    "-sI",
    "--append",
    "--as",
    "--assignee",
    "--assignee-object-id",
    "--assignee-principal-type",
    "--cluster-name",
    "--create-namespace",
    "--disable-pod-identity",
    "--dry-run",
    "--enable-managed-identity",
    "--enable-pod-identity",
    "--enable-pod-identity-with-kubenet",
    "--field-selector",
    "--force",
    "--from-literal",
    "--generate-ssh-keys",
    "--id",
    "--identities",
    "--identity-client-id",
    "--identity-name",
    "--ids",
    "--image",
    "--include-inherited",
    "--install",
    "--instance-ids",
    "--issuer",
    "--name",
    "--namespace",
    "--network-plugin",
    "--node-image-only",
    "--object-id",
    "--overwrite",
    "--previous",
    "--query",
    "--raw",
    "--replicas",
    "--resource-group",
    "--reset-then-reuse-values",
    "--reuse-values",
    "--role",
    "--scope",
    "--secret-permissions",
    "--set",
    "--show-labels",
    "--subject",
    "--subscription-id",
    "--tail",
    "--type",
];

/// Commands of az.
const AZ: &[&str] = &[
    "ad app credential list",
    "ad app credential reset",
    "aks create",
    "aks nodepool upgrade",
    "aks show",
    "aks update",
    "feature show",
    "identity create",
    "identity delete",
    "identity federated-credential create",
    "identity show",
    "keyvault set-policy",
    "provider register",
    "role assignment create",
    "role assignment delete",
    "role assignment list",
    "vmss identity assign",
    "vmss identity show",
    "vmss show",
    "vmss update",
    "vmss update-instances",
];

/// Fields of Kubernetes' own objects that pages name.
const FIELDS: [&str; 4] =
    ["spec.providerID", "spec.template.metadata.labels", "status.phase", "status.podIP"];

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

/// The pages that this is about, with their names.
fn pages() -> Vec<(String, String)> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(docs().join("reference/codes"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.push(docs().join("corrections.md"));
    files.sort();
    assert!(files.len() > 30, "the search for pages looks in the wrong place");
    files.iter().map(|file| (file.display().to_string(), std::fs::read_to_string(file).unwrap())).collect()
}

/// What stands in the fences marked `language`, fence by fence.
fn fences<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let open = format!("\n```{language}\n");
    page.split(&open).skip(1).map(|rest| rest.split("\n```").next().unwrap()).collect()
}

/// Words of a line as a shell splits them; a pipe is a word of its own.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in line.chars() {
        match (c, quote) {
            (_, Some(open)) if c == open => quote = None,
            ('\'' | '"', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (' ', None) => words.extend(word.take()),
            ('#', None) if word.is_none() => break,
            _ => word.get_or_insert_default().push(c),
        }
    }
    assert!(quote.is_none(), "a quote is not closed: {line}");
    words.extend(word);
    words
}

/// What is wrong with a command, if anything is.
fn judge(command: &[String]) -> Result<(), String> {
    // What is given to a variable is a command, too.
    if let Some((_, inner)) = command[0].split_once("=$(") {
        let inner = std::iter::once(inner).chain(command[1..].iter().map(String::as_str));
        let inner: Vec<String> = inner.map(|word| word.trim_end_matches(')').to_owned()).collect();
        return judge(&inner);
    }
    let rest: Vec<&str> = command[1..].iter().map(String::as_str).collect();
    match command[0].as_str() {
        "podid" => match commands().try_get_matches_from(command) {
            Err(error) if error.use_stderr() => Err(error.to_string()),
            _ => Ok(()),
        },
        "kubectl" => kubectl(&rest),
        "az" => {
            let known = AZ.iter().any(|verb| rest.join(" ").starts_with(verb));
            if known { flags(&rest) } else { Err("no such command of az".to_owned()) }
        }
        "helm" if rest.starts_with(&["upgrade", "podid", "charts/podid"]) => flags(&rest),
        "curl" => flags(&rest),
        "export" => Ok(()),
        other => Err(format!("nobody knows how to check {other}")),
    }
}

fn kubectl(rest: &[&str]) -> Result<(), String> {
    let line = rest.join(" ");
    let (verb, has_kind) =
        KUBECTL.iter().find(|(verb, _)| line.starts_with(verb)).ok_or("no such verb of kubectl")?;
    let after = line[verb.len()..].trim_start();
    if *has_kind && !after.starts_with("--raw=") {
        let known: BTreeSet<String> = podid_kube::crd::definitions()
            .into_iter()
            .flat_map(|crd| [Some(crd.spec.names.plural), crd.spec.names.singular])
            .flatten()
            .chain(KINDS.map(str::to_owned))
            .collect();
        let kinds = after.split([' ', '/']).next().unwrap_or_default();
        let unknown = kinds.split(',').find(|kind| !known.contains(*kind));
        if let Some(kind) = unknown {
            return Err(format!("no such kind: {kind:?}"));
        }
        if let Some(patch) = rest.iter().position(|word| *word == "-p") {
            fields(kinds, &serde_json::from_str(rest[patch + 1]).map_err(|error| error.to_string())?)?;
        }
    }
    flags(rest)
}

fn flags(rest: &[&str]) -> Result<(), String> {
    let end = rest.iter().position(|word| *word == "--").unwrap_or(rest.len());
    let given = rest[..end].iter().filter(|word| word.len() > 1 && word.starts_with('-'));
    let unknown = given.map(|word| word.split('=').next().unwrap()).find(|flag| !FLAGS.contains(flag));
    unknown.map_or(Ok(()), |flag| Err(format!("no such flag: {flag}")))
}

/// The schemas of our kinds, each with the names that it goes by.
fn schemas() -> Vec<([String; 3], Value)> {
    let definitions = podid_kube::crd::definitions().into_iter();
    let named = definitions.map(|crd| {
        let names = crd.spec.names;
        let schema = crd.spec.versions[0].schema.as_ref().unwrap().open_api_v3_schema.as_ref().unwrap();
        let names = [names.kind, names.plural, names.singular.unwrap_or_default()];
        (names, serde_json::to_value(schema).unwrap())
    });
    named.collect()
}

/// Whether every field of `object` is one of `kind`, if that is one of ours.
fn fields(kind: &str, object: &Value) -> Result<(), String> {
    let known = schemas().into_iter().find(|(names, _)| names.iter().any(|name| name == kind));
    known.map_or(Ok(()), |(_, schema)| walk(kind, object, &schema))
}

fn walk(place: &str, object: &Value, schema: &Value) -> Result<(), String> {
    let Value::Object(map) = object else { return Ok(()) };
    // What has no properties of its own takes any key, such as labels and metadata.
    let Some(properties) = schema.get("properties") else { return Ok(()) };
    map.iter().filter(|(name, _)| !["apiVersion", "kind", "metadata"].contains(&name.as_str())).try_for_each(
        |(name, value)| {
            let place = format!("{place}.{name}");
            let schema = properties.get(name).ok_or_else(|| format!("no such field: {place}"))?;
            walk(&place, value, schema)
        },
    )
}

/// What stands in backticks outside of fences.
fn terms(page: &str) -> Vec<&str> {
    page.split("```").step_by(2).flat_map(|text| text.split('`').skip(1).step_by(2)).collect()
}

/// Every flag of every command, by its long names.
fn flags_of_podid() -> BTreeSet<String> {
    fn collect(command: &clap::Command, into: &mut BTreeSet<String>) {
        for argument in command.get_arguments() {
            into.extend(argument.get_long_and_visible_aliases().into_iter().flatten().map(str::to_owned));
            into.extend(argument.get_all_aliases().into_iter().flatten().map(str::to_owned));
        }
        command.get_subcommands().for_each(|command| collect(command, into));
    }
    let mut flags = BTreeSet::new();
    collect(&commands(), &mut flags);
    flags
}

#[test]
fn every_command_on_a_page_exists_with_its_flags_and_kinds() {
    let mut wrong = Vec::new();
    for (name, page) in pages() {
        let lines = fences(&page, "sh").into_iter().flat_map(str::lines);
        for line in lines.filter(|line| !line.trim().is_empty()) {
            for command in words(line).split(|word| word == "|") {
                if let Err(reason) = judge(command) {
                    wrong.push(format!("{name}: {line}: {reason}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_object_on_a_page_has_only_fields_that_its_kind_has() {
    let mut seen = 0;
    // What is wrong on purpose is in the corrections, which a test tries on a real API server.
    for (name, page) in pages().into_iter().filter(|(name, _)| !name.ends_with("corrections.md")) {
        for text in fences(&page, "yaml").into_iter().flat_map(|fence| fence.split("\n---\n")) {
            let object: Value = serde_saphyr::from_str(text).unwrap();
            let kind = object["kind"].as_str().unwrap_or_default();
            let ours = schemas().into_iter().any(|(names, _)| names[0] == kind);
            assert!(ours && object["apiVersion"] == "aadpodidentity.k8s.io/v1", "{name}: {kind}");
            assert!(object["metadata"]["name"].is_string(), "{name}: {kind}");
            assert_eq!(fields(kind, &object), Ok(()), "{name}");
            seen += 1;
        }
    }
    assert!(seen > 3, "only {seen} objects were found");
}

#[test]
fn every_flag_and_field_that_a_page_names_exists() {
    let flags = flags_of_podid();
    let schemas = schemas();
    let is_field = |path: &str| {
        let pointer: String = path.split('.').map(|name| format!("/properties/{name}")).collect();
        FIELDS.contains(&path) || schemas.iter().any(|(_, schema)| schema.pointer(&pointer).is_some())
    };
    for (name, page) in pages() {
        for term in terms(&page) {
            if let Some(flag) = term.strip_prefix("--") {
                let flag = flag.split(['=', ' ']).next().unwrap();
                assert!(
                    flags.contains(flag) || FLAGS.contains(&format!("--{flag}").as_str()),
                    "{name}: {term}"
                );
            }
            if (term.starts_with("spec.") || term.starts_with("status.")) && !term.contains(' ') {
                assert!(is_field(term.trim_end_matches(':')), "{name}: no such field: {term}");
            }
        }
    }
}

#[test]
fn what_does_not_exist_is_noticed() {
    for line in [
        "podid explains no-label",
        "podid adopt check --no-such-flag",
        "kubectl fetch pods",
        "kubectl get azureidentites -A",
        "kubectl get pods --no-such-flag",
        "kubectl patch azureidentity A -p '{\"spec\":{\"ClientID\":\"a\"}}'",
        "az aks pod-identity lst",
    ] {
        assert!(judge(&words(line)).is_err(), "{line}");
    }
}
