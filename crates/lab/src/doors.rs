//! How do people outside reach what runs inside the lab's own network? Through sockets that listen outside.
//!
//! They are made before the namespaces are entered, and handed to the lab inside over its standard input
//! (`SCM_RIGHTS`): a socket stays in the network in which it was made.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use anyhow::Context as _;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};

/// Most sockets that are handed over.
const MOST: usize = 3;

/// Sockets that listen on the host's loopback address.
#[derive(Debug)]
pub(crate) struct Doors {
    /// The simulated ARM.
    pub(crate) arm: TcpListener,
    /// The simulated Entra.
    pub(crate) entra: TcpListener,
    /// The embedded Kubernetes API, unless a cluster was given.
    pub(crate) api: Option<TcpListener>,
}

// === impl Doors ===

impl Doors {
    /// Opens them; `api` is the port of the embedded Kubernetes API, 0 for a free one.
    pub(crate) fn open(api: Option<u16>) -> anyhow::Result<Self> {
        let api = api.map(|port| {
            listen(port).with_context(|| {
                format!("cannot listen on 127.0.0.1:{port}; choose another port with --api-port")
            })
        });
        let free = || listen(0).context("cannot listen on a free port of 127.0.0.1");
        Ok(Self { arm: free()?, entra: free()?, api: api.transpose()? })
    }

    /// What to give to a child as its standard input, so that it can [`Doors::receive`] them.
    pub(crate) fn hand_over(&self) -> std::io::Result<OwnedFd> {
        let (near, far) = UnixStream::pair()?;
        let all: Vec<BorrowedFd<'_>> = [Some(&self.arm), Some(&self.entra), self.api.as_ref()]
            .into_iter()
            .flatten()
            .map(AsFd::as_fd)
            .collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        control.push(SendAncillaryMessage::ScmRights(&all));
        sendmsg(&near, &[IoSlice::new(b"d")], &mut control, SendFlags::empty())?;
        Ok(far.into())
    }

    /// Takes what was handed over on `input`.
    pub(crate) fn receive(input: impl AsFd) -> anyhow::Result<Self> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut byte = [0];
        recvmsg(input, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)
            .context("podid lab inside is started by podid lab up")?;
        let mut all = control
            .drain()
            .filter_map(|message| match message {
                RecvAncillaryMessage::ScmRights(sockets) => Some(sockets),
                _ => None,
            })
            .flatten()
            .map(TcpListener::from);
        let (Some(arm), Some(entra)) = (all.next(), all.next()) else {
            anyhow::bail!("podid lab inside is started by podid lab up");
        };
        Ok(Self { arm, entra, api: all.next() })
    }

    /// Where ARM and Entra are reached from outside.
    pub(crate) fn addresses(&self) -> std::io::Result<Outside> {
        Ok(Outside { arm: self.arm.local_addr()?, entra: self.entra.local_addr()? })
    }
}

/// Addresses of the simulated Azure, for people.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outside {
    /// ARM.
    pub(crate) arm: SocketAddr,
    /// Entra.
    pub(crate) entra: SocketAddr,
}

fn listen(port: u16) -> std::io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_handed_over_listens_at_the_same_address() {
        for api in [None, Some(0)] {
            let doors = Doors::open(api).unwrap();
            let received = Doors::receive(doors.hand_over().unwrap()).unwrap();
            assert_eq!(received.addresses().unwrap().arm, doors.addresses().unwrap().arm);
            assert_eq!(received.addresses().unwrap().entra, doors.addresses().unwrap().entra);
            let address = |doors: &Doors| doors.api.as_ref().map(|api| api.local_addr().unwrap());
            assert_eq!(address(&received), address(&doors));
        }
    }

    #[test]
    fn an_input_without_sockets_is_refused() {
        let (one, other) = UnixStream::pair().unwrap();
        drop(other);
        let error = Doors::receive(one).unwrap_err().to_string();
        assert_eq!(error, "podid lab inside is started by podid lab up");
    }

    #[test]
    fn a_port_that_is_taken_is_named() {
        let taken = listen(0).unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = Doors::open(Some(port)).unwrap_err().to_string();
        assert!(error.contains(&port.to_string()) && error.contains("--api-port"), "{error}");
    }
}
