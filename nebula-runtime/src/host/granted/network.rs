//! The connections that a function's guests may make, and the datagrams that they may exchange.

use std::{
    collections::HashSet,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
};

use wasmtime_wasi::{WasiCtxBuilder, sockets::SocketAddrUse};

use super::lookups::{LookupError, Lookups};
use crate::{
    function::{Destination, FunctionConfig, FunctionName, Protocol, is_public},
    sync::lock,
};

/// The connections that a function's guests may make, and the datagrams that they may exchange: with what its
/// configuration names. A guest cannot listen, and gets datagrams only from where it may send them.
#[derive(Clone)]
pub(in crate::host) struct Network {
    function: FunctionName,
    allowed: Arc<[Destination]>,
    lookups: Lookups,
    noted: Arc<Mutex<HashSet<String>>>,
}

/// How many refusals of one function are noted in the log.
const NOTED: usize = 100;

impl Network {
    pub(super) fn set_up(name: &FunctionName, config: &FunctionConfig) -> Self {
        let allowed = config.connect.as_slice().into();
        Self { function: name.clone(), allowed, lookups: Lookups::default(), noted: Arc::default() }
    }

    pub(super) fn give(&self, wasi: &mut WasiCtxBuilder) {
        if self.allowed.is_empty() {
            return;
        }
        let network = self.clone();
        wasi.allow_tcp(self.uses(Protocol::Tcp)).allow_udp(self.uses(Protocol::Udp)).allow_ip_name_lookup(true);
        wasi.socket_addr_check(move |address, used| {
            let network = network.clone();
            Box::pin(async move { network.allows(address, used).await })
        });
    }

    /// Notes in the log that a guest makes a socket of a protocol of which nothing is granted. It is refused.
    pub(in crate::host) fn note_socket(&self, protocol: Protocol) {
        if self.uses(protocol) {
            return;
        }
        let place = match protocol {
            Protocol::Tcp => "HOST:PORT",
            Protocol::Udp => "udp://HOST:PORT",
        };
        let function = &self.function;
        self.note(format!(
            "the function may not make a socket; to allow it, add {place:?} to connect of [functions.{function}]"
        ));
    }

    /// Whether the guest may look up the addresses of a name. A name that anybody can look up carries data away.
    pub(in crate::host) fn allows_lookup(&self, name: &str) -> bool {
        let allows = self.allowed.iter().any(|destination| destination.is_named(name));
        if !allows && !self.allowed.is_empty() {
            self.refuse("look up", name);
        }
        allows
    }

    /// The addresses that a name has now.
    pub(in crate::host) async fn look_up(self, name: String) -> Result<Vec<IpAddr>, LookupError> {
        self.lookups.addresses(&name).await
    }

    fn uses(&self, protocol: Protocol) -> bool {
        self.allowed.iter().any(|destination| destination.protocol() == protocol)
    }

    async fn allows(&self, address: SocketAddr, used: SocketAddrUse) -> bool {
        match used {
            // The system chooses the port of the guest's own end.
            SocketAddrUse::TcpBind | SocketAddrUse::UdpBind => address.ip().is_unspecified() && address.port() == 0,
            SocketAddrUse::TcpConnect => self.reaches(Protocol::Tcp, address).await || self.refuse_address(address),
            SocketAddrUse::UdpSend => self.reaches(Protocol::Udp, address).await || self.refuse_address(address),
            // Anybody may send a datagram to the guest's port: those of strangers are dropped without a word.
            SocketAddrUse::UdpReceive => self.reaches(Protocol::Udp, address).await,
            _ => false,
        }
    }

    /// Whether an address is granted. The names are looked up here, each time: the answer that a guest got does not
    /// count.
    async fn reaches(&self, protocol: Protocol, address: SocketAddr) -> bool {
        let is_meant = |granted: &&Destination| granted.protocol() == protocol && granted.port() == address.port();
        for destination in self.allowed.iter().filter(is_meant) {
            if destination.is_address(address.ip())
                || (is_public(address.ip()) && self.means(destination, address.ip()).await)
            {
                return true;
            }
        }
        false
    }

    /// Whether a public address is one of those that the host has now.
    async fn means(&self, destination: &Destination, address: IpAddr) -> bool {
        if destination.is_any() {
            return true;
        }
        let Some(name) = destination.name() else { return false };
        let found = self.lookups.addresses(name).await;
        found.is_ok_and(|found| found.contains(&address.to_canonical()))
    }

    fn refuse_address(&self, address: SocketAddr) -> bool {
        self.refuse("connect to", &address.to_string());
        false
    }

    fn refuse(&self, verb: &str, what: &str) {
        let function = &self.function;
        self.note(format!(
            "the function may not {verb} {what:?}; to allow it, add it to connect of [functions.{function}], as HOST:PORT \
             or udp://HOST:PORT. An address that is not public must be named itself"
        ));
    }

    /// Writes a line to the log, unless it is there already. A guest may try as often as it likes.
    fn note(&self, line: String) {
        let mut noted = lock(&self.noted);
        if noted.len() < NOTED && noted.insert(line.clone()) {
            tracing::warn!(function = %self.function, "{line}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(connect: &[&str]) -> Network {
        let connect = connect.iter().map(|text| text.parse().unwrap()).collect();
        Network::set_up(&"shop".parse().unwrap(), &FunctionConfig { connect, ..FunctionConfig::default() })
    }

    async fn allows(connect: &[&str], used: SocketAddrUse, address: &str) -> bool {
        network(connect).allows(address.parse().unwrap(), used).await
    }

    #[tokio::test]
    async fn the_address_of_a_connection_counts_and_not_what_a_name_was_resolved_to() {
        use SocketAddrUse::TcpConnect;

        // What a name has at the second look-up: this machine, its network, and a cloud's metadata.
        for address in
            ["127.0.0.1:5432", "10.0.0.7:5432", "169.254.169.254:5432", "[::1]:5432", "[::ffff:10.0.0.7]:5432"]
        {
            assert!(!allows(&["db.example.com:5432", "*:5432"], TcpConnect, address).await, "{address}");
        }
        assert!(allows(&["*:5432"], TcpConnect, "93.184.216.34:5432").await);
        assert!(allows(&["db.example.com:5432", "10.0.0.7:5432"], TcpConnect, "10.0.0.7:5432").await);
        assert!(!allows(&["10.0.0.7:5432"], TcpConnect, "10.0.0.7:5433").await);
    }

    #[test]
    fn a_guest_that_is_refused_a_thousand_times_is_a_few_lines_of_the_log() {
        let network = network(&["db.example.com:5432"]);
        for number in 0..1_000 {
            network.note_socket(Protocol::Udp);
            network.refuse("connect to", "10.0.0.7:5432");
            assert_eq!(lock(&network.noted).len(), 2, "{number}");
        }
        (0..1_000).for_each(|number| assert!(!network.allows_lookup(&format!("{number}.evil.test"))));
        assert_eq!(lock(&network.noted).len(), NOTED);
    }

    #[tokio::test]
    async fn connections_and_datagrams_are_granted_apart() {
        use SocketAddrUse::{TcpBind, TcpConnect, TcpListen, UdpBind, UdpReceive, UdpSend};

        let address = "10.0.0.2:53";
        for (connect, expected) in [("10.0.0.2:53", [true, false, false]), ("udp://10.0.0.2:53", [false, true, true])] {
            for (used, expected) in [TcpConnect, UdpSend, UdpReceive].into_iter().zip(expected) {
                assert_eq!(allows(&[connect], used, address).await, expected, "{connect} {used:?}");
            }
        }
        for (used, address, expected) in [
            (TcpBind, "0.0.0.0:0", true),
            (UdpBind, "[::]:0", true),
            (UdpBind, "0.0.0.0:53", false),
            (UdpBind, "127.0.0.1:0", false),
            (TcpListen, "0.0.0.0:0", false),
        ] {
            assert_eq!(allows(&["udp://*:53", "*:53"], used, address).await, expected, "{used:?} {address}");
        }
    }
}
