//! Which resource does an ARM path name? Fixed words are compared without case.

use super::clusters::KIND as CLUSTERS;
use crate::azure::id::ArmId;
use crate::azure::state::machine::Kind;

/// What a path leads to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route {
    Tenants,
    Subscriptions,
    Subscription(ArmId),
    Groups(ArmId),
    Group(ArmId),
    Machines(ArmId, Kind),
    Machine(ArmId, Kind),
    Instances(ArmId),
    Instance(ArmId, String),
    Identities(ArmId),
    Identity(ArmId),
    Clusters(ArmId),
    Cluster(ArmId),
    RoleAssignments(ArmId),
    RoleAssignment(ArmId, String),
    Operation(ArmId, String),
}

// === impl Route ===

impl Route {
    /// The subscription that pays for the request.
    pub(super) fn subscription(&self) -> Option<&str> {
        match self {
            Self::Tenants | Self::Subscriptions => None,
            Self::Subscription(id)
            | Self::Groups(id)
            | Self::Group(id)
            | Self::Machines(id, _)
            | Self::Machine(id, _)
            | Self::Instances(id)
            | Self::Instance(id, _)
            | Self::Identities(id)
            | Self::Identity(id)
            | Self::Clusters(id)
            | Self::Cluster(id)
            | Self::RoleAssignments(id)
            | Self::RoleAssignment(id, _)
            | Self::Operation(id, _) => id.subscription_id(),
        }
    }
}

/// The route of a path, if ARM has one.
pub(super) fn parse(segments: &[&str]) -> Option<Route> {
    if let Some(route) = role_assignment(segments) {
        return Some(route);
    }
    match segments {
        [word] if is(word, "tenants") => Some(Route::Tenants),
        [word] if is(word, "subscriptions") => Some(Route::Subscriptions),
        [word, subscription, rest @ ..] if is(word, "subscriptions") => in_subscription(subscription, rest),
        _ => None,
    }
}

fn in_subscription(subscription: &str, rest: &[&str]) -> Option<Route> {
    let scope = ArmId::subscription(subscription);
    match rest {
        [] => Some(Route::Subscription(scope)),
        [groups] if is(groups, "resourceGroups") => Some(Route::Groups(scope)),
        [groups, name] if is(groups, "resourceGroups") => {
            Some(Route::Group(ArmId::group(subscription, name)))
        }
        [groups, name, providers, rest @ ..]
            if is(groups, "resourceGroups") && is(providers, "providers") =>
        {
            resource(ArmId::group(subscription, name), rest)
        }
        [providers, compute, locations, _, operations, id]
            if is(providers, "providers")
                && is(compute, "Microsoft.Compute")
                && is(locations, "locations")
                && is(operations, "operations") =>
        {
            Some(Route::Operation(scope, (*id).to_owned()))
        }
        [providers, namespace, kind] if is(providers, "providers") => resource(scope, &[namespace, kind]),
        _ => None,
    }
}

fn resource(scope: ArmId, rest: &[&str]) -> Option<Route> {
    let [namespace, kind, names @ ..] = rest else { return None };
    let full = format!("{namespace}/{kind}");
    if is(&full, "Microsoft.ManagedIdentity/userAssignedIdentities") {
        return match names {
            [] => Some(Route::Identities(scope)),
            [name] => Some(Route::Identity(
                scope.resource("Microsoft.ManagedIdentity/userAssignedIdentities", name),
            )),
            _ => None,
        };
    }
    if is(&full, CLUSTERS) {
        return match names {
            [] => Some(Route::Clusters(scope)),
            [name] => Some(Route::Cluster(scope.resource(CLUSTERS, name))),
            _ => None,
        };
    }
    let kind =
        [Kind::VirtualMachine, Kind::ScaleSet].into_iter().find(|kind| is(&full, kind.resource_type()))?;
    let id = |name: &str| scope.resource(kind.resource_type(), name);
    match names {
        [] => Some(Route::Machines(scope, kind)),
        [name] => Some(Route::Machine(id(name), kind)),
        [name, child, rest @ ..] if kind == Kind::ScaleSet && is(child, "virtualMachines") => match rest {
            [] => Some(Route::Instances(id(name))),
            [instance] => Some(Route::Instance(id(name), (*instance).to_owned())),
            _ => None,
        },
        _ => None,
    }
}

/// Role assignments extend any scope.
fn role_assignment(segments: &[&str]) -> Option<Route> {
    let at = segments.iter().rposition(|segment| is(segment, "providers"))?;
    let (scope, [_, namespace, kind, name @ ..]) = segments.split_at(at) else { return None };
    if !is(namespace, "Microsoft.Authorization") || !is(kind, "roleAssignments") {
        return None;
    }
    let scope = ArmId::new(format!("/{}", scope.join("/")));
    match name {
        [] => Some(Route::RoleAssignments(scope)),
        [name] => Some(Route::RoleAssignment(scope, (*name).to_owned())),
        _ => None,
    }
}

fn is(segment: &str, word: &str) -> bool {
    segment.eq_ignore_ascii_case(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(path: &str) -> Option<Route> {
        parse(&path.split('/').filter(|segment| !segment.is_empty()).collect::<Vec<_>>())
    }

    #[test]
    fn every_path_that_arm_knows_leads_to_its_resource() {
        let group = ArmId::group("s", "rg");
        let set = group.resource("Microsoft.Compute/virtualMachineScaleSets", "set");
        let rg = "/SUBSCRIPTIONS/s/resourcegroups/rg";
        let compute = format!("{rg}/providers/microsoft.compute");
        let identity = "Microsoft.ManagedIdentity/userAssignedIdentities";
        let cases = [
            ("/subscriptions".to_owned(), Route::Subscriptions),
            ("/subscriptions/s".to_owned(), Route::Subscription(ArmId::subscription("s"))),
            (rg.to_owned(), Route::Group(group.clone())),
            (format!("{compute}/virtualmachines"), Route::Machines(group.clone(), Kind::VirtualMachine)),
            (
                "/subscriptions/s/providers/Microsoft.Compute/virtualMachines".to_owned(),
                Route::Machines(ArmId::subscription("s"), Kind::VirtualMachine),
            ),
            (format!("{compute}/virtualMachineScaleSets/set"), Route::Machine(set.clone(), Kind::ScaleSet)),
            (format!("{compute}/virtualMachineScaleSets/set/virtualMachines"), Route::Instances(set.clone())),
            (
                format!("{compute}/virtualMachineScaleSets/set/virtualMachines/0"),
                Route::Instance(set.clone(), "0".into()),
            ),
            (format!("{rg}/providers/{identity}/a"), Route::Identity(group.resource(identity, "a"))),
            (
                format!("{rg}/providers/microsoft.containerservice/managedclusters/c"),
                Route::Cluster(group.resource("Microsoft.ContainerService/managedClusters", "c")),
            ),
            (
                "/subscriptions/s/providers/Microsoft.Compute/locations/westeurope/operations/o".to_owned(),
                Route::Operation(ArmId::subscription("s"), "o".into()),
            ),
            (
                format!("{set}/providers/Microsoft.Authorization/roleAssignments/r"),
                Route::RoleAssignment(set, "r".into()),
            ),
        ];
        for (path, expected) in cases {
            assert_eq!(route(&path), Some(expected), "{path}");
        }
    }

    #[test]
    fn other_paths_lead_nowhere() {
        for path in
            ["/", "/metadata", "/subscriptions/s/other", "/subscriptions/s/resourceGroups/g/providers/A.B/c"]
        {
            assert_eq!(route(path), None, "{path}");
        }
    }
}
