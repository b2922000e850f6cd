//! How is a [`Ledger`] written so that people can read it, and read again?
//!
//! In the ConfigMap [`NAME`], one entry for each VM or scale set, which is YAML of a fixed shape:
//!
//! ```text
//! target: /subscriptions/S/resourceGroups/G/providers/Microsoft.Compute/virtualMachineScaleSets/N
//! put: # by podid, which takes them off when no pod needs them
//! - /subscriptions/S/resourceGroups/G/providers/Microsoft.ManagedIdentity/userAssignedIdentities/A
//! - B
//! found: # there before or protected, never taken off
//! - /subscriptions/S/resourceGroups/G/providers/Microsoft.ManagedIdentity/userAssignedIdentities/C
//! ```
//!
//! A name alone is in the resource group of the line before: the ids of a group differ by little else, and
//! a ConfigMap holds ten times as many names.

use crate::assign::Ledger;
use crate::ids::{ComputeId, ComputeKind, IdentityResourceId};
use crate::target;

/// Name of the ConfigMap, in the namespace of whoever puts identities on nodes.
pub const NAME: &str = "podid-ownership";

/// Most bytes of all entries: a ConfigMap holds 1 MiB, and the API server's own fields need some of it.
pub const SIZE_LIMIT: usize = 1_000_000;

const PUT: &str = "put: # by podid, which takes them off when no pod needs them";
const FOUND: &str = "found: # there before or protected, never taken off";

/// Key of the target's entry: kind and name for people, a hash of the id because names repeat and
/// may hold what a key must not.
pub fn key(target: &ComputeId) -> String {
    let kind = match target.kind() {
        ComputeKind::VirtualMachine => "vm",
        ComputeKind::ScaleSet => "vmss",
    };
    let name: String =
        target.name().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(64).collect();
    format!("{kind}.{}.{:08x}", name.to_ascii_lowercase(), hash(target.folded()))
}

/// The entry of `target`.
pub fn render(target: &ComputeId, ledger: &Ledger) -> String {
    let lists = [(PUT, &ledger.put), (FOUND, &ledger.found)];
    let mut text = format!("target: {target}\n");
    for (title, ids) in lists.into_iter().filter(|(_, ids)| !ids.is_empty()) {
        let mut group = "";
        text.extend([title, "\n"]);
        for id in ids {
            let (within, name) = split(id.as_str());
            text.extend(["- ", if within == group { name } else { id.as_str() }, "\n"]);
            group = within;
        }
    }
    text
}

/// An id up to its last slash, that one included, and the name behind it.
fn split(id: &str) -> (&str, &str) {
    id.split_at(id.rfind('/').map_or(0, |slash| slash + 1))
}

/// Reads an entry. None where a line is not understood: what may be half read is not acted on.
pub fn parse(text: &str) -> Option<(ComputeId, Ledger)> {
    let mut target = None;
    let mut ledger = Ledger::default();
    let mut list = None;
    let mut group = "";
    for line in text.lines() {
        let line = line.split(" #").next().unwrap_or_default().trim();
        match line {
            "" => {}
            "put:" => (list, group) = (Some(&mut ledger.put), ""),
            "found:" => (list, group) = (Some(&mut ledger.found), ""),
            line => match (line.strip_prefix("target:"), line.strip_prefix("- "), &mut list) {
                (Some(id), _, _) => target = Some(target::parse(id)?),
                (None, Some(id), Some(list)) => {
                    let (within, name) = split(id);
                    if !within.is_empty() {
                        group = within;
                    }
                    list.insert(IdentityResourceId::parse(&format!("{group}{name}")).ok()?);
                }
                _ if line.starts_with('#') => {}
                _ => return None,
            },
        }
    }
    Some((target?, ledger))
}

/// FNV-1a: the same in every process and version.
fn hash(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(name: &str) -> IdentityResourceId {
        let id = format!(
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}"
        );
        IdentityResourceId::parse(&id).unwrap()
    }

    #[test]
    fn an_entry_is_read_as_it_was_written() {
        let target = ComputeId::scale_set("s", "MC_(g)", "aks-pool-1");
        let ledger = Ledger { put: [identity("a"), identity("b")].into(), found: [identity("c")].into() };
        let text = render(&target, &ledger);
        assert_eq!(parse(&text), Some((target.clone(), ledger)));
        assert_eq!(parse(&render(&target, &Ledger::default())), Some((target, Ledger::default())));
        assert!(text.starts_with("target: /subscriptions/s/"), "{text}");
    }

    #[test]
    fn an_entry_that_is_not_understood_is_left_out_as_a_whole() {
        let good = render(
            &ComputeId::scale_set("s", "g", "n"),
            &Ledger { put: [identity("a")].into(), ..Ledger::default() },
        );
        for bad in [
            good.replace("target", "target of"),
            good.replace("put:", "puts:"),
            good.replace("userAssigned", "other"),
            good.replace("virtualMachineScaleSets", "disks"),
            "- x".to_owned(),
            String::new(),
        ] {
            assert_eq!(parse(&bad), None, "{bad}");
        }
        assert!(parse(&format!("# a note\n\n{good}")).is_some());
    }

    #[test]
    fn a_name_alone_is_in_the_group_of_the_line_before_and_of_nothing_in_a_list_s_first_line() {
        let other = identity("z").as_str().replace("/g/", "/h/");
        let ledger = Ledger {
            put: [identity("a"), identity("b"), IdentityResourceId::parse(&other).unwrap(), identity("c")]
                .into(),
            found: [identity("d")].into(),
        };
        let target = ComputeId::scale_set("s", "g", "n");
        let text = render(&target, &ledger);
        assert!(text.contains("\n- b\n- c\n"), "{text}");
        assert_eq!(parse(&text), Some((target.clone(), ledger.clone())));
        // Each id in full, as it may be written by hand.
        let full: String = ledger.put.iter().map(|id| format!("- {id}\n")).collect();
        let full = format!("target: {target}\nput:\n{full}found:\n- {}\n", identity("d"));
        assert_eq!(parse(&full), Some((target, ledger)));
        assert_eq!(parse(&text.replace(&format!("- {}", identity("d")), "- d")), None);
    }

    #[test]
    fn a_hundred_scale_sets_with_every_identity_of_a_large_cluster_fit_into_one_config_map() {
        let ledger = Ledger {
            put: (0..200).map(|number| identity(&format!("identity-of-team-{number:03}"))).collect(),
            ..Ledger::default()
        };
        let one = render(&ComputeId::scale_set("s", "g", "aks-pool-12345678-vmss"), &ledger);
        assert!(100 * one.len() < SIZE_LIMIT, "{} bytes each", one.len());
    }

    #[test]
    fn keys_are_valid_and_differ_where_names_do_not() {
        let keys = [
            key(&ComputeId::scale_set("s", "g", "pool")),
            key(&ComputeId::scale_set("s", "other", "pool")),
            key(&ComputeId::virtual_machine("s", "g", "pool")),
            key(&ComputeId::virtual_machine("s", "g", "ünïcode_(x)")),
        ];
        for (n, one) in keys.iter().enumerate() {
            assert!(one.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)), "{one}");
            assert!(keys[..n].iter().all(|other| other != one));
        }
        assert_eq!(key(&ComputeId::scale_set("S", "G", "POOL")), keys[0], "one target, one key");
    }
}
