//! What keeps a pod from its token that NMI itself cannot know, or cannot say?
//!
//! The cluster's objects and Azure tell; `podid why` and `podid doctor` look, and MIC's events say what
//! MIC was told.

use super::table;

table! {
    /// What stands between a pod and its token, seen from outside, one for each thing that somebody may do about it.
    Obstacle,
    /// A definition of the custom resources is missing in the cluster.
    CrdsMissing = "crds-missing",
    /// A definition of the custom resources in the cluster is not the one that this podid brings.
    CrdsOutdated = "crds-outdated",
    /// The admission policies that keep others from writing what podid trusts are not in the cluster.
    PoliciesMissing = "policies-missing",
    /// Something of aad-pod-identity is still in the cluster.
    OriginalPresent = "original-present",
    /// An `AzureAssignedIdentity` names a pod that does not exist.
    RecordOrphaned = "record-orphaned",
    /// The pod has ended, so it asks for nothing and its identities were released.
    PodFinished = "pod-finished",
    /// The pod has no node yet.
    PodUnscheduled = "pod-unscheduled",
    /// The pod shares its node's network, so IMDS answers it as it answers the node.
    HostNetwork = "host-network",
    /// An `AzurePodIdentityException` covers the pod, so IMDS answers it as it answers the node.
    Excepted = "excepted",
    /// The pod's node does not exist.
    NodeMissing = "node-missing",
    /// The pod's node does not run Linux, and NMI does.
    NodeNotLinux = "node-not-linux",
    /// The pod's node is no machine of Azure, so no identity can be put on it.
    NodeNotAzure = "node-not-azure",
    /// The pod's node does not say which machine it is (`spec.providerID`), so no identity can be put on it.
    NoProviderId = "no-provider-id",
    /// The node still has the taint that NMI removes when it is ready.
    StartupTaint = "startup-taint",
    /// There is no MIC in the cluster, and NMI waits for its assignments.
    MicAbsent = "mic-absent",
    /// No pod of MIC is ready.
    MicNotReady = "mic-not-ready",
    /// No pod of MIC holds the leader lock, so nobody assigns.
    MicNoLeader = "mic-no-leader",
    /// The controller of aad-pod-identity holds the leader lock, so podid's waits.
    OriginalLeads = "original-leads",
    /// MIC's service account lacks a right in the cluster.
    MicForbidden = "mic-forbidden",
    /// MIC and NMI are told differently how far bindings reach (`--forceNamespaced`).
    ReachDiffers = "reach-differs",
    /// MIC cannot write the pod's `AzureAssignedIdentity`.
    RecordUnwritten = "record-unwritten",
    /// MIC cannot write down what it puts on machines (ConfigMap `podid-ownership`), so it puts nothing on any.
    LedgerUnwritten = "ledger-unwritten",
    /// MIC gets no token for ARM.
    MicNoLogin = "mic-no-login",
    /// MIC's own identity lacks Managed Identity Operator on the identity.
    NoOperatorRole = "no-operator-role",
    /// MIC's own identity may not write the node's machine or scale set.
    NoMachineRole = "no-machine-role",
    /// The identity does not exist in Azure.
    IdentityDeleted = "identity-deleted",
    /// ARM refuses to put the identity on the node's machine or scale set, and MIC tries again later.
    IdentityRefused = "identity-refused",
    /// The node's machine or scale set does not exist in Azure.
    MachineMissing = "machine-missing",
    /// ARM throttles, is unwell or does not answer, so MIC waits.
    ArmTrouble = "arm-trouble",
    /// There is no NMI in the cluster.
    NmiAbsent = "nmi-absent",
    /// NMI has no pod on the node.
    NmiNotOnNode = "nmi-not-on-node",
    /// The NMI of aad-pod-identity runs on the node.
    OriginalAgent = "original-agent",
    /// NMI's pod on the node does not run.
    NmiNotRunning = "nmi-not-running",
    /// NMI does not start because the node uses kubenet, where a pod can take another's address.
    Kubenet = "kubenet",
    /// NMI's service account lacks a right in the cluster.
    NmiForbidden = "nmi-forbidden",
    /// NMI's pod on the node runs and is not ready.
    NmiNotReady = "nmi-not-ready",
    /// NMI found by its own test that connections to the metadata address do not reach it.
    RedirectBroken = "redirect-broken",
}
