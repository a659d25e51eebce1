//! The connections that a function's guests may make.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use tokio::net::lookup_host;
use wasmtime_wasi::{WasiCtxBuilder, sockets::SocketAddrUse};

use crate::function::{Destination, FunctionConfig, FunctionName, is_public};

/// The connections that a function's guests may make: with TCP, to what its configuration names. A guest cannot listen.
#[derive(Clone)]
pub(in crate::host) struct Network {
    function: FunctionName,
    allowed: Arc<[Destination]>,
}

impl Network {
    pub(super) fn set_up(name: &FunctionName, config: &FunctionConfig) -> Self {
        Self { function: name.clone(), allowed: config.connect.as_slice().into() }
    }

    pub(super) fn give(&self, wasi: &mut WasiCtxBuilder) {
        if self.allowed.is_empty() {
            return;
        }
        let network = self.clone();
        wasi.allow_tcp(true).allow_ip_name_lookup(true).socket_addr_check(move |address, used| {
            let network = network.clone();
            Box::pin(async move { network.allows(address, used).await })
        });
    }

    /// Whether the guest may look up the addresses of a name. A name that anybody can look up carries data away.
    pub(in crate::host) fn allows_lookup(&self, name: &str) -> bool {
        let allows = self.allowed.iter().any(|destination| destination.is_named(name));
        if !allows && !self.allowed.is_empty() {
            self.refuse("look up", name);
        }
        allows
    }

    async fn allows(&self, address: SocketAddr, used: SocketAddrUse) -> bool {
        match used {
            // The system chooses the port of a connection's own end.
            SocketAddrUse::TcpBind => address.ip().is_unspecified() && address.port() == 0,
            SocketAddrUse::TcpConnect => self.allows_connection(address).await,
            _ => false,
        }
    }

    /// The names are looked up here, each time: the answer that a guest got does not count.
    async fn allows_connection(&self, address: SocketAddr) -> bool {
        for destination in self.allowed.iter().filter(|destination| destination.port() == address.port()) {
            if destination.is_address(address.ip()) {
                return true;
            }
            if is_public(address.ip()) && destination.means(address.ip()).await {
                return true;
            }
        }
        self.refuse("connect to", &address.to_string());
        false
    }

    fn refuse(&self, verb: &str, what: &str) {
        let function = &self.function;
        tracing::warn!(
            %function,
            "the function may not {verb} {what:?}; to allow it, add it to connect of [functions.{function}], as HOST:PORT. \
             An address that is not public must be named itself"
        );
    }
}

impl Destination {
    /// Whether a public address is one of those that the host has now.
    async fn means(&self, address: IpAddr) -> bool {
        if self.is_any() {
            return true;
        }
        let Some(name) = self.name() else { return false };
        let found = lookup_host((name, 0)).await;
        found.is_ok_and(|mut found| found.any(|found| found.ip().to_canonical() == address.to_canonical()))
    }
}
