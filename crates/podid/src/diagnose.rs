//! The arguments of `podid why` and `podid doctor`.

use std::process::ExitCode;

use anyhow::Context;
use podid_console::{Format, exit};
use podid_core::chain::Verdict;
use podid_core::ids::{ClientId, IdentityResourceId, PrincipalId};
use podid_core::request::Selector;
use podid_diagnose::Named;

use crate::access::Access;

/// How we call ourselves in requests.
const USER_AGENT: &str = concat!("podid-diagnose/", env!("CARGO_PKG_VERSION"));

/// Which pod, and what its program asks for.
#[derive(clap::Args)]
#[command(after_help = "\
Goes the way that MIC and NMI go, over the cluster as it is now, and stops at the first link that does not hold: what \
is missing, in which object, and the commands that mend it. Nothing is written. What you may not look at is said and \
stops nothing; Azure is asked if you are logged in (az login, or the variables of a service principal). `podid explain CODE` says more about a code.\n\n\
Examples:\n  podid why web-5d9c7\n  podid why deploy/web -n shop\n  \
podid why web-5d9c7 -n shop --client-id 00000000-1111-2222-3333-444444444444 -o json\n\n\
Exit codes: 0 it would get a token, 1 a link is broken, 2 wrong usage, 3 the cluster, the pod or a link could not be \
looked at and nothing else was found.")]
pub struct Why {
    /// The pod; also deploy/NAME, sts/NAME or ds/NAME for one of its pods
    #[arg(value_name = "POD")]
    pod: String,
    /// The pod's namespace [default: that of the kubeconfig's context]
    #[arg(short, long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    #[command(flatten)]
    wish: Wish,
    /// Do not ask Azure, also if somebody is logged in
    #[arg(long)]
    no_azure: bool,
    /// How to print the chain
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
    #[command(flatten)]
    access: Access,
}

/// Which identity the program asks for.
#[derive(clap::Args)]
#[group(multiple = false)]
#[allow(clippy::struct_field_names, reason = "they are the flags' names")]
struct Wish {
    /// The client id that the program asks for (AZURE_CLIENT_ID), if it names an identity
    #[arg(long, value_name = "ID", value_parser = |text: &str| ClientId::parse(text))]
    client_id: Option<ClientId>,
    /// The resource id that the program asks for
    #[arg(long, value_name = "ID", value_parser = |text: &str| IdentityResourceId::parse(text))]
    identity_resource_id: Option<IdentityResourceId>,
    /// The object id that the program asks for
    #[arg(long, value_name = "ID", value_parser = |text: &str| PrincipalId::parse(text))]
    object_id: Option<PrincipalId>,
}

/// What to print of the whole cluster.
#[derive(clap::Args)]
#[command(after_help = "\
Looks at the definitions, MIC, NMI on every node, the admission policies, what is left of aad-pod-identity, and at \
every pod with the label aadpodidbinding: its first broken link, by code. Nothing is written.\n\n\
Examples:\n  podid doctor\n  podid doctor -o json | jq -r '.pods[] | select(.code) | [.namespace, .name, .code] | @tsv'\n\n\
Exit codes: 0 nothing is broken, 1 something is, 2 wrong usage, 3 the cluster or a part of it could not be looked at \
and nothing broken was found.")]
pub struct Doctor {
    /// Do not ask Azure, also if somebody is logged in
    #[arg(long)]
    no_azure: bool,
    /// How to print what was found
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
    #[command(flatten)]
    access: Access,
}

/// Runs `podid why`.
pub fn why(args: &Why) -> anyhow::Result<ExitCode> {
    let outcome = runtime()?.block_on(async {
        let named = match Named::parse(&args.pod) {
            Ok(named) => named,
            Err(error) => return Ok(Err(error)),
        };
        let client = args.access.client(USER_AGENT).await?;
        let namespace = args.namespace.as_deref().unwrap_or(client.default_namespace());
        let named = named.within(namespace);
        anyhow::Ok(Ok(podid_diagnose::why(&client, &named, args.wish.selector(), !args.no_azure).await?))
    });
    let answer = match outcome {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => return Ok(complain(&error.into(), exit::USAGE)),
        Err(error) => return Ok(complain(&error, exit::NOT_LOOKED_AT)),
    };
    anstream::print!("{}", args.output.render(&answer.json(), || answer.table())?);
    Ok(ExitCode::from(match answer.verdict() {
        Verdict::Token | Verdict::PassThrough => exit::FINE,
        Verdict::Broken(_) => exit::NOT_FINE,
        Verdict::Unknown => exit::NOT_LOOKED_AT,
    }))
}

/// Runs `podid doctor`.
pub fn doctor(args: &Doctor) -> anyhow::Result<ExitCode> {
    let outcome = runtime()?.block_on(async {
        let client = args.access.client(USER_AGENT).await?;
        anyhow::Ok(podid_diagnose::doctor(&client, !args.no_azure).await?)
    });
    let checkup = match outcome {
        Ok(checkup) => checkup,
        Err(error) => return Ok(complain(&error, exit::NOT_LOOKED_AT)),
    };
    anstream::print!("{}", args.output.render(&checkup.json(), || checkup.table())?);
    Ok(ExitCode::from(match (checkup.is_broken(), checkup.is_complete()) {
        (true, _) => exit::NOT_FINE,
        (false, false) => exit::NOT_LOOKED_AT,
        (false, true) => exit::FINE,
    }))
}

fn complain(error: &anyhow::Error, code: u8) -> ExitCode {
    anstream::eprintln!("podid: {error:#}");
    ExitCode::from(code)
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")
}

// === impl Wish ===

impl Wish {
    fn selector(&self) -> Selector {
        let client = self.client_id.clone().map(Selector::Client);
        let resource = self.identity_resource_id.clone().map(Selector::Resource);
        let object = self.object_id.clone().map(Selector::Principal);
        client.or(resource).or(object).unwrap_or(Selector::Any)
    }
}
