//! What may somebody write, where, and by which role?

use podid_kube::census::{Grant, Written};

use crate::cluster::Picture;
use crate::target::Target;
use crate::verdict::Finding;

/// A finding for each role that lets the target write one of `kinds`; roles that allow everything apart.
pub(super) fn written(picture: &Picture, target: &Target, kinds: &[(Written, &str)]) -> Vec<Finding> {
    let grants = picture.grants.as_ref().and_then(|all| all.get(target.name()));
    let grants = grants.into_iter().flatten().filter(|grant| !grant.everything && !is_control_plane(grant));
    let said = grants.filter_map(|grant| {
        let names: Vec<&str> =
            kinds.iter().filter(|(kind, _)| grant.written.contains(kind)).map(|(_, name)| *name).collect();
        let place = grant
            .namespace
            .as_ref()
            .map_or_else(|| "every namespace".to_owned(), |namespace| format!("namespace {namespace}"));
        let text = format!("May write {} in {place}, by {}.", names.join(" and "), grant.role);
        (!names.is_empty()).then(|| Finding::from(text))
    });
    said.collect()
}

/// Controllers of the control plane tidy up objects of every kind.
fn is_control_plane(grant: &Grant) -> bool {
    grant.subject.starts_with("ServiceAccount kube-system/")
        && grant.role.starts_with("ClusterRole system:controller:")
}
