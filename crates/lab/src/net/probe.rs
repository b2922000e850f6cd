//! Can this host carry the lab's network, and if not, what is forbidden?

use std::net::Ipv4Addr;

use super::links::Links;
use super::{Error, Namespace};

/// The first operation that the host refused.
#[derive(Debug, thiserror::Error)]
#[error("the lab's network cannot be built here: {0}")]
pub struct Denied(#[from] Error);

/// Tries, in namespaces that vanish again, each kind of object that the lab's network consists of.
///
/// Call it after the lab entered its own namespaces, when it should be allowed everything.
pub fn probe() -> Result<(), Denied> {
    let new = || Namespace::new().map_err(|error| Error::new("create a network namespace", error));
    let (near, far) = (new()?, new()?);
    Links::of(&near, async |links| {
        links.add_pair("probe0", &far, "eth0").await?;
        links.add_bridge("probe1", [0x02, 0x42, 0, 0, 0, 1]).await?;
        let (port, bridge) = (links.find("probe0").await?.index, links.find("probe1").await?.index);
        links.plug(port, bridge).await?;
        links.up(port, true).await?;
        links.up(bridge, true).await?;
        links.add_address(bridge, Ipv4Addr::new(192, 0, 2, 1), 32).await?;
        links.add_route(Ipv4Addr::new(198, 51, 100, 0), 24, bridge).await
    })?;
    Ok(())
}
