//! Taking an address to listen on.

use std::{io, net::SocketAddr};

use tokio::net::TcpListener;

/// Why a server cannot listen on an address.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// Another process listens there.
    #[error("{0} is in use: stop what listens there, or choose another port")]
    InUse(SocketAddr, #[source] io::Error),
    /// Ports below 1024 need a privilege on most systems.
    #[error("listening on {0} is not permitted: choose a port from 1024 on")]
    NotPermitted(SocketAddr, #[source] io::Error),
    /// The address is another machine's.
    #[error("{0} is not an address of this machine: choose one that is, or 0.0.0.0 for all of them")]
    NotOurs(SocketAddr, #[source] io::Error),
    /// Something else.
    #[error("failed to listen on {0}")]
    Failed(SocketAddr, #[source] io::Error),
}

/// Listens on `address`; on port 0, on any free port.
///
/// # Errors
/// Where the address cannot be had, with what to do.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, BindError> {
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => BindError::InUse(address, error),
        io::ErrorKind::PermissionDenied => BindError::NotPermitted(address, error),
        io::ErrorKind::AddrNotAvailable => BindError::NotOurs(address, error),
        _ => BindError::Failed(address, error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_in_use_is_named_with_what_to_do() {
        let taken = bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let address = taken.local_addr().unwrap();
        let error = bind(address).await.unwrap_err().to_string();
        assert_eq!(error, format!("{address} is in use: stop what listens there, or choose another port"));
    }

    #[tokio::test]
    async fn an_address_of_another_machine_is_named_with_what_to_do() {
        // Of a block that is nobody's (RFC 5737).
        let error = bind(([192, 0, 2, 1], 0).into()).await.unwrap_err().to_string();
        let expected = "192.0.2.1:0 is not an address of this machine: choose one that is, or 0.0.0.0 for all of them";
        assert_eq!(error, expected);
    }
}
