//! Which address does each node and pod of the lab have?

use std::net::Ipv4Addr;

/// The instance metadata service, as on every Azure VM.
pub const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);

/// The data centre's router, as the nodes see it.
pub const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 240, 0, 254);

/// The link-local next hop of pods on a routed node; it exists only as a neighbour entry, as in Calico.
pub(super) const ROUTED_NEXT_HOP: Ipv4Addr = Ipv4Addr::new(169, 254, 1, 1);

/// Length of the prefix of a node's pod network.
pub(super) const POD_PREFIX: u8 = 24;

/// The address of node `number`.
pub fn node_address(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 240, 0, number)
}

/// The network of the pods on node `number`, a /24.
pub fn pod_network(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 244, number, 0)
}

/// The bridge's own address on a bridged node; never given to a pod.
pub fn bridge_address(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 244, number, 1)
}

/// The address of a pod on node `number`; `place` 2 to 254 is what a bridged node can give.
pub fn pod_address(number: u8, place: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 244, number, place)
}

/// The name of the node's end of a pod's link: unique per address and within the kernel's 15 characters.
pub(super) fn link_name(pod: Ipv4Addr) -> String {
    format!("veth{:08x}", pod.to_bits())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_names_fit_the_kernel_and_differ() {
        assert_eq!(link_name(pod_address(1, 2)), "veth0af40102");
        assert!(link_name(Ipv4Addr::BROADCAST).len() <= 15);
        assert_ne!(link_name(pod_address(1, 2)), link_name(pod_address(2, 1)));
    }

    #[test]
    fn bridge_and_gateway_are_nobody_elses() {
        for number in 1..=200 {
            assert_ne!(node_address(number), GATEWAY);
            assert_ne!(pod_address(number, 2), bridge_address(number));
        }
    }
}
