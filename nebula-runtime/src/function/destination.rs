//! Where a guest may connect to.

use std::{fmt, net::IpAddr, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{hosts::HostPattern, text::shortened};

/// A host and a port that a guest may connect to with TCP: `db.example.com:5432`, `10.0.0.5:5432`, `[::1]:6379`, or
/// `*:443` for any public address. With `udp://` before it, a guest may exchange datagrams with it: `udp://10.0.0.2:53`.
///
/// - It has a port.
/// - An address that is not public is reached only where it is named as an address (or as `localhost`): a name that
///   resolves to it is not enough, and neither is `*`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Destination {
    protocol: Protocol,
    pattern: HostPattern,
    port: u16,
}

/// How a guest reaches a [`Destination`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// By connections.
    Tcp,
    /// By datagrams.
    Udp,
}

/// What a destination of datagrams begins with.
const UDP: &str = "udp://";

/// A text that is not a [`Destination`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid destination {0:?}: expected a host or an address with a port, such as \"db.example.com:5432\" or \
     \"10.0.0.5:5432\", or \"*:443\" for any public address, and \"udp://\" before it for datagrams"
)]
pub struct InvalidDestination(String);

impl Destination {
    /// The protocol.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether it is this address, or `localhost` and a loopback address.
    pub(crate) fn is_address(&self, address: IpAddr) -> bool {
        let host = self.pattern.name().unwrap_or_default();
        self.pattern.names_address(host, address, self.port, false)
    }

    /// Whether it stands for every public address.
    pub(crate) fn is_any(&self) -> bool {
        self.pattern.is_any()
    }

    /// The host's name, unless it is an address.
    pub(crate) fn name(&self) -> Option<&str> {
        self.pattern.name()
    }

    /// Whether this is the host that is meant.
    pub(crate) fn is_named(&self, host: &str) -> bool {
        self.pattern.matches(host, self.port, false)
    }
}

impl FromStr for Destination {
    type Err = InvalidDestination;

    fn from_str(text: &str) -> Result<Self, InvalidDestination> {
        let invalid = || InvalidDestination(shortened(text, 80));
        let (protocol, place) = match text.strip_prefix(UDP) {
            Some(place) => (Protocol::Udp, place),
            None => (Protocol::Tcp, text),
        };
        let pattern: HostPattern = place.parse().map_err(|_| invalid())?;
        match pattern.port() {
            Some(port) if !pattern.is_below() => Ok(Self { protocol, pattern, port }),
            _ => Err(invalid()),
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.protocol {
            Protocol::Tcp => self.pattern.fmt(f),
            Protocol::Udp => write!(f, "{UDP}{}", self.pattern),
        }
    }
}

impl TryFrom<String> for Destination {
    type Error = InvalidDestination;

    fn try_from(text: String) -> Result<Self, InvalidDestination> {
        text.parse()
    }
}

impl From<Destination> for String {
    fn from(destination: Destination) -> Self {
        destination.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_has_a_host_and_a_port() {
        for text in [
            "db.example.com:5432",
            "10.0.0.5:5432",
            "[::1]:6379",
            "*:443",
            "localhost:1",
            "udp://10.0.0.2:53",
            "udp://*:53",
        ] {
            assert_eq!(text.parse::<Destination>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "db.example.com",
            "10.0.0.5",
            "::1",
            "*.example.com:443",
            "db:port",
            "db:70000",
            "postgres://db:1",
            "udp://db",
            "udp://udp://db:1",
        ] {
            assert!(text.parse::<Destination>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_an_address_that_is_named_is_that_address() {
        let is_address =
            |text: &str, address: &str| text.parse::<Destination>().unwrap().is_address(address.parse().unwrap());
        assert!(is_address("10.0.0.5:5432", "10.0.0.5"));
        assert!(is_address("localhost:5432", "127.0.0.1"));
        assert!(!is_address("10.0.0.5:5432", "10.0.0.6"));
        assert!(!is_address("db.example.com:5432", "10.0.0.5"));
        assert!(!is_address("*:5432", "10.0.0.5"));
    }
}
