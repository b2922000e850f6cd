//! Which pods are excepted, and how is that changed?

use podid_console::Grid;
use podid_core::addon::exception::{self, Request, Step};
use podid_core::addon::labels::{self, Labels};
use podid_core::addon::{Held, Place};
use podid_core::facts::Exception;
use podid_core::ids::ObjectRef;
use podid_kube::pod_identities;
use serde_json::{Map, Value, json};

use crate::azure::Azure;
use crate::perform::{Done, Progress, is_conflict};
use crate::{Error, Session};

/// How often the cluster is looked at again after somebody else wrote.
const ATTEMPTS: u32 = 5;

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub enum Change<'a> {
    /// One with these labels.
    Add(&'a Labels),
    /// These labels instead of those it has.
    Update(&'a Labels),
    /// None.
    Delete,
}

/// Changes the exception `id`.
pub async fn change<A: Azure>(
    session: &Session<A>,
    id: &ObjectRef,
    change: Change<'_>,
) -> Result<Done, Error> {
    let mut progress = Progress::new(session.how.stop_after);
    let mut last = String::new();
    for _ in 0..ATTEMPTS {
        match session.try_change(id, change, &mut progress).await {
            Err(error) if is_conflict(&error) => last = error.to_string(),
            result => return result,
        }
    }
    Err(Error::Contended(last))
}

/// The exceptions of `namespace`, or of all, by namespace and name.
pub async fn list<A: Azure>(
    session: &Session<A>,
    namespace: Option<&str>,
) -> Result<Vec<Held<Exception>>, Error> {
    let (_, mut all) = pod_identities::exceptions(&session.client, "").await?;
    all.retain(|held| namespace.is_none_or(|namespace| *held.fact.id.namespace == *namespace));
    all.sort_by(|one, other| one.fact.id.cmp(&other.fact.id));
    Ok(all)
}

/// The exceptions as people read them, with the add-on's columns.
pub fn table(all: &[Held<Exception>]) -> String {
    let mut grid = Grid::new(["Name", "Namespace", "PodLabels"]);
    for Held { fact, .. } in all {
        grid.row([&fact.id.name, &fact.id.namespace, &labels::text(&fact.pod_labels)]);
    }
    grid.to_string()
}

/// The exceptions as programs read them: the items of `podIdentityProfile.userAssignedIdentityExceptions`.
pub fn json(all: &[Held<Exception>]) -> Value {
    let item = |Held { fact, ours, .. }: &Held<Exception>| {
        let labels = fact.pod_labels.iter().map(|(key, value)| (key.to_string(), Value::from(&**value)));
        let labels: Map<String, Value> = labels.collect();
        json!({
            "name": &*fact.id.name, "namespace": &*fact.id.namespace, "podLabels": labels,
            "managedBy": if *ours { "podid" } else { "" },
        })
    };
    all.iter().map(item).collect()
}

/// The exceptions as kubectl takes them.
pub fn names(all: &[Held<Exception>]) -> Vec<String> {
    let name = |held: &Held<Exception>| {
        format!("azurepodidentityexception.aadpodidentity.k8s.io/{}", held.fact.id.name)
    };
    all.iter().map(name).collect()
}

// === impl Session ===

impl<A: Azure> Session<A> {
    async fn try_change(
        &self,
        id: &ObjectRef,
        change: Change<'_>,
        progress: &mut Progress,
    ) -> Result<Done, Error> {
        let (place, all) = pod_identities::exceptions(&self.client, &id.namespace).await?;
        let steps = self.steps_to(id, change, place, &all)?;
        if self.how.dry_run {
            return Ok(Done::Planned(steps.iter().map(ToString::to_string).collect()));
        }
        if steps.is_empty() {
            self.steps.begin(format!("change AzurePodIdentityException {id}")).kept("it is as it should be");
        }
        for step in steps {
            if !progress.goes_on() {
                return Ok(Done::Stopped);
            }
            let shown = self.steps.begin(step.to_string());
            let done = match &step {
                Step::CreateNamespace(name) => pod_identities::create_namespace(&self.client, name).await,
                Step::Write { id, labels, version } => {
                    let before =
                        all.iter().find(|held| held.fact.id == *id).map(|held| &held.fact.pod_labels);
                    let before = version.as_deref().zip(before);
                    pod_identities::write_exception(&self.client, id, labels, before).await
                }
                Step::Delete { id, version } => {
                    pod_identities::delete_exception(&self.client, id, version).await
                }
            };
            match done {
                Ok(()) => shown.done(),
                Err(error) => {
                    shown.failed();
                    return Err(error.into());
                }
            }
        }
        Ok(Done::All)
    }

    fn steps_to(
        &self,
        id: &ObjectRef,
        change: Change<'_>,
        place: Place,
        all: &[Held<Exception>],
    ) -> Result<Vec<Step>, Error> {
        let limit = self.how.limit;
        Ok(match change {
            Change::Add(labels) => exception::write(Request::Add, id, labels, place, all, limit)?,
            Change::Update(labels) => exception::write(Request::Update, id, labels, place, all, limit)?,
            Change::Delete => exception::delete(id, all)?,
        })
    }
}

#[cfg(test)]
mod tests;
