//! How is a pod identity made, and when is it of use?

use podid_core::addon::add::{Azure as InAzure, check, steps};
use podid_core::addon::state::{Remote, State};
use podid_core::addon::{AzureSide, Wanted};
use podid_core::ids::PrincipalId;
use podid_core::role::MANAGED_IDENTITY_OPERATOR;
use tokio::time::{Instant, sleep};

use crate::azure::Azure;
use crate::list::Row;
use crate::observe::Scene;
use crate::owner::{self, Named, Owner};
use crate::perform::{Done, PAUSE, Progress, is_conflict};
use crate::{Error, Session};

/// How often the cluster is looked at again after somebody else wrote.
const ATTEMPTS: u32 = 5;

/// Makes `wanted`, whatever of it is there already.
pub async fn add<A: Azure>(session: &Session<A>, wanted: &Wanted, named: &Named) -> Result<Done, Error> {
    let mut progress = Progress::new(session.how.stop_after);
    let mut last = String::new();
    for _ in 0..ATTEMPTS {
        match Box::pin(session.try_add(wanted, named, &mut progress)).await {
            Err(error) if is_conflict(&error) => last = error.to_string(),
            result => return result,
        }
    }
    Err(Error::Contended(last))
}

/// The row that `podid list` has for it.
pub async fn row<A: Azure>(session: &Session<A>, wanted: &Wanted) -> Result<Option<Row>, Error> {
    let rows = crate::list::list(session, Some(&wanted.id.namespace)).await?;
    Ok(rows.into_iter().find(|row| row.id == wanted.id))
}

// === impl Session ===

impl<A: Azure> Session<A> {
    async fn try_add(&self, wanted: &Wanted, named: &Named, progress: &mut Progress) -> Result<Done, Error> {
        let look = self.steps.begin("look at the cluster and at Azure");
        let (scene, azure) = match self.look_and_ask(wanted, named).await {
            Ok(found) => found,
            Err(error) => {
                look.failed();
                return Err(error);
            }
        };
        drop(look);
        let steps = steps(wanted, &scene.cluster, &azure, self.how.limit)?;
        if self.how.dry_run {
            return Ok(Done::Planned(steps.iter().map(ToString::to_string).collect()));
        }
        if steps.is_empty() {
            self.steps.begin(format!("make pod identity {}", wanted.id)).kept("it is as it should be");
        }
        let mut needed = scene.needed(None);
        needed.insert(wanted.resource.clone());
        if !self.perform(&steps, &scene, &needed, progress).await? {
            return Ok(Done::Stopped);
        }
        if !self.how.wait {
            return Ok(Done::Written);
        }
        self.wait_until_of_use(wanted).await?;
        Ok(Done::All)
    }

    async fn look_and_ask(&self, wanted: &Wanted, named: &Named) -> Result<(Scene, InAzure), Error> {
        let scene = self.look(&wanted.id.namespace).await?;
        check(wanted, &scene.cluster, self.how.limit)?;
        let side = self.azure.identity(&wanted.resource).await?;
        let side = side.ok_or_else(|| Error::NoIdentity(wanted.resource.clone()))?;
        let lack_role = self.who_lacks_the_role(&side, named, &scene).await?;
        let nodes = self.standing(&scene, &side).await?;
        if nodes.is_empty() && scene.installed.mode == podid_core::addon::state::Mode::Managed {
            return Err(Error::NoNodes);
        }
        Ok((scene, InAzure { identity: side, lack_role, nodes }))
    }

    async fn who_lacks_the_role(
        &self,
        side: &AzureSide,
        named: &Named,
        scene: &Scene,
    ) -> Result<Vec<PrincipalId>, Error> {
        match owner::find(&self.azure, named, scene.installed.mode, &scene.targets).await? {
            Owner::Known(principal) => {
                let held = self.azure.has_role(&side.resource, &principal).await?;
                Ok(if held { Vec::new() } else { vec![principal] })
            }
            Owner::Unknown(why) => {
                let step = format!("grant {} on {}", MANAGED_IDENTITY_OPERATOR.name, side.resource.name());
                self.steps.begin(step).warned(&format!(
                    "left out, {why}; where the cluster's identity needs it, give its object id with --grant-to"
                ));
                Ok(Vec::new())
            }
        }
    }

    /// Waits until a pod could get a token, as the cluster and Azure say it.
    async fn wait_until_of_use(&self, wanted: &Wanted) -> Result<(), Error> {
        let step =
            self.steps.begin(format!("wait until pods labelled {} could get a token", wanted.selector));
        let end = Instant::now() + self.how.patience;
        loop {
            let scene = self.look(&wanted.id.namespace).await?;
            let standing = match scene.cluster.identity(&wanted.id) {
                Some(held) => {
                    let remote: Remote = self.remote(&scene, &wanted.resource).await?;
                    scene.state(held, &remote)
                }
                None => return Err(podid_core::addon::Refusal::Unknown(wanted.id.clone()).into()),
            };
            if standing.state == State::Assigned {
                step.done();
                return Ok(());
            }
            if Instant::now() >= end {
                step.failed();
                return Err(Error::NotOfUse(standing));
            }
            if let Some(why) = &standing.why {
                step.waits(&why.message);
            }
            sleep(PAUSE).await;
        }
    }
}

#[cfg(test)]
mod tests;
