//! In place of HTTP/2, which this build does not have.

use std::io;

use super::{answer::Service, socket::Socket};

/// The protocols that a client with TLS can choose.
#[cfg(feature = "tls")]
pub(super) const PROTOCOLS: [&[u8]; 1] = [b"http/1.1"];

#[cfg(feature = "tls")]
pub(super) fn is_chosen(_: Option<&[u8]>) -> bool {
    false
}

pub(super) async fn begins(_: &mut Socket) -> io::Result<bool> {
    Ok(false)
}

/// Closes the connection. It is never called.
pub(super) async fn serve<S>(_: S, _: Service) {}
