//! How are steps carried out, one after the other, and told?

use std::collections::BTreeSet;
use std::time::Duration;

use podid_core::addon::Step;
use podid_core::ids::{IdentityResourceId, PrincipalId};
use podid_kube::call::CallError;
use podid_kube::pod_identities;

use crate::azure::Azure;
use crate::observe::Scene;
use crate::{Error, Session};

/// Time between two looks at something that is under way.
pub(crate) const PAUSE: Duration = Duration::from_secs(1);

/// How far a command came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// Everything is as it should be.
    All,
    /// It was written, and not waited for.
    Written,
    /// Nothing was written, because that was asked for; these are the steps that would be done.
    Planned(Vec<String>),
    /// It stopped on the way, because that was asked for.
    Stopped,
}

/// Counts steps for [`How::stop_after`](crate::How::stop_after).
#[derive(Debug)]
pub struct Progress {
    left: Option<usize>,
}

// === impl Progress ===

impl Progress {
    pub(crate) fn new(stop_after: Option<usize>) -> Self {
        Self { left: stop_after }
    }

    /// Whether another step may be done.
    pub(crate) fn goes_on(&mut self) -> bool {
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
    /// Does `steps`; whether all of them were done.
    pub(crate) async fn perform(
        &self,
        steps: &[Step],
        scene: &Scene,
        needed: &BTreeSet<IdentityResourceId>,
        progress: &mut Progress,
    ) -> Result<bool, Error> {
        for step in steps {
            if !progress.goes_on() {
                return Ok(false);
            }
            let shown = self.steps.begin(step.to_string());
            match self.perform_one(step, scene, needed).await {
                Ok(()) => shown.done(),
                Err(error) => {
                    // Somebody else was faster: that is no failure yet.
                    if !is_conflict(&error) {
                        shown.failed();
                    }
                    return Err(error);
                }
            }
        }
        Ok(true)
    }

    async fn perform_one(
        &self,
        step: &Step,
        scene: &Scene,
        needed: &BTreeSet<IdentityResourceId>,
    ) -> Result<(), Error> {
        let (client, wait) = (&self.client, self.how.wait);
        match step {
            Step::GrantRole { to, on } => {
                self.azure.grant(on, to).await?;
                self.granted(on, to).await?;
            }
            Step::CreateNamespace { name } => pod_identities::create_namespace(client, name).await?,
            Step::WriteIdentity { id, resource, client: client_id, version } => {
                pod_identities::write_identity(client, id, resource, client_id, version.as_deref()).await?;
            }
            Step::WriteBinding { id, identity, selector, version } => {
                pod_identities::write_binding(client, id, identity, selector, version.as_deref()).await?;
            }
            Step::PutOnNodes { target, resource, stale } => {
                self.nodes(scene).put(target, resource, needed, *stale, wait).await?;
            }
            Step::TakeOffNodes { target, resource } => {
                self.nodes(scene).take_off(target, resource, needed, wait).await?;
            }
            Step::DeleteBinding { id, uid } => pod_identities::delete_binding(client, id, uid).await?,
            Step::DeleteIdentity { id, uid } => pod_identities::delete_identity(client, id, uid).await?,
        }
        Ok(())
    }

    /// Waits until ARM lists the grant.
    async fn granted(&self, on: &IdentityResourceId, to: &PrincipalId) -> Result<(), Error> {
        let end = tokio::time::Instant::now() + self.how.patience;
        loop {
            // With --no-wait the grant is made, and takes effect when it does.
            if !self.how.wait || self.azure.has_role(on, to).await? {
                return Ok(());
            }
            if tokio::time::Instant::now() >= end {
                return Err(Error::NotGranted { to: to.clone(), on: on.clone(), waited: self.how.patience });
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Whether it has to be looked again because somebody else wrote.
pub(crate) fn is_conflict(error: &Error) -> bool {
    matches!(error, Error::Cluster(CallError::Conflict { .. }))
}
