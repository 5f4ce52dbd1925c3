//! Sockets of our own, and what to do when a port is taken.
//!
//! An address that was named on the command line is meant: if it is taken, that is an error with the fix. One that
//! was not named is a suggestion: the next free port will do, and whoever starts it is told.

use anyhow::{Context, bail};
use std::net::SocketAddr;
use tokio::net::TcpListener;

/// Ports tried after a suggested one.
const PORTS_TRIED_MAX: u16 = 50;

/// An address to listen on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wanted {
    /// Named by the user.
    Named(SocketAddr),
    /// The default, which may move.
    Suggested(SocketAddr),
}

impl Wanted {
    /// From an option that may be absent.
    pub(crate) fn new(named: Option<SocketAddr>, suggested: SocketAddr) -> Self {
        named.map_or(Self::Suggested(suggested), Self::Named)
    }
}

/// Listens. `what` and `option` are for the message: "the API" and "--api".
pub(crate) async fn listen(wanted: Wanted, what: &str, option: &str) -> anyhow::Result<TcpListener> {
    match wanted {
        Wanted::Named(address) => TcpListener::bind(address).await.with_context(|| {
            format!(
                "expected {address} to be free for {what}, found it in use or not ours: \
                 choose another one with `{option} {}`, or stop what listens there (`ss -ltnp 'sport = :{}'` names it)",
                SocketAddr::new(address.ip(), address.port().saturating_add(1)),
                address.port()
            )
        }),
        Wanted::Suggested(first) => {
            for step in 0..PORTS_TRIED_MAX {
                let Some(port) = first.port().checked_add(step) else { break };
                match TcpListener::bind(SocketAddr::new(first.ip(), port)).await {
                    Ok(listener) => {
                        if step > 0 {
                            println!("Port {} is in use, {what} listens on {port}.", first.port());
                        }
                        return Ok(listener);
                    }
                    Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {}
                    Err(error) => {
                        return Err(error).with_context(|| format!("cannot listen on port {port} for {what}"));
                    }
                }
            }
            bail!("expected a free port from {} on for {what}, found none: name one with `{option}`", first.port())
        }
    }
}
