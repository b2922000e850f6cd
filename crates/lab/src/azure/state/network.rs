//! Which machine does a packet come from, and from the node itself or from one of its pods?

use std::net::IpAddr;
use std::str::FromStr;

use crate::azure::id::ArmId;

/// An address range such as `10.1.0.0/24`; a bare address is a range of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    address: IpAddr,
    length: u8,
}

/// The text is no address range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address range; write it like 10.1.0.0/24 or 10.1.0.7")]
pub struct InvalidPrefix(String);

/// A virtual machine, or one instance of a scale set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// The virtual machine or scale set: what carries identities.
    pub machine: ArmId,
    /// Instance id, where the machine is a scale set.
    pub instance: Option<String>,
}

/// Who sends from an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// The node itself: what may reach IMDS.
    Node,
    /// A pod. IMDS takes its packets for the node's; the trace tells them apart.
    Pod,
}

/// Which address belongs to whom; the longest prefix wins.
#[derive(Default)]
pub(crate) struct Network(Vec<(Prefix, Host, Sender)>);

// === impl Network ===

impl Network {
    pub(crate) fn place(&mut self, prefix: Prefix, host: Host, sender: Sender) {
        self.0.retain(|(known, ..)| *known != prefix);
        self.0.push((prefix, host, sender));
        self.0.sort_by_key(|(prefix, ..)| std::cmp::Reverse(prefix.length));
    }

    pub(crate) fn find(&self, address: IpAddr) -> Option<(&Host, Sender)> {
        let address = address.to_canonical();
        self.0.iter().find(|(prefix, ..)| prefix.contains(address)).map(|(_, host, sender)| (host, *sender))
    }
}

// === impl Host ===

impl Host {
    /// The resource id: of the machine, or of the instance in its scale set.
    pub fn id(&self) -> ArmId {
        match &self.instance {
            Some(instance) => self.machine.child("virtualMachines", instance),
            None => self.machine.clone(),
        }
    }

    /// `spec.providerID` of the Kubernetes node on this machine.
    pub fn provider_id(&self) -> String {
        format!("azure://{}", self.id())
    }
}

// === impl Prefix ===

impl Prefix {
    fn contains(self, address: IpAddr) -> bool {
        let bits = |address: IpAddr| match address {
            IpAddr::V4(v4) => (u128::from(u32::from(v4)), 32),
            IpAddr::V6(v6) => (u128::from(v6), 128),
        };
        let ((own, width), (other, other_width)) = (bits(self.address), bits(address));
        let rest = width - u32::from(self.length);
        width == other_width && own.checked_shr(rest) == other.checked_shr(rest)
    }
}

impl From<IpAddr> for Prefix {
    fn from(address: IpAddr) -> Self {
        let address = address.to_canonical();
        Self { address, length: if address.is_ipv4() { 32 } else { 128 } }
    }
}

impl FromStr for Prefix {
    type Err = InvalidPrefix;

    fn from_str(text: &str) -> Result<Self, InvalidPrefix> {
        let invalid = || InvalidPrefix(text.to_owned());
        let (address, length) = text.split_once('/').unwrap_or((text, ""));
        let mut prefix = Self::from(address.parse::<IpAddr>().map_err(|_| invalid())?);
        if !length.is_empty() {
            let widest = prefix.length;
            prefix.length = length.parse().ok().filter(|length| *length <= widest).ok_or_else(invalid)?;
        }
        Ok(prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str) -> Host {
        Host { machine: ArmId::new(format!("/{name}")), instance: None }
    }

    #[test]
    fn the_longest_prefix_says_who_sends() {
        let mut network = Network::default();
        network.place("10.1.0.0/24".parse().unwrap(), host("a"), Sender::Pod);
        network.place("10.1.0.7".parse().unwrap(), host("b"), Sender::Node);
        let find =
            |text: &str| network.find(text.parse().unwrap()).map(|(host, sender)| (host.clone(), sender));
        assert_eq!(find("10.1.0.8"), Some((host("a"), Sender::Pod)));
        assert_eq!(find("10.1.0.7"), Some((host("b"), Sender::Node)));
        assert_eq!(find("::ffff:10.1.0.7"), Some((host("b"), Sender::Node)));
        assert_eq!(find("10.1.1.7"), None);
        assert_eq!(find("::1"), None);
    }

    #[test]
    fn a_range_of_everything_holds_every_address_of_its_family() {
        let all: Prefix = "0.0.0.0/0".parse().unwrap();
        assert!(all.contains("192.0.2.1".parse().unwrap()));
        assert!(!all.contains("::2".parse().unwrap()));
        assert!("10.0.0.0/33".parse::<Prefix>().is_err());
        assert!("ten".parse::<Prefix>().is_err());
    }
}
