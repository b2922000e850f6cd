//! Is the identity in Azure, and on the machine or scale set of the pod's node?

use super::scene::{AzureIdentity, Machine, Seen};
use super::walk::View;
use super::{Cross, Outcome, mend};
use crate::adopt::Object;
use crate::answer::Mode;
use crate::code::{Code, Obstacle};
use crate::ids::{ComputeId, ComputeKind, IdentityResourceId};
use crate::refusal::Cause;
use crate::select::Grant;

pub(super) fn look(view: &View<'_>, grant: &Grant<'_>) -> Outcome {
    if let Some(cross) = cross(view, grant) {
        return cross.into();
    }
    let scene = view.index.scene;
    let Some(id) = grant.identity.resource_id() else {
        return Outcome::Spared("it is no managed identity".to_owned());
    };
    let asked = (place(view).and_then(|target| scene.machines.get(&target)), scene.managed.get(id));
    match asked {
        (Some(Seen::Known(_)), Some(Seen::Known(_))) => {
            Outcome::Holds("the identity exists and is on the node's machine or scale set".to_owned())
        }
        (Some(Seen::Unseen(why)), _) | (_, Some(Seen::Unseen(why))) => Outcome::Unseen(why.to_string()),
        _ => Outcome::Unseen(scene.azure_unseen.to_string()),
    }
}

/// The VM or scale set of the view's pod, where it has one.
pub(super) fn place(view: &View<'_>) -> Option<ComputeId> {
    view.index.target(view.pod)
}

/// What Azure itself says against it.
pub(super) fn cross(view: &View<'_>, grant: &Grant<'_>) -> Option<Cross> {
    let scene = view.index.scene;
    let id = grant.identity.resource_id()?;
    let object = Object::new("AzureIdentity", &grant.identity.id);
    let managed = scene.managed.get(id).and_then(Seen::known);
    if let Some(None) = managed {
        return Some(mended(
            view,
            grant,
            Obstacle::IdentityDeleted.into(),
            &format!("{id} does not exist in Azure"),
        ));
    }
    if let Some(Some(AzureIdentity { client_id: Some(real) })) = managed
        && let Ok(kind) = &grant.identity.kind
        && kind.client_id() != real
    {
        let missing = format!(
            "AzureIdentity {} has the client id {}, but {} has {real} in Azure; NMI gives no token for such a pair",
            grant.identity.id,
            kind.client_id(),
            id.name()
        );
        let patch = format!(r#"{{"spec":{{"clientID":{}}}}}"#, mend::json(real.as_str()));
        let command = mend::patch("azureidentity", &grant.identity.id, &patch);
        return Some(Cross::new(Cause::IdentityUnusable, missing).in_object(object).mended_by([command]));
    }
    let target = place(view)?;
    match scene.machines.get(&target)?.known()? {
        None => {
            let missing = format!("{target} does not exist in Azure");
            Some(mended(view, grant, Obstacle::MachineMissing.into(), &missing))
        }
        Some(Machine { identities }) if identities.contains(id) => None,
        Some(_) => {
            let missing = format!("{} is not on {} {}", id.name(), target.kind().noun(), target.name());
            let cross =
                Cross::new(Cause::UnknownToImds, missing).in_object(object).mended_by([put(&target, id)]);
            Some(if view.agent.mode == Mode::Standard {
                cross.with_caution("MIC puts it there again when it next compares, within minutes")
            } else {
                cross
            })
        }
    }
}

/// Puts an identity on a machine.
fn put(target: &ComputeId, id: &IdentityResourceId) -> String {
    let group = segment(target.as_str(), "resourceGroups");
    let what = match target.kind() {
        ComputeKind::VirtualMachine => "vm",
        ComputeKind::ScaleSet => "vmss",
    };
    let (group, name) = (mend::word(group), mend::word(target.name()));
    format!("az {what} identity assign -g {group} -n {name} --identities {}", mend::word(id.as_str()))
}

/// A cross for something that ARM says of `grant`, with what mends it.
pub(super) fn mended(view: &View<'_>, grant: &Grant<'_>, code: Code, missing: &str) -> Cross {
    let cross = Cross::new(code, missing).in_object(Object::new("AzureIdentityBinding", &grant.binding.id));
    let Some(id) = grant.identity.resource_id() else { return cross };
    let (group, scope) = (mend::word(segment(id.as_str(), "resourceGroups")), mend::word(id.as_str()));
    let Code::Obstacle(obstacle) = code else { return cross };
    match obstacle {
        Obstacle::NoOperatorRole => cross.mended_by([format!(
            "az role assignment create --role 'Managed Identity Operator' --assignee PRINCIPAL_ID_OF_MIC --scope {scope}"
        )]),
        Obstacle::NoMachineRole => {
            let target = place(view);
            let scope = target.as_ref().map_or("SCOPE", |target| group_scope(target.as_str()));
            cross.mended_by([format!(
                "az role assignment create --role 'Virtual Machine Contributor' --assignee PRINCIPAL_ID_OF_MIC --scope {}",
                mend::word(scope)
            )])
        }
        Obstacle::IdentityDeleted => {
            let name = mend::word(id.name());
            let new = format!(
                "kubectl patch azureidentity {} -n {} --type merge -p \"{{\\\"spec\\\":{{\\\"clientID\\\":\\\"$(az identity \
                 show -g {group} -n {name} --query clientId -o tsv)\\\"}}}}\"",
                mend::word(&grant.identity.id.name),
                mend::word(&grant.identity.id.namespace)
            );
            cross
                .in_object(Object::new("AzureIdentity", &grant.identity.id))
                .with_caution("an identity of the same name is another one: its roles have to be granted again")
                .mended_by([format!("az identity create -g {group} -n {name}"), new])
        }
        Obstacle::MachineMissing => match &view.pod.fact.node {
            Some(node) => cross
                .with_caution("the node's object outlived its machine")
                .mended_by([format!("kubectl delete node {}", mend::word(node.as_str()))]),
            None => cross,
        },
        _ => cross.mended_by([format!(
            "kubectl describe azureidentitybinding {} -n {}",
            mend::word(&grant.binding.id.name),
            mend::word(&grant.binding.id.namespace)
        )]),
    }
}

/// What follows `key` in an ARM id.
fn segment<'a>(id: &'a str, key: &str) -> &'a str {
    let mut parts = id.split('/');
    parts.by_ref().find(|part| part.eq_ignore_ascii_case(key));
    parts.next().unwrap_or_default()
}

/// The resource group's own id.
fn group_scope(id: &str) -> &str {
    let end = id.match_indices('/').nth(4).map_or(id.len(), |(end, _)| end);
    &id[..end.min(id.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_of_an_id_is_found_whatever_its_letters() {
        let id = "/subscriptions/s/resourcegroups/MC_rg/providers/Microsoft.Compute/virtualMachines/vm";
        assert_eq!(segment(id, "resourceGroups"), "MC_rg");
        assert_eq!(group_scope(id), "/subscriptions/s/resourcegroups/MC_rg");
    }
}
