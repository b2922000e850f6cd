//! Which kernel objects does the network consist of, and how are they made?

use std::fmt::Display;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsFd, AsRawFd};

use futures::TryStreamExt;
use rtnetlink::packet_route::link::{
    AfSpecInet, AfSpecUnspec, InetDevConf, InfoData, InfoKind, InfoVeth, LinkAttribute, LinkMessage,
};
use rtnetlink::packet_route::route::RouteScope;
use rtnetlink::{Handle, LinkBridge, LinkMessageBuilder, LinkUnspec, LinkVeth, RouteMessageBuilder};

use super::{Error, Namespace};

/// The links, addresses and routes of one namespace.
pub(super) struct Links {
    handle: Handle,
}

/// A link as the kernel knows it.
pub(super) struct Link {
    pub(super) index: u32,
    pub(super) mac: Vec<u8>,
}

// === impl Links ===

impl Links {
    /// Runs `work` over the links of `namespace`.
    pub(super) fn of<T: Send>(
        namespace: &Namespace,
        work: impl AsyncFnOnce(&Links) -> Result<T, Error> + Send,
    ) -> Result<T, Error> {
        let entered = namespace.run(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_io()
                .build()
                .map_err(|error| Error::new("start a runtime for netlink", error))?;
            runtime.block_on(async {
                let (connection, handle, _) = rtnetlink::new_connection()
                    .map_err(|error| Error::new("open a route netlink socket", error))?;
                tokio::spawn(connection);
                work(&Links { handle }).await
            })
        });
        entered.map_err(|error| Error::new("enter a network namespace", error))?
    }

    /// Makes a veth pair, one end here and one in `other`.
    pub(super) async fn add_pair(
        &self,
        name: &str,
        other: &Namespace,
        other_name: &str,
    ) -> Result<(), Error> {
        let far = LinkUnspec::new_with_name(other_name).setns_by_fd(other.as_fd().as_raw_fd()).build();
        let pair = LinkMessageBuilder::<LinkVeth>::new_with_info_kind(InfoKind::Veth)
            .name(name)
            .set_info_data(InfoData::Veth(InfoVeth::Peer(far)))
            .build();
        let made = self.handle.link().add(pair).execute().await;
        checked(made, || format!("create the veth pair {name}"))
    }

    /// Makes a bridge with a fixed hardware address, so that pods may remember it while ports come and go.
    pub(super) async fn add_bridge(&self, name: &str, mac: [u8; 6]) -> Result<(), Error> {
        let made =
            self.handle.link().add(LinkBridge::new(name).address(mac.to_vec()).build()).execute().await;
        checked(made, || format!("create the bridge {name}"))
    }

    /// Plugs link `index` into the bridge.
    pub(super) async fn plug(&self, index: u32, bridge: u32) -> Result<(), Error> {
        self.set(LinkUnspec::new_with_index(index).controller(bridge).build(), "plug a link into the bridge")
            .await
    }

    /// Looks a link up by its name.
    pub(super) async fn find(&self, name: &str) -> Result<Link, Error> {
        let message = self.handle.link().get().match_name(name).execute().try_next().await;
        let message = match message {
            Ok(Some(message)) => message,
            Ok(None) => {
                return Err(Error::new(format!("find the link {name}"), io::ErrorKind::NotFound.into()));
            }
            Err(error) => return Err(error_of(error, format!("find the link {name}"))),
        };
        let mac = message.attributes.iter().find_map(|attribute| match attribute {
            LinkAttribute::Address(mac) => Some(mac.clone()),
            _ => None,
        });
        Ok(Link { index: message.header.index, mac: mac.unwrap_or_default() })
    }

    /// Switches a link on and, with `forward`, lets packets that arrive on it travel on.
    ///
    /// Forwarding is set here and not under `/proc/sys`, which may be mounted read-only.
    pub(super) async fn up(&self, index: u32, forward: bool) -> Result<(), Error> {
        let mut up = LinkUnspec::new_with_index(index).up();
        if forward {
            let mut wanted = InetDevConf::default();
            wanted.forwarding = 1;
            let wanted = AfSpecUnspec::Inet(vec![AfSpecInet::DevConfRequest(wanted)]);
            up = up.append_extra_attribute(LinkAttribute::AfSpecUnspec(vec![wanted]));
        }
        self.set(up.build(), "switch a link on").await
    }

    /// Gives a link an address.
    pub(super) async fn add_address(&self, index: u32, address: Ipv4Addr, prefix: u8) -> Result<(), Error> {
        let made = self.handle.address().add(index, IpAddr::V4(address), prefix).execute().await;
        checked(made, || format!("add the address {address}/{prefix}"))
    }

    /// Sends a network to whoever answers for it on the link itself.
    pub(super) async fn add_route(&self, network: Ipv4Addr, prefix: u8, index: u32) -> Result<(), Error> {
        let route = RouteMessageBuilder::<Ipv4Addr>::new()
            .destination_prefix(network, prefix)
            .output_interface(index)
            .scope(RouteScope::Link)
            .build();
        checked(self.handle.route().add(route).execute().await, || {
            format!("add a route to {network}/{prefix}")
        })
    }

    /// Sends a network to `gateway`, which is reached over the link whether or not an address there says so.
    pub(super) async fn add_route_via(
        &self,
        network: Ipv4Addr,
        prefix: u8,
        gateway: Ipv4Addr,
        index: u32,
    ) -> Result<(), Error> {
        let route = RouteMessageBuilder::<Ipv4Addr>::new()
            .destination_prefix(network, prefix)
            .gateway(gateway)
            .output_interface(index)
            .onlink()
            .build();
        checked(self.handle.route().add(route).execute().await, || {
            format!("add a route to {network}/{prefix} via {gateway}")
        })
    }

    /// Writes down for good which hardware address a neighbour has.
    pub(super) async fn add_neighbour(&self, index: u32, address: Ipv4Addr, mac: &[u8]) -> Result<(), Error> {
        let neighbours = self.handle.neighbours();
        let made = neighbours.add(index, IpAddr::V4(address)).link_layer_address(mac).execute().await;
        checked(made, || format!("add the neighbour {address}"))
    }

    /// Removes a link; the other end of a pair goes with it.
    pub(super) async fn remove(&self, name: &str) -> Result<(), Error> {
        let link = self.find(name).await?;
        checked(self.handle.link().del(link.index).execute().await, || format!("remove the link {name}"))
    }

    async fn set(&self, message: LinkMessage, operation: &str) -> Result<(), Error> {
        checked(self.handle.link().set(message).execute().await, || operation)
    }
}

fn checked<O: Display>(
    done: Result<(), rtnetlink::Error>,
    operation: impl FnOnce() -> O,
) -> Result<(), Error> {
    done.map_err(|error| error_of(error, operation()))
}

fn error_of(error: rtnetlink::Error, operation: impl Display) -> Error {
    let source = match error {
        rtnetlink::Error::NetlinkError(message) => message.to_io(),
        other => io::Error::other(other),
    };
    Error::new(operation.to_string(), source)
}
