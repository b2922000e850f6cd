//! Which old connections to the metadata service must end?
//!
//! Connection tracking decides where a connection goes when its first packet passes, and never again. A pod that
//! was connected before the redirect was installed would go on talking to the metadata service. Without its entry
//! the next packet counts as a first one, is redirected, and is answered with a reset.

use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV4};

use netlink_packet_netfilter::NetfilterMessageInner;
use netlink_packet_netfilter::conntrack::{
    ConntrackAttribute, ConntrackMessage, IPTuple, ProtoTuple, Protocol, Tuple,
};

use super::socket::{Ask, Socket};

/// Makes the kernel forget connections that go to `metadata` and not to `listener`; returns how many.
///
/// Connections of the node itself are forgotten too, which does not hurt them: nothing rewrites them.
pub(super) async fn cut(metadata: SocketAddrV4, listener: SocketAddrV4) -> io::Result<usize> {
    let mut socket = Socket::open()?;
    let mut old = vec![];
    let everything = ConntrackMessage::Get(vec![]);
    socket
        .ask(everything, Ask::All, |answer| {
            if let NetfilterMessageInner::Conntrack(ConntrackMessage::New(entry)) = answer.inner
                && bypasses(&entry, metadata, listener)
            {
                old.extend(
                    entry.into_iter().find(|part| matches!(part, ConntrackAttribute::CtaTupleOrig(_))),
                );
            }
        })
        .await?;
    let mut cut = 0;
    for connection in old {
        // It may have ended by itself meanwhile.
        let removed = socket.ask(ConntrackMessage::Delete(vec![connection]), Ask::One, |_| {}).await;
        cut += usize::from(removed.is_ok());
    }
    Ok(cut)
}

/// Whether an entry is a connection to the metadata service that somebody else answers.
fn bypasses(entry: &[ConntrackAttribute], metadata: SocketAddrV4, listener: SocketAddrV4) -> bool {
    let mut to_metadata = false;
    let mut answered_by_us = false;
    for part in entry {
        match part {
            ConntrackAttribute::CtaTupleOrig(tuple) => {
                to_metadata = destination(tuple) == Some(metadata.into());
            }
            ConntrackAttribute::CtaTupleReply(tuple) => {
                answered_by_us = source(tuple) == Some(listener.into());
            }
            _ => {}
        }
    }
    to_metadata && !answered_by_us
}

fn destination(tuple: &[Tuple]) -> Option<SocketAddr> {
    endpoint(
        tuple,
        |part| match part {
            IPTuple::DestinationAddress(address) => Some(*address),
            _ => None,
        },
        |part| match part {
            ProtoTuple::DestinationPort(port) => Some(*port),
            _ => None,
        },
    )
}

fn source(tuple: &[Tuple]) -> Option<SocketAddr> {
    endpoint(
        tuple,
        |part| match part {
            IPTuple::SourceAddress(address) => Some(*address),
            _ => None,
        },
        |part| match part {
            ProtoTuple::SourcePort(port) => Some(*port),
            _ => None,
        },
    )
}

/// One end of a TCP connection.
fn endpoint(
    tuple: &[Tuple],
    address: impl Fn(&IPTuple) -> Option<IpAddr>,
    port: impl Fn(&ProtoTuple) -> Option<u16>,
) -> Option<SocketAddr> {
    let (mut found_address, mut found_port, mut tcp) = (None, None, false);
    for part in tuple {
        match part {
            Tuple::Ip(parts) => found_address = parts.iter().find_map(&address),
            Tuple::Proto(parts) => {
                found_port = parts.iter().find_map(&port);
                tcp = parts.contains(&ProtoTuple::Protocol(Protocol::Tcp));
            }
            _ => {}
        }
    }
    Some(SocketAddr::new(found_address?, found_port?)).filter(|_| tcp)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(from: &str, to: &str, protocol: Protocol) -> Vec<Tuple> {
        let (from, to): (SocketAddr, SocketAddr) = (from.parse().unwrap(), to.parse().unwrap());
        vec![
            Tuple::Ip(vec![IPTuple::SourceAddress(from.ip()), IPTuple::DestinationAddress(to.ip())]),
            Tuple::Proto(vec![
                ProtoTuple::Protocol(protocol),
                ProtoTuple::SourcePort(from.port()),
                ProtoTuple::DestinationPort(to.port()),
            ]),
        ]
    }

    #[test]
    fn cuts_what_somebody_else_answers_and_nothing_more() {
        use Protocol::{Tcp, Udp};
        let (pod, metadata, listener) = ("10.244.1.2:40000", "169.254.169.254:80", "10.240.0.4:2579");
        let cases = [
            ("straight to the metadata service", metadata, metadata, Tcp, true),
            ("redirected to us", metadata, listener, Tcp, false),
            ("redirected to a leftover of the original", metadata, "10.240.0.4:2580", Tcp, true),
            ("another port", "169.254.169.254:443", "169.254.169.254:443", Tcp, false),
            ("another host", "10.0.0.1:80", "10.0.0.1:80", Tcp, false),
            ("not TCP", metadata, metadata, Udp, false),
        ];
        for (case, to, answered_by, protocol, expected) in cases {
            let entry = [
                ConntrackAttribute::CtaTupleOrig(end(pod, to, protocol)),
                ConntrackAttribute::CtaTupleReply(end(answered_by, pod, protocol)),
            ];
            let (metadata, listener) = (metadata.parse().unwrap(), listener.parse().unwrap());
            assert_eq!(bypasses(&entry, metadata, listener), expected, "{case}");
        }
    }
}
