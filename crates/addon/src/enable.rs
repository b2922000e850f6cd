//! How is podid turned on in a cluster?
//!
//! As `az aks update --enable-pod-identity` did it: the cluster is checked, the agents are installed, and
//! the add-ons of AKS are excepted. Everything that is applied may be applied again, so it can be
//! interrupted anywhere and run again.

mod error;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use podid_core::addon::enable::{Asked, Verdict, check};
use podid_core::addon::state::Mode;
use podid_kube::definitions::{self, Outcome, Wish};
use podid_kube::installation::{self, Change, Objects, Rollout};
use podid_kube::manifests::Install;
use serde_json::Value;
use tokio::time::{Instant, sleep};

pub use error::Error;

use crate::Session;
use crate::azure::Azure;
use crate::owner::Named;
use crate::perform::PAUSE;

/// Where the add-on's agents run.
pub const NAMESPACE: &str = "kube-system";

/// What a person asks for.
#[derive(Clone, Debug)]
pub struct Request {
    /// In which mode; none for the one that it is in, or managed.
    pub mode: Option<Mode>,
    /// Whether the person agrees to kubenet.
    pub kubenet: bool,
    /// The network plugin, as the person says.
    pub plugin: Option<String>,
    /// The image to use; none for the one that is there.
    pub image: Option<String>,
    /// The cluster in Azure.
    pub named: Named,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Enabled {
    /// It is on, in this mode, on so many nodes.
    On(Mode, i32),
    /// Everything is written, and it was not waited for.
    Written(Mode),
    /// It was on; something else takes care of it.
    Left(Arc<str>),
    /// These things would be done.
    Planned(Vec<String>),
    /// It stopped on the way, because that was asked for.
    Stopped,
}

/// Turns podid on.
pub async fn enable<A: Azure>(session: &Session<A>, request: &Request) -> Result<Enabled, Error> {
    let seen = session.seen(&request.named, request.plugin.as_deref()).await?;
    let mode = request.mode.or(seen.installed.mode()).unwrap_or(Mode::Managed);
    let image = request.image.as_deref().map(Into::into);
    let asked = Asked { mode, kubenet: request.kubenet, image };
    let verdict = check(&seen, &asked).map_err(Error::Prerequisites)?;
    let (objects, left) = match verdict {
        Verdict::Install { kubenet, image } => {
            let install = Install {
                namespace: NAMESPACE.to_owned(),
                image: image.to_string(),
                namespaced: true,
                kubenet,
                ..Install::default()
            };
            (Objects::new(&install, mode).map_err(Error::Unwritable)?, None)
        }
        Verdict::Leave { what } => (only_exceptions(mode)?, Some(what)),
    };
    if session.how.dry_run {
        return Ok(Enabled::Planned(plan(&objects)));
    }
    let mut work = Work { session, left: session.how.stop_after };
    if !work.put(&objects).await? {
        return Ok(Enabled::Stopped);
    }
    match left {
        Some(what) => Ok(Enabled::Left(what)),
        None if session.how.wait => Ok(Enabled::On(mode, session.wait_for_rollout(mode).await?)),
        None => Ok(Enabled::Written(mode)),
    }
}

/// What is made where something else takes care of the rest.
fn only_exceptions(mode: Mode) -> Result<Objects, Error> {
    let install = Install { namespace: NAMESPACE.to_owned(), ..Install::default() };
    let all = Objects::new(&install, mode).map_err(Error::Unwritable)?;
    Ok(Objects { definitions: Vec::new(), access: Vec::new(), workloads: Vec::new(), ..all })
}

fn plan(objects: &Objects) -> Vec<String> {
    let definitions = objects.definitions.iter().filter_map(|definition| {
        let name = definition.metadata.name.as_deref()?;
        Some(format!("apply CustomResourceDefinition {name}"))
    });
    let kept = objects
        .exceptions
        .iter()
        .map(|object| format!("make {} if it is missing", installation::title(object)));
    let rest = objects.access.iter().chain(&objects.workloads);
    definitions
        .chain(kept)
        .chain(rest.map(|object| format!("apply {}", installation::title(object))))
        .collect()
}

/// Objects on their way into the cluster.
struct Work<'a, A> {
    session: &'a Session<A>,
    /// How many steps are left before it stops.
    left: Option<usize>,
}

// === impl Work ===

impl<A: Azure> Work<'_, A> {
    /// Whether all of it was done.
    async fn put(&mut self, objects: &Objects) -> Result<bool, Error> {
        for definition in &objects.definitions {
            if !self.goes_on() {
                return Ok(false);
            }
            self.define(definition).await?;
        }
        let kept = objects.exceptions.iter().map(|object| (object, true));
        let rest = objects.access.iter().chain(&objects.workloads).map(|object| (object, false));
        for (object, keep) in kept.chain(rest) {
            if !self.goes_on() {
                return Ok(false);
            }
            self.apply(object, keep).await?;
        }
        Ok(true)
    }

    async fn define(&self, definition: &definitions::CustomResourceDefinition) -> Result<(), Error> {
        let name = definition.metadata.name.clone().unwrap_or_default();
        let step = self.session.steps.begin(format!("define {name}"));
        let client = &self.session.client;
        let applied = async {
            let applied = definitions::apply(client, definition, Wish::default()).await?;
            definitions::established(client, &name, self.session.how.patience).await?;
            Ok(applied.outcome())
        };
        match applied.await {
            Ok(Outcome::Unchanged) => step.kept("it is as it should be"),
            Ok(Outcome::Created | Outcome::Configured) => step.done(),
            Err(error) => {
                step.failed();
                return Err(Error::Definition(error));
            }
        }
        Ok(())
    }

    async fn apply(&self, object: &Value, keep: bool) -> Result<(), Error> {
        let step = self.session.steps.begin(format!("apply {}", installation::title(object)));
        match installation::apply(&self.session.client, object, keep).await {
            Ok(Change::None) => step.kept("it is as it should be"),
            Ok(_) => step.done(),
            Err(error) => {
                step.failed();
                return Err(crate::Error::from(error).into());
            }
        }
        Ok(())
    }

    fn goes_on(&mut self) -> bool {
        match &mut self.left {
            None => true,
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
        }
    }
}

// === impl Session ===

impl<A: Azure> Session<A> {
    /// Waits until every node has its agent; on how many nodes.
    async fn wait_for_rollout(&self, mode: Mode) -> Result<i32, Error> {
        let step = self.steps.begin("wait until podid runs on every node");
        let end = Instant::now() + self.how.patience;
        loop {
            let look = installation::rollout(&self.client, NAMESPACE, mode).await;
            let waiting = match look {
                Ok(Rollout::Ready(nodes)) => {
                    step.done();
                    return Ok(nodes);
                }
                Ok(Rollout::Waiting(words)) => words,
                Err(error) => {
                    step.failed();
                    return Err(crate::Error::from(error).into());
                }
            };
            if Instant::now() >= end {
                step.failed();
                return Err(Error::NotReady { waited: self.how.patience, why: waiting });
            }
            step.waits(&waiting);
            sleep(PAUSE).await;
        }
    }
}
