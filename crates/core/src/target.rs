//! Which VM or scale set is this node?
//!
//! `spec.providerID` says so, in one of two forms (peer contract §2.6), with or without a scheme in
//! front and in any letter case:
//!
//! ```text
//! azure:///subscriptions/S/resourceGroups/G/providers/Microsoft.Compute/virtualMachines/N
//! azure:///subscriptions/S/resourceGroups/G/providers/Microsoft.Compute/virtualMachineScaleSets/N/virtualMachines/I
//! ```
//!
//! Subscription and group come from the id itself, never from azure.json, and a machine's name is
//! the one in the id, not the node's (W-17, W-18). An instance of a flexible scale set has the id of
//! a plain machine, and is one.

use crate::facts::Node;
use crate::ids::{ComputeId, is_name_character};

/// Why a node is on no VM or scale set that could carry identities.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoTarget {
    /// The cloud controller has not written the providerID yet, or never will.
    #[error("the node has no spec.providerID (yet)")]
    Empty,
    /// The node is not an Azure machine: another cloud, a virtual kubelet, a test cluster.
    #[error("spec.providerID {0:?} is not that of an Azure VM or scale set instance")]
    NotAzure(String),
}

/// The VM or scale set that `node` runs on.
pub fn target(node: &Node) -> Result<ComputeId, NoTarget> {
    let written = node.provider_id.trim();
    if written.is_empty() {
        return Err(NoTarget::Empty);
    }
    instance(path(written)).ok_or_else(|| NoTarget::NotAzure(written.to_owned()))
}

/// The VM or scale set with the ARM id `text`, such as podid writes into its ledger.
pub fn parse(text: &str) -> Option<ComputeId> {
    let (kind, [subscription, group, name], rest) = split(text.trim())?;
    rest.is_empty().then(|| match kind {
        Kind::Machine => ComputeId::virtual_machine(subscription, group, name),
        Kind::ScaleSet => ComputeId::scale_set(subscription, group, name),
    })
}

/// The id without the scheme `azure://`; other schemes stay, and then fail to parse.
fn path(written: &str) -> &str {
    const SCHEME: &str = "azure://";
    match written.get(..SCHEME.len()) {
        Some(start) if start.eq_ignore_ascii_case(SCHEME) => &written[SCHEME.len()..],
        _ => written,
    }
}

/// A machine itself, or the scale set of the instance that `path` names.
fn instance(path: &str) -> Option<ComputeId> {
    let (kind, [subscription, group, name], rest) = split(path)?;
    match (kind, rest.as_slice()) {
        (Kind::Machine, []) => Some(ComputeId::virtual_machine(subscription, group, name)),
        (Kind::ScaleSet, [machines, _instance]) if machines.eq_ignore_ascii_case("virtualMachines") => {
            Some(ComputeId::scale_set(subscription, group, name))
        }
        _ => None,
    }
}

/// The type segment that carries identities.
enum Kind {
    Machine,
    ScaleSet,
}

/// Type, `[subscription, group, name]` and what follows, if `path` is below `Microsoft.Compute`.
fn split(path: &str) -> Option<(Kind, [&str; 3], Vec<&str>)> {
    let parts: Vec<&str> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
    if !parts.iter().all(|part| is_segment(part)) {
        return None;
    }
    let (head, rest) = parts.split_first_chunk::<8>()?;
    let [subscriptions, subscription, groups, group, providers, provider, kind, name] = *head;
    let fixed = [
        (subscriptions, "subscriptions"),
        (groups, "resourceGroups"),
        (providers, "providers"),
        (provider, "Microsoft.Compute"),
    ];
    if !fixed.iter().all(|(part, word)| part.eq_ignore_ascii_case(word)) {
        return None;
    }
    let kind = if kind.eq_ignore_ascii_case("virtualMachines") {
        Kind::Machine
    } else if kind.eq_ignore_ascii_case("virtualMachineScaleSets") {
        Kind::ScaleSet
    } else {
        return None;
    };
    Some((kind, [subscription, group, name], rest.to_vec()))
}

/// Whether `part` can be one segment of an ARM path and nothing else.
fn is_segment(part: &str) -> bool {
    !part.is_empty() && part != "." && part != ".." && part.chars().all(is_name_character)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{ComputeKind, NodeName};

    const VM: &str =
        "/subscriptions/s-1/resourceGroups/MC_rg/providers/Microsoft.Compute/virtualMachines/vm-0";
    const INSTANCE: &str = "/subscriptions/s-1/resourceGroups/MC_rg/providers/Microsoft.Compute/\
                            virtualMachineScaleSets/pool/virtualMachines/3";

    fn on(provider_id: &str) -> Result<ComputeId, NoTarget> {
        target(&Node { name: NodeName::new("node-name"), provider_id: provider_id.into() })
    }

    /// W-18.
    #[test]
    fn a_machine_is_named_by_its_provider_id_and_not_by_its_node() {
        let vm = on(&format!("azure://{VM}")).unwrap();
        assert_eq!(vm, ComputeId::virtual_machine("s-1", "MC_rg", "vm-0"));
        assert_eq!(vm.kind(), ComputeKind::VirtualMachine);
    }

    #[test]
    fn all_instances_of_a_scale_set_are_one_target() {
        let third = on(&format!("azure://{INSTANCE}")).unwrap();
        let ninth = on(&format!("azure://{}", INSTANCE.replace("/3", "/9"))).unwrap();
        assert_eq!(third, ComputeId::scale_set("s-1", "MC_rg", "pool"));
        assert_eq!(third, ninth);
    }

    /// W-18.
    #[test]
    fn every_spelling_of_one_id_is_one_target() {
        let expected = on(INSTANCE).unwrap();
        let spellings = [
            format!("azure://{INSTANCE}"),
            format!("AZURE://{}", INSTANCE.to_ascii_lowercase()),
            INSTANCE.to_ascii_uppercase(),
            INSTANCE[1..].to_owned(),
            format!(" azure://{INSTANCE}\n"),
        ];
        for spelling in spellings {
            assert_eq!(on(&spelling).as_ref(), Ok(&expected), "{spelling}");
        }
    }

    /// W-17.
    #[test]
    fn same_names_in_other_groups_or_subscriptions_are_other_targets() {
        let one = on(INSTANCE).unwrap();
        assert_ne!(one, on(&INSTANCE.replace("MC_rg", "MC_other")).unwrap());
        assert_ne!(one, on(&INSTANCE.replace("s-1", "s-2")).unwrap());
    }

    #[test]
    fn an_id_that_was_written_is_read_again() {
        let ids = [ComputeId::virtual_machine("s-1", "g", "vm"), ComputeId::scale_set("s-1", "g", "pool")];
        for id in ids {
            assert_eq!(parse(id.as_str()), Some(id.clone()));
            assert_eq!(parse(&format!("{id}/virtualMachines/0")), None);
        }
    }

    #[test]
    fn a_node_without_provider_id_says_so() {
        assert_eq!(on(""), Err(NoTarget::Empty));
        assert_eq!(on("  "), Err(NoTarget::Empty));
    }

    #[test]
    fn what_is_not_an_azure_machine_is_refused() {
        let bad = [
            "aws:///us-west-2a/i-0123456789".to_owned(),
            "kind://docker/kind/kind-control-plane".to_owned(),
            format!("aws://{VM}"),
            "azure:///subscriptions/s-1/resourceGroups/g".to_owned(),
            VM.replace("Microsoft.Compute", "Microsoft.ContainerInstance"),
            VM.replace("virtualMachines", "disks"),
            format!("{VM}/extensions/x"),
            INSTANCE.replace("/virtualMachines/3", ""),
            INSTANCE.replace("/virtualMachines/3", "/disks/3"),
            VM.replace("vm-0", ".."),
            VM.replace("vm-0", "a?b"),
            VM.replace("MC_rg", ""),
            format!("{VM}/"),
        ];
        for text in bad {
            assert!(matches!(on(&text), Err(NoTarget::NotAzure(_))), "{text}");
        }
    }
}
