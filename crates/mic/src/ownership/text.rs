//! How is a ledger written so that people can read it, and read again?
//!
//! One entry is YAML of a fixed shape:
//!
//! ```text
//! target: /subscriptions/S/resourceGroups/G/providers/Microsoft.Compute/virtualMachineScaleSets/N
//! put: # by podid, which takes them off when no pod needs them
//! - /subscriptions/S/resourceGroups/G/providers/Microsoft.ManagedIdentity/userAssignedIdentities/A
//! found: # there before or protected, never taken off
//! - /subscriptions/S/resourceGroups/G/providers/Microsoft.ManagedIdentity/userAssignedIdentities/B
//! ```

use podid_core::assign::Ledger;
use podid_core::ids::{ComputeId, ComputeKind, IdentityResourceId};
use podid_core::target;

const PUT: &str = "put: # by podid, which takes them off when no pod needs them";
const FOUND: &str = "found: # there before or protected, never taken off";

/// Key of the target's entry: kind and name for people, a hash of the id because names repeat and
/// may hold what a key must not.
pub(super) fn key(target: &ComputeId) -> String {
    let kind = match target.kind() {
        ComputeKind::VirtualMachine => "vm",
        ComputeKind::ScaleSet => "vmss",
    };
    let name: String =
        target.name().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(64).collect();
    format!("{kind}.{}.{:08x}", name.to_ascii_lowercase(), hash(target.folded()))
}

/// The entry of `target`.
pub(super) fn render(target: &ComputeId, ledger: &Ledger) -> String {
    let lists = [(PUT, &ledger.put), (FOUND, &ledger.found)];
    let lines = lists.into_iter().filter(|(_, ids)| !ids.is_empty()).flat_map(|(title, ids)| {
        std::iter::once(format!("{title}\n")).chain(ids.iter().map(|id| format!("- {id}\n")))
    });
    std::iter::once(format!("target: {target}\n")).chain(lines).collect()
}

/// Reads an entry. None where a line is not understood: what may be half read is not acted on.
pub(super) fn parse(text: &str) -> Option<(ComputeId, Ledger)> {
    let mut target = None;
    let mut ledger = Ledger::default();
    let mut list = None;
    for line in text.lines() {
        let line = line.split(" #").next().unwrap_or_default().trim();
        match line {
            "" => {}
            "put:" => list = Some(&mut ledger.put),
            "found:" => list = Some(&mut ledger.found),
            line => match (line.strip_prefix("target:"), line.strip_prefix("- "), &mut list) {
                (Some(id), _, _) => target = Some(target::parse(id)?),
                (None, Some(id), Some(list)) => drop(list.insert(IdentityResourceId::parse(id).ok()?)),
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
