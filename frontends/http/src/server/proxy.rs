//! The PROXY protocol: the bytes with which a proxy says whose connection it passes on, before all others.

use std::{
    io,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use proxy_header::{Error, ParseConfig, ProxyHeader};

use super::socket::Socket;
use crate::{peer::Peer, proxies::TrustedProxies};

/// The largest header that is read. Version 1 has 107 bytes at most, and proxies send far fewer than this in version 2.
const MAX_HEADER: usize = 4096;

/// The proxies whose connections begin with a header of the PROXY protocol.
pub(super) struct ProxyProtocol {
    proxies: TrustedProxies,
    is_logged: AtomicBool,
}

impl ProxyProtocol {
    pub(super) fn of(proxies: TrustedProxies) -> Self {
        Self { proxies, is_logged: AtomicBool::new(false) }
    }

    /// Reads the header of a connection, if it comes from one of the proxies, and returns whose connection it is: that
    /// of the proxy itself where the header says so. Every other client sends no header, and its bytes stay as they are.
    ///
    /// # Errors
    /// If the proxy sends something else.
    pub(super) async fn client(&self, peer: Peer, socket: &mut Socket) -> io::Result<Peer> {
        if !self.proxies.trusts(peer) {
            return Ok(peer);
        }
        let header = header(socket).await;
        if header.is_err() && !self.is_logged.swap(true, Relaxed) {
            tracing::warn!(
                proxy = %peer,
                "closed a connection of a trusted proxy, because it did not begin with a header of the PROXY protocol; \
                 further ones are closed without a line"
            );
        }
        header.map(|client| client.unwrap_or(peer))
    }
}

/// The client in the header, which is taken out of the socket.
async fn header(socket: &mut Socket) -> io::Result<Option<Peer>> {
    let settings = ParseConfig { include_tlvs: false, ..ParseConfig::default() };
    loop {
        match ProxyHeader::parse(socket.early(), settings) {
            Ok((header, length)) => {
                let client = header.proxied_address().map(|address| address.source.ip().to_canonical());
                socket.skip_early(length);
                return Ok(client.map(Peer::Address));
            }
            Err(Error::BufferTooShort) if socket.early().len() < MAX_HEADER => {
                if socket.read_early().await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            Err(_) => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
}
