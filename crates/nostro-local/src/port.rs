//! Which TCP port a cluster listens on.
//!
//! A look whether a port is free is only a good guess: another process may take it before PostgreSQL does. The cluster
//! therefore looks again after a failed start and chooses anew. The look binds without listening, so that it never gets in
//! the way of a server that starts at that moment.

use std::net::{Ipv4Addr, SocketAddrV4};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};

use crate::error::LocalError;

/// More than the clusters that one machine runs side by side, fewer than would take a noticeable time to try.
const PORT_TRIES_MAX: u16 = 200;

/// Ports for tests: below those that the kernel hands out to outgoing connections (32768 and up), so that a stopped
/// server most often finds its port free when it starts again.
const FREE_FIRST: u16 = 20_000;
const FREE_SPAN: u16 = 12_000;

/// How a cluster gets its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortChoice {
    /// This one or none: somebody named it.
    Exactly(u16),
    /// The one it had before if that is free, else the next free one from here on.
    From(u16),
    /// The one it had before if that is free, else any.
    Free,
}

impl PortChoice {
    /// Whether a server that already runs on `port` will do.
    pub(crate) fn admits(self, port: u16) -> bool {
        match self {
            PortChoice::Exactly(wanted) => wanted == port,
            PortChoice::From(_) | PortChoice::Free => true,
        }
    }

    /// A port that is free now. `before` is the one that the cluster had last time.
    pub(crate) fn choose(self, before: Option<u16>, cluster: &str) -> Result<u16, LocalError> {
        let first = match self {
            PortChoice::Exactly(port) if is_free(port) => return Ok(port),
            PortChoice::Exactly(port) => return Err(LocalError::PortInUse { port, cluster: cluster.to_owned() }),
            PortChoice::From(first) => first,
            PortChoice::Free => random_first(),
        };
        if let Some(port) = before.filter(|port| is_free(*port)) {
            return Ok(port);
        }
        let last = first.saturating_add(PORT_TRIES_MAX);
        (first..=last).find(|port| is_free(*port)).ok_or_else(|| LocalError::NoFreePort {
            cluster: cluster.to_owned(),
            first,
            last,
        })
    }
}

/// Whether nobody listens on the port. Where the answer is not to be had (a port that needs a privilege), PostgreSQL gets
/// to try and its log tells.
pub(crate) fn is_free(port: u16) -> bool {
    let bind = || -> Result<(), Errno> {
        let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        rustix::net::sockopt::set_socket_reuseaddr(&socket, true)?;
        rustix::net::bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))
    };
    bind() != Err(Errno::ADDRINUSE)
}

fn random_first() -> u16 {
    // without randomness parallel tests only meet more often
    let random = getrandom::u32().unwrap_or(0) % u32::from(FREE_SPAN);
    FREE_FIRST.saturating_add(u16::try_from(random).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_port_in_use_is_refused_or_passed_over_by_choice() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(!is_free(port));
        let refused = PortChoice::Exactly(port).choose(None, "AZ").unwrap_err();
        assert!(refused.to_string().contains(&port.to_string()), "{refused}");
        assert!(PortChoice::From(port).choose(None, "AZ").unwrap() > port);
        assert_ne!(PortChoice::Free.choose(Some(port), "AZ").unwrap(), port);
        drop(listener);
        assert_eq!(PortChoice::From(1).choose(Some(port), "AZ").unwrap(), port);
    }

    #[test]
    fn only_a_named_port_rejects_a_running_server() {
        assert!(PortChoice::Exactly(5433).admits(5433));
        assert!(!PortChoice::Exactly(5433).admits(5434));
        assert!(PortChoice::From(5433).admits(5434));
        assert!(PortChoice::Free.admits(5434));
    }
}
