//! By which short word is a refusal known, in answers, logs and metrics?
//!
//! The words stay as they are: people search for them and alert on them.

use crate::code::table;

table! {
    /// Why a caller gets no token, one for each thing that somebody may do about it.
    Cause,
    /// The pod has no label `aadpodidbinding`, or an empty one.
    NoLabel = "no-label",
    /// No `AzureIdentityBinding` in reach has the selector that the pod's label names.
    NoBinding = "no-binding",
    /// Only bindings or identities of other namespaces match, and matching is namespaced.
    OtherNamespace = "other-namespace",
    /// The pod's binding names an `AzureIdentity` that does not exist.
    IdentityMissing = "identity-missing",
    /// The spec of the pod's `AzureIdentity` cannot be used.
    IdentityInvalid = "identity-invalid",
    /// The identity must never be given to a pod (`--protected-identity`).
    IdentityProtected = "identity-protected",
    /// The pod asks for another identity than those that it has.
    NotGranted = "not-granted",
    /// MIC has not recorded an assignment for the pod.
    NotAssigned = "not-assigned",
    /// The identity is being put on the node's machine or scale set.
    Assigning = "assigning",
    /// The assignment was made for another version of the identity, which MIC has to write anew.
    AssignmentOutdated = "assignment-outdated",
    /// IMDS does not know the identity on the node's machine or scale set.
    UnknownToImds = "unknown-to-imds",
    /// The agent has just started and has not read the cluster's objects.
    Starting = "starting",
    /// No pod of the node has the address that the request came from.
    CallerUnknown = "caller-unknown",
    /// Two pods that may still run have the address that the request came from.
    CallerAmbiguous = "caller-ambiguous",
    /// Nobody could be asked whose the address is that the request came from.
    CallerUnconfirmed = "caller-unconfirmed",
    /// The address has just become another pod's.
    CallerChanged = "caller-changed",
    /// The address is claimed by another pod as well, which could read the answer.
    CallerClaimed = "caller-claimed",
    /// The path is for excepted pods only.
    NotExcepted = "not-excepted",
    /// The pod's exception went away while its request was passed on.
    ExceptionGone = "exception-gone",
    /// Instance metadata is blocked (`--block-instance-metadata`).
    InstanceBlocked = "instance-blocked",
    /// The request lacks the header `Metadata: true`, as probes of SDKs do.
    NoMetadataHeader = "no-metadata-header",
    /// The request names no resource.
    NoResource = "no-resource",
    /// The query repeats a parameter, names two identities, or has a value that cannot be one.
    BadQuery = "bad-query",
    /// The path is not written plainly, or the request has none.
    BadPath = "bad-path",
    /// The path lies below `/metadata/identity` and is not the token route.
    UnknownPath = "unknown-path",
    /// The path belongs to the second version of the identity endpoint.
    SecondVersion = "second-version",
    /// Tokens are asked for by GET.
    BadMethod = "bad-method",
    /// The body is too large or came too slowly.
    BadBody = "bad-body",
    /// The request carries `X-Forwarded-For`, so somebody passed it on.
    Forwarded = "forwarded",
    /// The route `/host/token/` is off (`--host-token-route`).
    HostTokenOff = "host-token-off",
    /// The route `/host/token/` was asked from elsewhere than the node.
    HostTokenForeign = "host-token-foreign",
    /// A request for `/host/token/` does not say which pod it is for.
    HostTokenUnnamed = "host-token-unnamed",
    /// A request for `/host/token/` names a pod that does not run on the node.
    HostTokenNoPod = "host-token-no-pod",
    /// IMDS or Entra wants to be asked less.
    Throttled = "throttled",
    /// IMDS or Entra gave no usable answer.
    UpstreamDown = "upstream-down",
    /// IMDS or Entra refuses the token for good.
    UpstreamRefused = "upstream-refused",
    /// IMDS or Entra took longer than a request may be held.
    UpstreamSlow = "upstream-slow",
    /// The identity's Secret could not be read this time.
    SecretUnread = "secret-unread",
    /// The identity's Secret, authority or certificate has to be changed first.
    IdentityUnusable = "identity-unusable",
}

// === impl Cause ===

impl Cause {
    /// Whether it is the owner of the pod who can mend it, with the pod or what is bound to it.
    ///
    /// A pod without the label is none of ours: many an SDK tries a managed identity first and goes on without one.
    pub fn is_for_the_owner(self) -> bool {
        matches!(
            self,
            Self::NoBinding
                | Self::OtherNamespace
                | Self::IdentityMissing
                | Self::IdentityInvalid
                | Self::IdentityProtected
                | Self::NotGranted
                | Self::UnknownToImds
                | Self::UpstreamRefused
                | Self::IdentityUnusable
        )
    }
}
