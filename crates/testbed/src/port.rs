//! Which port is the API server's, also while it is down?

use std::net::TcpListener;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, bind, getsockname, setsockopt, socket, sockopt,
};

use crate::error::StartError;

/// A port of 127.0.0.1 that nobody else can take.
///
/// It is bound to a socket that does not listen. The API server may bind it, too, because both ask for
/// `SO_REUSEPORT`; others get another one, also while the API server is down. (`SO_REUSEADDR` would let everybody in.)
#[derive(Debug)]
pub(crate) struct Port {
    number: u16,
    _socket: OwnedFd,
}

// === impl Port ===

impl Port {
    /// Takes `number`, or any free port for 0.
    pub(crate) fn take(number: u16) -> Result<Self, StartError> {
        if number != 0 {
            // Another control plane's port can be shared, so whether it is free is asked without sharing.
            TcpListener::bind(("127.0.0.1", number)).map_err(|error| {
                let problem = nix::Error::from_raw(error.raw_os_error().unwrap_or_default());
                StartError::Port { port: number, problem }
            })?;
        }
        Self::share(number).map_err(|problem| StartError::Port { port: number, problem })
    }

    fn share(number: u16) -> nix::Result<Self> {
        let socket = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
        setsockopt(&socket, sockopt::ReusePort, &true)?;
        bind(socket.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, number))?;
        let number = getsockname::<SockaddrIn>(socket.as_raw_fd())?.port();
        Ok(Self { number, _socket: socket })
    }

    pub(crate) fn number(&self) -> u16 {
        self.number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_refused_also_while_nobody_listens() {
        let port = Port::take(0).unwrap();
        let error = Port::take(port.number()).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("port {} of 127.0.0.1 cannot be had: ", port.number())),
            "{error}"
        );
        assert!(error.contains("ask for another one") && error.lines().count() == 1, "{error}");
        assert!(TcpListener::bind(("127.0.0.1", port.number())).is_err());
    }
}
