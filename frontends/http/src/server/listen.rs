//! Parses the address of a server, and listens on it.

use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    str::FromStr,
};

use tokio::net::{TcpListener, lookup_host};

use super::{
    listener::{Listener, ListeningSocket},
    unix_socket,
};

/// Where a server listens: an address or a name, and a port; or a Unix socket.
///
/// - `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080`: that address. A name stands for the first of its addresses that
///   is free, IPv4 before IPv6.
/// - `:8080`: all addresses of this machine.
/// - `8080`: that port of 127.0.0.1.
/// - `unix:/run/nebula.sock`: that file. The user of the server and the group of the file can connect (mode 0660). A
///   file that a server has left behind is replaced, and the file is removed when the server stops listening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenAddress(Place);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Port { host: Host, port: u16 },
    Socket(PathBuf),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    All,
    Address(IpAddr),
    Name(String),
}

/// A text that is not an address to listen on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected an address and a port such as 127.0.0.1:8080 or localhost:8080, :8080 for all addresses, a port, or \
     unix:PATH"
)]
pub struct InvalidListenAddress;

impl ListenAddress {
    /// The port, if this is none of a Unix socket. 0 means any free port.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        match &self.0 {
            Place::Port { port, .. } => Some(*port),
            Place::Socket(_) => None,
        }
    }

    /// The file of the Unix socket, if this is one.
    #[must_use]
    pub fn socket(&self) -> Option<&Path> {
        match &self.0 {
            Place::Port { .. } => None,
            Place::Socket(path) => Some(path),
        }
    }
}

impl FromStr for ListenAddress {
    type Err = InvalidListenAddress;

    fn from_str(text: &str) -> Result<Self, InvalidListenAddress> {
        let port = |text: &str| text.parse().map_err(|_| InvalidListenAddress);
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(address.into());
        }
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.is_empty() { Err(InvalidListenAddress) } else { Ok(Self(Place::Socket(path.into()))) };
        }
        let (host, digits) = match text.rsplit_once(':') {
            None => (Host::Address(Ipv4Addr::LOCALHOST.into()), text),
            Some(("", digits)) => (Host::All, digits),
            Some((name, digits)) if is_name(name) => (Host::Name(name.to_owned()), digits),
            Some(_) => return Err(InvalidListenAddress),
        };
        Ok(Self(Place::Port { host, port: port(digits)? }))
    }
}

/// Whether a text is a host name: labels of letters, digits and hyphens (RFC 1123, section 2.1), and underscores, which
/// names of containers can have.
fn is_name(text: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    // A text without a letter is a misspelt address.
    text.split('.').all(is_label) && text.bytes().any(|byte| byte.is_ascii_alphabetic())
}

impl From<SocketAddr> for ListenAddress {
    fn from(address: SocketAddr) -> Self {
        Self(Place::Port { host: Host::Address(address.ip()), port: address.port() })
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Port { host: Host::All, port } => write!(f, ":{port}"),
            Place::Port { host: Host::Address(address), port } => SocketAddr::new(*address, *port).fmt(f),
            Place::Port { host: Host::Name(name), port } => write!(f, "{name}:{port}"),
            Place::Socket(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Why a server cannot listen on an address.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// Another process listens on the address.
    #[error("{0} is in use: stop what listens there, or choose another port")]
    InUse(SocketAddr, #[source] io::Error),
    /// The port is below 1024, and needs a privilege on most systems.
    #[error("listening on {0} is not permitted: choose a port from 1024 on")]
    NotPermitted(SocketAddr, #[source] io::Error),
    /// The address does not belong to this machine.
    #[error("{0} is not an address of this machine: choose one that is, or 0.0.0.0 for all of them")]
    NotOurs(SocketAddr, #[source] io::Error),
    /// The name has no address.
    #[error("the name of {0} is not known: choose an address of this machine, or localhost")]
    Unknown(ListenAddress, #[source] io::Error),
    /// Any other error.
    #[error("failed to listen on {0}")]
    Failed(SocketAddr, #[source] io::Error),
    /// Another process listens on the Unix socket.
    #[error("unix:{} is in use: stop what listens there, or choose another path", .0.display())]
    SocketInUse(PathBuf, #[source] io::Error),
    /// The file of the Unix socket is another file.
    #[error("{} is there, and is no socket: remove it, or choose another path", .0.display())]
    NoSocket(PathBuf, #[source] io::Error),
    /// Any other error with a Unix socket.
    #[error("failed to listen on unix:{}", .0.display())]
    SocketFailed(PathBuf, #[source] io::Error),
}

/// Listens on `address`. Port 0 means any free port.
///
/// # Errors
/// If the server cannot listen on the address. The error says what to do.
pub async fn bind(address: impl Into<ListenAddress>) -> Result<Listener, BindError> {
    let address = address.into();
    let candidates = match &address.0 {
        Place::Socket(path) => return bind_socket(path),
        Place::Port { host, port } => candidates(host, *port).await,
    };
    let mut failure = None;
    for candidate in candidates.map_err(|error| BindError::Unknown(address.clone(), error))? {
        match TcpListener::bind(candidate).await {
            Ok(listener) => return Ok(listener.into()),
            Err(error) => failure = failure.or_else(|| Some(failed(candidate, error))),
        }
    }
    Err(failure.unwrap_or_else(|| BindError::Unknown(address, io::ErrorKind::NotFound.into())))
}

fn bind_socket(path: &Path) -> Result<Listener, BindError> {
    match unix_socket::bind(path) {
        Ok((listener, file)) => Ok(ListeningSocket::Unix { listener, _file: Some(file), path: path.to_owned() }.into()),
        Err(error) => Err(match error.kind() {
            io::ErrorKind::AddrInUse => BindError::SocketInUse(path.to_owned(), error),
            io::ErrorKind::AlreadyExists => BindError::NoSocket(path.to_owned(), error),
            _ => BindError::SocketFailed(path.to_owned(), error),
        }),
    }
}

/// The addresses to try, in this order.
async fn candidates(host: &Host, port: u16) -> io::Result<Vec<SocketAddr>> {
    Ok(match host {
        Host::Address(address) => vec![SocketAddr::new(*address, port)],
        // The first one accepts IPv4 connections too, if the system has IPv6.
        Host::All => vec![(Ipv6Addr::UNSPECIFIED, port).into(), (Ipv4Addr::UNSPECIFIED, port).into()],
        Host::Name(name) => {
            let mut found: Vec<_> = lookup_host((name.as_str(), port)).await?.collect();
            // More clients can use only IPv4 than only IPv6.
            found.sort_by_key(SocketAddr::is_ipv6);
            found
        }
    })
}

fn failed(address: SocketAddr, error: io::Error) -> BindError {
    match error.kind() {
        io::ErrorKind::AddrInUse => BindError::InUse(address, error),
        io::ErrorKind::PermissionDenied => BindError::NotPermitted(address, error),
        io::ErrorKind::AddrNotAvailable => BindError::NotOurs(address, error),
        _ => BindError::Failed(address, error),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::listener::LocalAddress, *};

    fn any_port_of(address: [u8; 4]) -> SocketAddr {
        (address, 0).into()
    }

    #[tokio::test]
    async fn the_error_for_a_port_in_use_says_what_to_do() {
        let taken = bind(any_port_of([127, 0, 0, 1])).await.unwrap();
        let LocalAddress::Tcp(address) = taken.address().unwrap() else { unreachable!() };
        let error = bind(address).await.err().unwrap().to_string();
        assert_eq!(error, format!("{address} is in use: stop what listens there, or choose another port"));
    }

    #[tokio::test]
    async fn the_error_for_an_address_of_another_machine_says_what_to_do() {
        // The block is reserved for documentation (RFC 5737).
        let error = bind(any_port_of([192, 0, 2, 1])).await.err().unwrap().to_string();
        let expected = "192.0.2.1:0 is not an address of this machine: choose one that is, or 0.0.0.0 for all of them";
        assert_eq!(error, expected);
    }

    #[tokio::test]
    async fn a_name_a_bare_port_and_all_addresses_are_listened_on() {
        let cases = [("127.0.0.1:0", false), ("localhost:0", false), ("0", false), (":0", true), ("0.0.0.0:0", true)];
        for (text, is_open) in cases {
            let address: ListenAddress = text.parse().unwrap();
            let listener = bind(address).await.unwrap();
            assert_eq!(listener.address().unwrap().is_open(), is_open, "{text}");
        }
    }

    #[tokio::test]
    async fn the_errors_for_a_unix_socket_say_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let address = || format!("unix:{}", path.display()).parse::<ListenAddress>().unwrap();
        let error = async || bind(address()).await.err().unwrap().to_string();
        let listener = bind(address()).await.unwrap();
        assert_eq!(listener.address().unwrap(), LocalAddress::Unix(path.clone()));
        assert_eq!(error().await, format!("{} is in use: stop what listens there, or choose another path", address()));
        drop(listener);
        std::fs::write(&path, "").unwrap();
        let expected = format!("{} is there, and is no socket: remove it, or choose another path", path.display());
        assert_eq!(error().await, expected);
    }

    #[tokio::test]
    async fn the_error_for_a_name_without_an_address_has_the_name() {
        // The domain is reserved (RFC 6761).
        let error = bind("gone.invalid:8080".parse::<ListenAddress>().unwrap()).await.err().unwrap().to_string();
        let expected = "the name of gone.invalid:8080 is not known: choose an address of this machine, or localhost";
        assert_eq!(error, expected);
    }

    #[test]
    fn an_address_is_printed_as_it_was_written() {
        let texts = ["127.0.0.1:8080", "[::1]:80", "localhost:8080", "my_host-1.test:1", ":8080", "unix:/run/a b:1"];
        for text in texts {
            assert_eq!(text.parse::<ListenAddress>().unwrap().to_string(), text);
        }
        assert_eq!("8080".parse::<ListenAddress>().unwrap().to_string(), "127.0.0.1:8080");
        for text in [
            "",
            ":",
            "a",
            "localhost",
            "localhost:",
            "localhost:65536",
            "a b:1",
            "::1:x",
            "1.2.3:80",
            "http://a:1",
            "unix:",
        ] {
            assert_eq!(text.parse::<ListenAddress>(), Err(InvalidListenAddress), "{text}");
        }
    }
}
