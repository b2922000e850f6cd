//! Which identities would podid refuse?

use super::finding::some;
use super::{Code, Finding, Identity, Level, Object, View};
use crate::facts::InvalidIdentity;
use crate::ids::InvalidId;

pub(super) fn find(view: &View<'_>) -> Vec<Finding> {
    let identities = view.cluster.identities().iter();
    identities.flat_map(|identity| of_one(view, identity)).flatten().collect()
}

fn of_one(view: &View<'_>, identity: &Identity) -> [Option<Finding>; 3] {
    [refused(view, identity), authority(view, identity), auxiliary_tenants(identity)]
}

/// What a decision says of it; a Secret elsewhere is told where Secrets are.
fn refused(view: &View<'_>, identity: &Identity) -> Option<Finding> {
    let problem = identity.fact.kind.as_ref().err()?;
    let code = match problem {
        InvalidIdentity::Id(InvalidId::Identity(_)) => Code::ResourceId,
        InvalidIdentity::Id(InvalidId::Empty(_)) => Code::ClientIdMissing,
        InvalidIdentity::Type(_) => Code::UnknownType,
        InvalidIdentity::Missing(_) | InvalidIdentity::Tenant(_) => Code::PrincipalIncomplete,
        InvalidIdentity::SecretElsewhere(_) => return None,
    };
    let users = users(view, identity);
    let whom = if users.is_empty() { String::new() } else { format!(" Its pods: {users}.") };
    Some(Finding {
        code,
        level: Level::Changes,
        object: object(identity),
        change: format!("podid does not use it: {problem}.{whom}"),
        action: remedy(code, identity),
    })
}

fn remedy(code: Code, identity: &Identity) -> String {
    let id = &identity.fact.id;
    let patch = |field: &str, value: &str| {
        format!(
            "kubectl patch azureidentity -n {} {} --type=merge -p '{{\"spec\":{{\"{field}\":\"{value}\"}}}}'",
            id.namespace, id.name
        )
    };
    match code {
        Code::ResourceId => {
            patch("resourceID", "RESOURCE_ID") + " (az identity show -g GROUP -n NAME --query id)"
        }
        Code::ClientIdMissing if identity.type_ == 0 => {
            patch("clientID", "CLIENT_ID") + " (az identity show -g GROUP -n NAME --query clientId)"
        }
        Code::ClientIdMissing => patch("clientID", "APPLICATION_ID"),
        _ => format!("kubectl edit azureidentity -n {} {}", id.namespace, id.name),
    }
}

fn authority(view: &View<'_>, identity: &Identity) -> Option<Finding> {
    let authority = identity.authority.as_ref().filter(|_| identity.type_ != 0)?;
    let why = (view.plan.refuses_authority)(authority)?;
    Some(Finding {
        code: Code::Authority,
        level: Level::Changes,
        object: object(identity),
        change: format!("podid does not send its credential to adEndpoint: {}.", why.trim_end_matches('.')),
        action: "Remove spec.adEndpoint if it names the usual cloud; else allow the host, if https is spoken there: --set \
                 'nmi.allowedAuthorities={HOST}'"
            .to_owned(),
    })
}

fn auxiliary_tenants(identity: &Identity) -> Option<Finding> {
    (identity.auxiliary_tenants > 0 && identity.type_ == 1).then(|| Finding {
        code: Code::AuxiliaryTenants,
        level: Level::Changes,
        object: object(identity),
        change: "The original answers with a list of tokens, which no SDK reads; podid answers with the token of the \
                 first tenant, as IMDS does."
            .to_owned(),
        action: "A program that reads the list itself has to be changed.".to_owned(),
    })
}

/// The pods that are bound to it.
fn users(view: &View<'_>, identity: &Identity) -> String {
    let id = &identity.fact.id;
    let bindings: Vec<_> = view
        .cluster
        .bindings()
        .iter()
        .filter(|binding| binding.id.namespace == id.namespace && binding.identity == id.name)
        .collect();
    let pods = view.cluster.pods().iter().map(|pod| &pod.fact).filter(|pod| pod.is_live());
    some(
        pods.filter(|pod| bindings.iter().any(|binding| pod.selector() == Some(&*binding.selector)))
            .map(|pod| &pod.id),
    )
}

pub(super) fn object(identity: &Identity) -> Object {
    Object::new("AzureIdentity", &identity.fact.id)
}
