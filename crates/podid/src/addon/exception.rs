//! The arguments of `podid exception`.

use clap::Subcommand;
use podid_addon::How;
use podid_addon::exception::{self, Change};
use podid_console::{Listing, Steps, exit};
use podid_core::addon::labels::{self, Labels};
use podid_core::addon::{DEFAULT_LIMIT, name};
use podid_core::ids::ObjectRef;

use super::cluster::{Cluster, Waiting};
use super::{Failure, other, print_plan, usage};

const CODES: &str = "\n\nExit codes: 0 done, 1 refused, 2 wrong usage, 3 the cluster cannot be reached.";

/// The commands of `az aks pod-identity exception`.
#[derive(Subcommand)]
pub enum Command {
    /// Except pods of a namespace that have any one of some labels
    #[command(after_help = format!(
        "An excepted pod gets what its node may have: tokens of every identity on the node.\n\nExample:\n  \
podid exception add --namespace my-app --name my-exception --pod-labels app=agent{CODES}"
    ))]
    Add(Add),
    /// Take an exception away
    #[command(after_help = format!(
        "Example:\n  podid exception delete --namespace my-app --name my-exception{CODES}"
    ))]
    Delete(Delete),
    /// Give an exception other labels
    #[command(after_help = format!(
        "Example:\n  podid exception update --namespace my-app --name my-exception --pod-labels app=other{CODES}"
    ))]
    Update(Update),
    /// List the exceptions
    #[command(after_help = format!("Example:\n  podid exception list -o json{CODES}"))]
    List(List),
}

/// What `az aks pod-identity exception add` takes.
#[derive(clap::Args)]
pub struct Add {
    /// Name of the exception [default: one that is made of the labels]
    #[arg(short, long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    wanted: Wanted,
    /// Most exceptions that the cluster may have
    #[arg(long, value_name = "NUMBER", default_value_t = DEFAULT_LIMIT)]
    max_exceptions: usize,
}

/// What `az aks pod-identity exception update` takes.
#[derive(clap::Args)]
pub struct Update {
    /// Name of the exception
    #[arg(short, long, value_name = "NAME")]
    name: String,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    wanted: Wanted,
}

/// What `az aks pod-identity exception delete` takes.
#[derive(clap::Args)]
pub struct Delete {
    /// Name of the exception
    #[arg(short, long, value_name = "NAME")]
    name: String,
    #[command(flatten)]
    place: Place,
}

/// What `az aks pod-identity exception list` takes, and a namespace.
#[derive(clap::Args)]
pub struct List {
    /// List those of this namespace only
    #[arg(long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// How to print them
    #[arg(short, long, value_enum, default_value_t = Listing::Table)]
    output: Listing,
    #[command(flatten)]
    cluster: Cluster,
}

#[derive(clap::Args)]
struct Place {
    /// Namespace of the pods
    #[arg(long, value_name = "NAMESPACE")]
    namespace: String,
    #[command(flatten)]
    waiting: Waiting,
    #[command(flatten)]
    cluster: Cluster,
}

#[derive(clap::Args)]
struct Wanted {
    /// Labels, as KEY=VALUE; a pod with any one of them is excepted
    #[arg(long, value_name = "LABEL", num_args = 0.., required = true)]
    pod_labels: Vec<String>,
}

/// Runs one of the commands.
pub(super) async fn run(command: &Command) -> Result<u8, Failure> {
    match command {
        Command::Add(args) => {
            let labels = args.wanted.labels()?;
            let name = args.name.clone().filter(|name| !name.is_empty());
            let name = name.unwrap_or_else(|| labels::name(&labels));
            args.place.change(&name, Change::Add(&labels), args.max_exceptions).await
        }
        Command::Update(args) => {
            let labels = args.wanted.labels()?;
            args.place.change(&args.name, Change::Update(&labels), DEFAULT_LIMIT).await
        }
        Command::Delete(args) => args.place.change(&args.name, Change::Delete, DEFAULT_LIMIT).await,
        Command::List(args) => args.run().await,
    }
}

// === impl Place, Wanted, List ===

impl Place {
    async fn change(&self, name: &str, change: Change<'_>, limit: usize) -> Result<u8, Failure> {
        name::object("--name", name).map_err(usage)?;
        name::namespace("--namespace", &self.namespace).map_err(usage)?;
        self.cluster.named(None)?;
        let id = ObjectRef::new(self.namespace.as_str(), name);
        let session = self.cluster.session(Steps::new(), self.waiting.how(limit)).await?;
        let done = exception::change(&session, &id, change).await?;
        print_plan(&done);
        Ok(exit::FINE)
    }
}

impl Wanted {
    fn labels(&self) -> Result<Labels, Failure> {
        labels::parse(self.pod_labels.iter().map(String::as_str)).map_err(usage)
    }
}

impl List {
    async fn run(&self) -> Result<u8, Failure> {
        if let Some(namespace) = &self.namespace {
            name::namespace("--namespace", namespace).map_err(usage)?;
        }
        self.cluster.named(None)?;
        let session = self.cluster.session(Steps::quiet(), How::default()).await?;
        let all = exception::list(&session, self.namespace.as_deref()).await?;
        let table = || if all.is_empty() { String::new() } else { exception::table(&all) };
        let text =
            self.output.render(&exception::json(&all), table, || exception::names(&all)).map_err(other)?;
        anstream::print!("{text}");
        if all.is_empty() && self.output == Listing::Table {
            anstream::eprintln!("There is no exception.");
        }
        Ok(exit::FINE)
    }
}
