//! How is podid turned off in a cluster, and what stays?
//!
//! In the order in which nothing is left behind: the pod identities, with their places on the nodes; then
//! the agents, which take the redirect off their nodes when they see their DaemonSet deleted; then what
//! they needed for that, their rights; then the kinds. Run again after an interruption, it goes on.

use std::collections::BTreeSet;
use std::time::Duration;

use podid_core::addon::enable::{Installed, check_off};
use podid_core::addon::state::Mode;
use podid_core::ids::ObjectRef;
use podid_core::ownership;
use podid_kube::installation::{self, Change, Objects};
use podid_kube::manifests::Install;
use podid_kube::pod_identities;
use serde_json::{Value, json};

use crate::Session;
use crate::azure::Azure;
use crate::enable::{Error, NAMESPACE};
use crate::nodes::Nodes;

/// How long an object may take to go.
const GOING: Duration = Duration::from_mins(2);

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disabled {
    /// It is off; these things stay, and this is how they are taken away.
    Off(Vec<String>),
    /// It was not on.
    WasOff,
    /// These things would be done.
    Planned(Vec<String>),
    /// It stopped on the way, because that was asked for.
    Stopped,
}

/// Turns podid off. With `delete_identities`, pod identities go with it.
pub async fn disable<A: Azure>(session: &Session<A>, delete_identities: bool) -> Result<Disabled, Error> {
    let installed = installation::found(&session.client).await?;
    let (identities, others) = session.of_podid().await?;
    check_off(&installed, &identities, &others, delete_identities).map_err(Error::Stays)?;
    // What was not finished the last time is recognised by what is left of it.
    let mode = installed.mode().unwrap_or(Mode::Standard);
    let install = Install { namespace: NAMESPACE.to_owned(), ..Install::default() };
    let objects = Objects::new(&install, mode).map_err(Error::Unwritable)?;
    if session.how.dry_run {
        return Ok(Disabled::Planned(plan(&identities, others, &objects)));
    }
    let mut work = Work { session, left: session.how.stop_after, changed: false, foreign: Vec::new() };
    for id in &identities {
        if !work.goes_on() {
            return Ok(Disabled::Stopped);
        }
        work.delete(id).await?;
    }
    if !work.take_off_nodes().await? || !work.take_out(&objects).await? {
        return Ok(Disabled::Stopped);
    }
    if matches!(installed, Installed::Nothing) && !work.changed {
        return Ok(Disabled::WasOff);
    }
    Ok(Disabled::Off(left(&identities, &work.foreign)))
}

fn plan(identities: &[ObjectRef], others: Vec<String>, objects: &Objects) -> Vec<String> {
    let identities = identities.iter().map(|id| format!("delete pod identity {id}"));
    let others = others.into_iter().map(|title| format!("{title}, which no command of podid's made"));
    let records = records();
    let objects = order(objects).map(|object| installation::title(&object));
    let records = records.iter().map(installation::title);
    identities.chain(others.chain(objects).chain(records).map(|title| format!("delete {title}"))).collect()
}

/// What stays, and how it is taken away.
fn left(identities: &[ObjectRef], foreign: &[String]) -> Vec<String> {
    let mut left = vec![
        "identities in Azure and their roles (az identity delete, az role assignment delete)".to_owned(),
        "the label aadpodidbinding of pods, which is of no effect now".to_owned(),
    ];
    if !identities.is_empty() {
        left.push("the namespaces of the pod identities".to_owned());
    }
    left.extend(foreign.iter().map(|title| format!("{title}, which podid enable did not make")));
    left
}

/// The objects of an installation, in the order in which they go.
fn order(objects: &Objects) -> impl Iterator<Item = Value> {
    let definitions = objects.definitions.iter().map(|definition| {
        json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": definition.metadata.name}})
    });
    let all = objects.workloads.iter().chain(&objects.access).cloned();
    all.chain(definitions).collect::<Vec<_>>().into_iter()
}

/// What the parts remember.
fn records() -> [Value; 3] {
    let object = |version: &str, kind: &str, namespace: &str, name: &str| json!({"apiVersion": version, "kind": kind, "metadata": {"namespace": namespace, "name": name}});
    [
        object("v1", "ConfigMap", NAMESPACE, ownership::NAME),
        object("coordination.k8s.io/v1", "Lease", "default", LOCK),
        object("v1", "Endpoints", "default", LOCK),
    ]
}

/// Lock of MIC's replicas.
const LOCK: &str = "aad-pod-identity-mic";

/// Objects on their way out of the cluster.
struct Work<'a, A> {
    session: &'a Session<A>,
    /// How many steps are left before it stops.
    left: Option<usize>,
    /// Whether anything was there.
    changed: bool,
    /// What was left alone.
    foreign: Vec<String>,
}

// === impl Work ===

impl<A: Azure> Work<'_, A> {
    async fn delete(&mut self, id: &ObjectRef) -> Result<(), Error> {
        self.changed = true;
        Box::pin(crate::delete::delete(self.session, id)).await?;
        Ok(())
    }

    /// Takes off the nodes what podid put there and no pod identity is left for, such as after an
    /// interruption.
    async fn take_off_nodes(&mut self) -> Result<bool, Error> {
        let session = self.session;
        let nodes = Nodes::new(&session.azure, &session.client, NAMESPACE);
        for (target, resource) in nodes.put_there().await? {
            if !self.goes_on() {
                return Ok(false);
            }
            self.changed = true;
            let step = session.steps.begin(format!("take {} off {}", resource.name(), target.name()));
            match nodes.take_off(&target, &resource, &BTreeSet::new(), session.how.wait).await {
                Ok(()) => step.done(),
                Err(error) => {
                    step.failed();
                    return Err(error.into());
                }
            }
        }
        Ok(true)
    }

    /// Whether all of it was done.
    async fn take_out(&mut self, objects: &Objects) -> Result<bool, Error> {
        for object in order(objects) {
            // Definitions go with whatever is of them: they were ours to make, whoever was first.
            let any = object["kind"] == "CustomResourceDefinition";
            if !self.goes_on() {
                return Ok(false);
            }
            self.remove(&object, any).await?;
        }
        for record in records() {
            if !self.goes_on() {
                return Ok(false);
            }
            self.remove(&record, true).await?;
        }
        Ok(true)
    }

    async fn remove(&mut self, object: &Value, any: bool) -> Result<(), Error> {
        let title = installation::title(object);
        let step = self.session.steps.begin(format!("delete {title}"));
        match installation::remove(&self.session.client, object, any, GOING).await {
            // Nothing to tell: it was not there.
            Ok(Change::None) => drop(step),
            Ok(Change::Foreign) => {
                step.warned("left alone, podid enable did not make it");
                self.foreign.push(title);
            }
            Ok(_) => {
                self.changed = true;
                step.done();
            }
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
    /// The pod identities of all namespaces, and the bindings and exceptions that no command of podid's made; none
    /// where their kinds are not defined.
    async fn of_podid(&self) -> Result<(Vec<ObjectRef>, Vec<String>), Error> {
        let (cluster, _) = pod_identities::cluster(&self.client, "").await?;
        let (_, exceptions) = pod_identities::exceptions(&self.client, "").await?;
        let bindings = cluster.bindings.iter().filter(|held| !held.ours);
        let exceptions = exceptions.iter().filter(|held| !held.ours);
        let bindings = bindings.map(|held| format!("AzureIdentityBinding {}", held.fact.id));
        let exceptions = exceptions.map(|held| format!("AzurePodIdentityException {}", held.fact.id));
        let others = bindings.chain(exceptions).collect();
        Ok((cluster.identities.into_iter().map(|held| held.fact.id).collect(), others))
    }
}
