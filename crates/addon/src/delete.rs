//! How is a pod identity taken away, and what stays?

use podid_core::addon::delete::{Left, check, plan};
use podid_core::facts::Identity;
use podid_core::ids::ObjectRef;
use tokio::time::{Instant, sleep};

use crate::azure::Azure;
use crate::perform::{Done, PAUSE, Progress, is_conflict};
use crate::{Error, Session};

/// How often the cluster is looked at again after somebody else wrote.
const ATTEMPTS: u32 = 5;

/// Takes the pod identity `id` away; says what stays.
pub async fn delete<A: Azure>(session: &Session<A>, id: &ObjectRef) -> Result<(Done, Vec<Left>), Error> {
    let mut progress = Progress::new(session.how.stop_after);
    let mut last = String::new();
    for _ in 0..ATTEMPTS {
        match Box::pin(session.try_delete(id, &mut progress)).await {
            Err(error) if is_conflict(&error) => last = error.to_string(),
            result => return result,
        }
    }
    Err(Error::Contended(last))
}

// === impl Session ===

impl<A: Azure> Session<A> {
    async fn try_delete(&self, id: &ObjectRef, progress: &mut Progress) -> Result<(Done, Vec<Left>), Error> {
        let scene = self.look(&id.namespace).await?;
        let resource = check(id, &scene.cluster)?.and_then(Identity::resource_id).cloned();
        let nodes = match (&resource, scene.installed.mode) {
            (Some(resource), podid_core::addon::state::Mode::Managed) => {
                // By its id only: it may be gone in Azure, or made anew.
                self.nodes(&scene).standing(&scene.targets, resource, None).await?
            }
            _ => Vec::new(),
        };
        let plan = plan(id, &scene.cluster, &nodes)?;
        if self.how.dry_run {
            let steps = plan.steps.iter().map(ToString::to_string).collect();
            return Ok((Done::Planned(steps), plan.left));
        }
        let needed = scene.needed(Some(id));
        if !self.perform(&plan.steps, &scene, &needed, progress).await? {
            return Ok((Done::Stopped, Vec::new()));
        }
        if !self.how.wait {
            return Ok((Done::Written, plan.left));
        }
        self.wait_until_gone(id).await?;
        Ok((Done::All, plan.left))
    }

    /// Waits until MIC has no record of it and the objects are gone.
    async fn wait_until_gone(&self, id: &ObjectRef) -> Result<(), Error> {
        let step = self.steps.begin("wait until no pod can get a token of it");
        let end = Instant::now() + self.how.patience;
        loop {
            let scene = self.look(&id.namespace).await?;
            let there = match (scene.cluster.identity(id), scene.assignments_of(id).next()) {
                (None, None) => {
                    step.done();
                    return Ok(());
                }
                (Some(_), _) => format!("AzureIdentity {id} is still there; its finalizers hold it"),
                (None, Some(one)) => {
                    format!("MIC is still at AzureAssignedIdentity {} of pod {}", one.id, one.pod)
                }
            };
            if Instant::now() >= end {
                step.failed();
                return Err(Error::StillThere(there));
            }
            step.waits(&there);
            sleep(PAUSE).await;
        }
    }
}
