//! The address of metrics and health.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;

/// The address of metrics and health.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// An address and a port, such as `127.0.0.1:9790` or `[::1]:9790`.
    Tcp(SocketAddr),
    /// A unix socket, by absolute path.
    Unix(Arc<str>),
}

impl FromStr for Listen {
    type Err = String;

    /// Fails with the valid forms.
    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with('/') && !text.contains('\0') {
            return Ok(Listen::Unix(text.into()));
        }
        let wanted = "write an address and a port such as 127.0.0.1:9790, or the absolute path of a socket";
        text.parse().map(Listen::Tcp).map_err(|_| wanted.to_owned())
    }
}

/// The address of metrics and health on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ListenAt {
    /// No address, whatever the configuration has.
    Nowhere,
    /// This address.
    Place(Listen),
}

const NOWHERE: &str = "none";

impl FromStr for ListenAt {
    type Err = String;

    /// Fails with the valid forms.
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            NOWHERE => Ok(ListenAt::Nowhere),
            text => text.parse().map(ListenAt::Place),
        }
    }
}

impl fmt::Display for ListenAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListenAt::Nowhere => f.write_str(NOWHERE),
            ListenAt::Place(place) => place.fmt(f),
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Listen::Tcp(address) => address.fmt(f),
            Listen::Unix(path) => f.write_str(path),
        }
    }
}
