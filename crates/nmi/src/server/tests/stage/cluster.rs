//! What the watches tell, and what the API server answers to live questions.

use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;
use futures::stream::{self, StreamExt};
use podid_core::answer::Mode;
use podid_core::facts::{Assignment, Binding, Exception, Identity, Pod};
use podid_core::ids::ObjectRef;
use podid_kube::call::CallError;
use podid_kube::lookup::Secret;
use podid_kube::watch::{Change, Changes, Fact};
use tokio::sync::mpsc;

use crate::lookup::ListPods;
use crate::source::ReadSecret;
use crate::world::Sources;

/// The sending ends of the watches, and what live questions find.
pub(crate) struct Cluster {
    pods: mpsc::UnboundedSender<Change<Pod>>,
    exceptions: mpsc::UnboundedSender<Change<Exception>>,
    assignments: mpsc::UnboundedSender<Change<Assignment>>,
    bindings: mpsc::UnboundedSender<Change<Binding>>,
    identities: mpsc::UnboundedSender<Change<Identity>>,
    pub(crate) live: Arc<Mutex<Live>>,
}

/// What the API server answers to live questions.
#[derive(Default)]
pub(crate) struct Live {
    pub(crate) pods: Vec<Pod>,
    pub(crate) out_of_reach: bool,
    pub(crate) questions: usize,
}

/// The pods that a live question finds.
pub(super) struct LivePods(pub(super) Arc<Mutex<Live>>);

/// A cluster without a Secret.
pub(super) struct NoSecrets;

// === impl Cluster ===

impl Cluster {
    pub(super) fn new(mode: Mode) -> (Self, Sources) {
        let (pods, pod_changes) = channel();
        let (exceptions, exception_changes) = channel();
        let (assignments, assignment_changes) = channel();
        let (bindings, binding_changes) = channel();
        let (identities, identity_changes) = channel();
        let sources = Sources {
            pods: pod_changes,
            exceptions: exception_changes,
            assignments: (mode == Mode::Standard).then_some(assignment_changes),
            bindings: binding_changes,
            identities: identity_changes,
        };
        let live = Arc::default();
        (Self { pods, exceptions, assignments, bindings, identities, live }, sources)
    }

    /// The watches have told of all that exists.
    pub(crate) fn synced(&self) {
        self.synced_but_identities();
        let _ = self.identities.send(Change::Synced);
    }

    /// The same, of all but identities.
    pub(crate) fn synced_but_identities(&self) {
        let _ = self.pods.send(Change::Synced);
        let _ = self.exceptions.send(Change::Synced);
        let _ = self.assignments.send(Change::Synced);
        let _ = self.bindings.send(Change::Synced);
    }

    pub(crate) fn apply_pod(&self, pod: Pod) {
        let _ = self.pods.send(Change::Applied(Arc::new(pod)));
    }

    pub(crate) fn tell_of_pod(&self, change: Change<Pod>) {
        let _ = self.pods.send(change);
    }

    pub(crate) fn remove_pod(&self, id: ObjectRef) {
        let _ = self.pods.send(Change::Gone(id));
    }

    pub(crate) fn apply_exception(&self, exception: Exception) {
        let _ = self.exceptions.send(Change::Applied(Arc::new(exception)));
    }

    pub(crate) fn remove_exception(&self, id: ObjectRef) {
        let _ = self.exceptions.send(Change::Gone(id));
    }

    /// An assignment, and the identity and binding that it was written for.
    pub(crate) fn apply_assignment(&self, assignment: Assignment) {
        self.apply_identity(assignment.identity.clone());
        self.apply_binding(assignment.binding.clone());
        self.apply_record(assignment);
    }

    /// An assignment alone.
    pub(crate) fn apply_record(&self, assignment: Assignment) {
        let _ = self.assignments.send(Change::Applied(Arc::new(assignment)));
    }

    pub(crate) fn remove_assignment(&self, id: ObjectRef) {
        let _ = self.assignments.send(Change::Gone(id));
    }

    pub(crate) fn remove_binding(&self, id: ObjectRef) {
        let _ = self.bindings.send(Change::Gone(id));
    }

    pub(crate) fn apply_binding(&self, binding: Binding) {
        let _ = self.bindings.send(Change::Applied(Arc::new(binding)));
    }

    pub(crate) fn remove_identity(&self, id: ObjectRef) {
        let _ = self.identities.send(Change::Gone(id));
    }

    pub(crate) fn apply_identity(&self, identity: Identity) {
        let _ = self.identities.send(Change::Applied(Arc::new(identity)));
    }
}

fn channel<F: Fact>() -> (mpsc::UnboundedSender<Change<F>>, Changes<F>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let changes = stream::unfold(receiver, |mut receiver| async move {
        // A watch never ends.
        match receiver.recv().await {
            Some(change) => Some((change, receiver)),
            None => std::future::pending().await,
        }
    });
    (sender, changes.boxed())
}

// === impl LivePods, NoSecrets ===

impl ListPods for LivePods {
    fn list(&self) -> BoxFuture<'_, Result<Vec<Pod>, CallError>> {
        let mut live = self.0.lock().unwrap();
        live.questions += 1;
        let unavailable = || CallError::Unavailable {
            what: "list pods".to_owned(),
            problem: "out of reach".to_owned(),
            retry_after: None,
        };
        let answer = if live.out_of_reach { Err(unavailable()) } else { Ok(live.pods.clone()) };
        Box::pin(std::future::ready(answer))
    }
}

impl ReadSecret for NoSecrets {
    fn read<'a>(&'a self, id: &'a ObjectRef) -> BoxFuture<'a, Result<Secret, CallError>> {
        Box::pin(std::future::ready(Err(CallError::Absent { what: id.to_string() })))
    }
}
