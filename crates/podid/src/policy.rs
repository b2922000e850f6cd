//! The arguments of `podid policy`.

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Subcommand, ValueEnum};
use podid_console::exit;
use podid_kube::manifests::{self, Action, Form, NetRaw};

/// Policies that keep a cluster safe, to be applied by people who want them.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print what keeps pods from taking a neighbour's address, and with it its identity
    #[command(after_help = "\
On a bridge (kubenet, Flannel, many others) a pod that has the capability NET_RAW, as pods usually have, answers for a \
neighbour's address and is taken for the neighbour. docs/how-to/close-net-raw.md says which form closes what.\n\n\
Examples:\n  \
podid policy net-raw --for vap --action warn | kubectl apply -f -\n  \
podid policy net-raw --for vap --exempt-namespace istio-system | kubectl apply -f -\n  \
podid policy net-raw --for gatekeeper | kubectl apply -f -\n  \
podid policy net-raw --for azure-policy > net-raw.json\n  \
podid policy net-raw --for psa --in-namespace shop | kubectl apply --server-side -f -\n\n\
Nothing is sent to a cluster. The namespaces kube-system and that of podid are always left alone.\n\n\
Exit codes: 0 success, 1 the output could not be written, 2 wrong usage.")]
    NetRaw(NetRawArgs),
    /// Print what lets people grant only those identities that they may use themselves
    #[command(after_help = "\
Without it, whoever may create AzureIdentity and AzureIdentityBinding objects can use every identity that is on the \
nodes. With it, the author needs rights by RBAC: docs/how-to/who-may-grant.md names them. Nothing is sent to a \
cluster.\n\n\
Examples:\n  \
podid policy bindings --action warn | kubectl apply -f -\n  \
podid policy bindings | kubectl apply -f -\n\n\
Exit codes: 0 success, 1 the output could not be written, 2 wrong usage.")]
    Bindings(BindingsArgs),
}

#[derive(clap::Args)]
struct NetRawArgs {
    /// Who will read it
    #[arg(long = "for", value_enum, value_name = "READER")]
    reader: Reader,
    /// Namespace that podid runs in; it is left alone
    #[arg(short, long, value_name = "NAMESPACE", default_value = "podid", value_parser = namespace)]
    namespace: String,
    /// A further namespace that is left alone; may be repeated
    #[arg(long, value_name = "NAMESPACE", value_delimiter = ',', value_parser = namespace)]
    exempt_namespace: Vec<String>,
    /// A namespace that gets the labels; only for psa; may be repeated
    #[arg(long, value_name = "NAMESPACE", value_delimiter = ',', value_parser = namespace)]
    in_namespace: Vec<String>,
    #[command(flatten)]
    reaction: Reaction,
}

#[derive(clap::Args)]
struct BindingsArgs {
    #[command(flatten)]
    reaction: Reaction,
}

#[derive(clap::Args)]
struct Reaction {
    /// What happens to an object at fault
    #[arg(long, value_enum, default_value_t = Reacts::Deny, ignore_case = true)]
    action: Reacts,
}

#[derive(Clone, Copy, ValueEnum)]
enum Reacts {
    /// It is refused
    Deny,
    /// It is accepted, and whoever writes it is warned
    Warn,
    /// It is accepted, and recorded
    Audit,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Reader {
    /// Gatekeeper with the templates of its library
    Gatekeeper,
    /// Azure Policy: parameters of the built-in policy on capabilities, as JSON
    AzurePolicy,
    /// The API server: a ValidatingAdmissionPolicy. It is the one without holes
    Vap,
    /// The API server: Pod Security labels for namespaces
    Psa,
}

/// Prints the policy that the arguments name.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let text = match &args.command {
        Command::NetRaw(wanted) => {
            if let Some(wrong) = wanted.contradiction() {
                anstream::eprintln!("podid: {wrong}");
                return Ok(ExitCode::from(exit::USAGE));
            }
            wanted.choice().render(wanted.reader.form())?
        }
        Command::Bindings(wanted) => manifests::identity_users(wanted.reaction.action.action())?,
    };
    match std::io::stdout().write_all(text.as_bytes()) {
        // Whoever reads has enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        result => result.map(|()| ExitCode::SUCCESS).context("cannot write the policy"),
    }
}

/// A name that a namespace can have: RFC 1123, at most 63 characters.
fn namespace(text: &str) -> Result<String, String> {
    let inner = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    let fine = (1..=63).contains(&text.len())
        && text.starts_with(inner)
        && text.ends_with(inner)
        && text.chars().all(|letter| inner(letter) || letter == '-');
    if fine {
        Ok(text.to_owned())
    } else {
        Err("no namespace can have this name: small letters, digits and '-', at most 63".to_owned())
    }
}

// === impl NetRawArgs ===

impl NetRawArgs {
    fn choice(&self) -> NetRaw {
        NetRaw {
            podid: self.namespace.clone(),
            exempt: self.exempt_namespace.clone(),
            action: self.reaction.action.action(),
            labelled: self.in_namespace.clone(),
        }
    }

    /// What of the arguments would have no effect, or undo podid.
    fn contradiction(&self) -> Option<String> {
        if self.reader != Reader::Psa {
            let only =
                "--in-namespace is for --for psa only: the others hold in every namespace that is not exempt";
            return (!self.in_namespace.is_empty()).then(|| only.to_owned());
        }
        if !self.exempt_namespace.is_empty() {
            let none =
                "--exempt-namespace is not for --for psa: only the namespaces of --in-namespace get labels";
            return Some(none.to_owned());
        }
        let own = self.choice().left_alone().into_iter().find(|name| self.in_namespace.contains(name))?;
        Some(format!(
            "namespace {own} cannot be restricted: pods on the host's network run there, podid's agent or the cluster's own; leave it out of --in-namespace (and say with -n where podid runs)"
        ))
    }
}

// === impl Reacts ===

impl Reacts {
    const fn action(self) -> Action {
        match self {
            Self::Deny => Action::Deny,
            Self::Warn => Action::Warn,
            Self::Audit => Action::Audit,
        }
    }
}

// === impl Reader ===

impl Reader {
    const fn form(self) -> Form {
        match self {
            Self::Gatekeeper => Form::Gatekeeper,
            Self::AzurePolicy => Form::AzurePolicy,
            Self::Vap => Form::Admission,
            Self::Psa => Form::PodSecurity,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_a_namespace_can_have_are_taken() {
        for good in ["a", "kube-system", "0", &"a".repeat(63)] {
            assert_eq!(namespace(good).as_deref(), Ok(good));
        }
        for bad in ["", "-a", "a-", "A", "a.b", "a b", "'", &"a".repeat(64)] {
            assert!(namespace(bad).is_err(), "{bad}");
        }
    }
}
