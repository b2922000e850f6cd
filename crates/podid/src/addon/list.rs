//! The arguments of `podid list`.

use podid_addon::{How, list};
use podid_console::{Listing, Steps, exit};
use podid_core::addon::name;

use super::cluster::Cluster;
use super::{Failure, other, usage};

pub(super) const HELP: &str = "\
The state is made of what the cluster and Azure say at this moment:\n  \
Assigned   a pod with the label gets a token\n  \
Updating   MIC is putting it on a node\n  \
Deleting   its AzureIdentity is being deleted\n  \
Failed     no pod gets a token until somebody does something; -o json says what\n  \
Unknown    Azure could not be asked\n\n\
Examples:\n  podid list\n  podid list --namespace my-app -o json\n\n\
Exit codes: 0 listed, 1 refused, 2 wrong usage, 3 the cluster cannot be reached, or a state is Unknown.";

/// What `az aks pod-identity list` takes, and a namespace.
#[derive(clap::Args)]
pub struct Args {
    /// List those of this namespace only
    #[arg(long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// How to print them
    #[arg(short, long, value_enum, default_value_t = Listing::Table)]
    output: Listing,
    #[command(flatten)]
    cluster: Cluster,
}

// === impl Args ===

impl Args {
    pub(super) async fn run(&self) -> Result<u8, Failure> {
        if let Some(namespace) = &self.namespace {
            name::namespace("--namespace", namespace).map_err(usage)?;
        }
        self.cluster.named(None)?;
        let session = self.cluster.session(Steps::quiet(), How::default()).await?;
        let rows = Box::pin(list::list(&session, self.namespace.as_deref())).await?;
        let table = || if rows.is_empty() { String::new() } else { list::table(&rows) };
        let text = self.output.render(&list::json(&rows), table, || list::names(&rows)).map_err(other)?;
        anstream::print!("{text}");
        if self.output == Listing::Table {
            self.tell(&rows);
        }
        Ok(if list::is_unknown(&rows) { exit::NOT_LOOKED_AT } else { exit::FINE })
    }

    /// What the table has no column for.
    fn tell(&self, rows: &[list::Row]) {
        if rows.is_empty() {
            let place = self.namespace.as_ref().map_or(String::new(), |name| format!(" in namespace {name}"));
            anstream::eprintln!("There is no pod identity{place}; podid add makes one.");
        }
        let mut told = "";
        for row in rows {
            let Some(why) = &row.standing.why else { continue };
            // One login that is missing is said once.
            if why.message != told {
                anstream::eprintln!("{}: {}: {}", row.id, row.standing.state, why.message);
            }
            told = &why.message;
        }
    }
}
