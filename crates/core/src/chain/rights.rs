//! May MIC and NMI do in the cluster what they have to?

use super::index::Index;
use super::{Cross, controller};
use crate::adopt::{Object, Product, Role};
use crate::code::Obstacle;
use crate::ids::ObjectRef;

/// What `account` lacks for its role.
pub(super) fn cross(index: &Index<'_>, account: &ObjectRef, role: Role) -> Option<Cross> {
    let lacks = index.scene.rights.get(account)?.known().filter(|lacks| !lacks.is_empty())?;
    let code = match role {
        Role::Mic => Obstacle::MicForbidden,
        Role::Nmi => Obstacle::NmiForbidden,
    };
    let missing = format!("ServiceAccount {account} of {} may not {}", name(role), lacks.join(", "));
    let ours = index.workloads(Role::Nmi).find(|one| one.product() == Product::Podid);
    Some(
        Cross::new(code, missing)
            .in_object(Object::new("ServiceAccount", account))
            .with_caution("this gives every part of podid the settings of `podid manifests`; with Helm, upgrade the release")
            .mended_by([controller::install(ours)]),
    )
}

fn name(role: Role) -> &'static str {
    match role {
        Role::Mic => "MIC",
        Role::Nmi => "NMI",
    }
}
