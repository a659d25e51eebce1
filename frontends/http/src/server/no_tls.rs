//! In place of TLS, which this build does not have.

use std::io;

/// There is none.
pub(super) enum Tls {}

/// A connection with TLS. There is none.
pub(super) type TlsStream<S> = S;

impl Tls {
    pub(super) async fn accept<S>(&self, _: S) -> io::Result<(TlsStream<S>, bool)> {
        match *self {}
    }
}
