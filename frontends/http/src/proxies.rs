//! The proxies that a server trusts to say where a request came from.

use std::{
    net::IpAddr,
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;
use nebula_runtime::shortened;

use crate::peer::Peer;

/// A network of addresses, or a single address: `10.0.0.0/8`, `192.0.2.1`, `fd00::/8`. `unix` stands for the processes
/// that connect through a Unix socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network(Members);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Members {
    Addresses(IpNet),
    Unix,
}

/// A text that is not a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid network {0:?}: expected an address such as \"192.0.2.1\", a network such as \"10.0.0.0/8\", or \"unix\""
)]
pub struct InvalidNetwork(String);

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        if text == "unix" {
            return Ok(Self(Members::Unix));
        }
        let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        let network = network.map_err(|_| InvalidNetwork(shortened(text, 80)))?;
        Ok(Self(Members::Addresses(network.trunc())))
    }
}

impl Network {
    fn has(self, peer: Peer) -> bool {
        match (self.0, peer) {
            (Members::Addresses(network), Peer::Address(address)) => network.contains(&address),
            (Members::Unix, Peer::Unix) => true,
            (Members::Addresses(_), Peer::Unix) | (Members::Unix, Peer::Address(_)) => false,
        }
    }
}

/// The proxies that a server trusts to say where a request came from, in the headers `Forwarded`, `X-Real-IP` and those
/// that begin with `X-Forwarded-`. The server removes these headers from the requests of all other clients, and logs
/// that once.
///
/// - By default no proxy is trusted, as any client could claim another address.
/// - Cheap to clone; clones are the same.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    networks: Vec<Network>,
    is_logged: AtomicBool,
}

impl FromIterator<Network> for TrustedProxies {
    fn from_iter<I: IntoIterator<Item = Network>>(networks: I) -> Self {
        Self(Arc::new(Inner { networks: networks.into_iter().collect(), is_logged: AtomicBool::new(false) }))
    }
}

impl TrustedProxies {
    /// Removes the headers in which `client` says where a request came from, unless the client is one of these proxies.
    pub(crate) fn clean(&self, client: Peer, headers: &mut HeaderMap) {
        if !headers.keys().any(is_of_proxies) || self.trusts(client) {
            return;
        }
        let dropped: Vec<_> = headers.keys().filter(|name| is_of_proxies(name)).cloned().collect();
        for name in &dropped {
            headers.remove(name);
        }
        if !self.0.is_logged.swap(true, Relaxed) {
            let names = dropped.iter().map(HeaderName::as_str).collect::<Vec<_>>().join(", ");
            tracing::warn!(
                %client,
                "removed {names} from a request, because its sender is not a trusted proxy; to trust the sender, add \
                 \"{client}\" to trusted_proxies in [server]"
            );
        }
    }

    /// The address that a request of `client` came from first: the last one in `X-Forwarded-For` that is not of a trusted
    /// proxy, where a trusted proxy has sent the request.
    pub(crate) fn origin(&self, client: IpAddr, headers: &HeaderMap) -> IpAddr {
        const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

        if !self.trusts(Peer::Address(client)) {
            return client;
        }
        let fields: Vec<_> = headers.get_all(FORWARDED_FOR).iter().filter_map(|field| field.to_str().ok()).collect();
        let hops = fields.iter().rev().flat_map(|field| field.rsplit(',')).map_while(|hop| hop.trim().parse().ok());
        let mut origin = client;
        for hop in hops {
            origin = hop;
            if !self.trusts(Peer::Address(hop)) {
                break;
            }
        }
        origin
    }

    /// Whether the peer is one of these proxies.
    pub(crate) fn trusts(&self, peer: Peer) -> bool {
        self.0.networks.iter().any(|network| network.has(peer))
    }
}

fn is_of_proxies(name: &HeaderName) -> bool {
    let name = name.as_str();
    name.starts_with("x-forwarded-") || matches!(name, "forwarded" | "x-real-ip")
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    /// The headers that are left of a request from `client`.
    fn left(trusted: &[&str], client: &str) -> Vec<String> {
        let names = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-port", "x-real-ip", "x-own"];
        let names = names.map(|name| (HeaderName::from_static(name), HeaderValue::from_static("a")));
        let mut headers = HeaderMap::from_iter(names);
        let proxies: TrustedProxies = trusted.iter().map(|network| network.parse::<Network>().unwrap()).collect();
        let client = client.parse().map_or(Peer::Unix, Peer::Address);
        proxies.clean(client, &mut headers);
        headers.keys().map(ToString::to_string).collect()
    }

    #[test]
    fn only_trusted_proxies_can_say_where_a_request_came_from() {
        let cases = [
            (&[][..], "127.0.0.1", 1),
            (&["127.0.0.1"], "127.0.0.1", 6),
            (&["127.0.0.1"], "127.0.0.2", 1),
            (&["10.0.0.0/8"], "10.200.3.4", 6),
            (&["10.9.9.9/8"], "10.200.3.4", 6),
            (&["10.0.0.0/8"], "11.0.0.1", 1),
            (&["fd00::/8", "::1"], "::1", 6),
            (&["fd00::/8", "::1"], "fe80::1", 1),
            (&["0.0.0.0/0"], "::1", 1),
            (&["0.0.0.0/0", "::/0"], "unix", 1),
            (&["unix"], "unix", 6),
            (&["unix"], "127.0.0.1", 1),
        ];
        for (trusted, client, count) in cases {
            let left = left(trusted, client);
            assert!(left.len() == count && left.contains(&"x-own".to_owned()), "{trusted:?} {client} {left:?}");
        }
    }

    #[test]
    fn a_request_comes_from_the_last_address_that_is_not_of_a_trusted_proxy() {
        let proxies: TrustedProxies = ["10.0.0.0/8".parse::<Network>().unwrap()].into_iter().collect();
        let cases = [
            ("192.0.2.1", &["198.51.100.1"][..], "192.0.2.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["203.0.113.9, 198.51.100.1, 10.0.0.2"], "198.51.100.1"),
            ("10.0.0.1", &["203.0.113.9", "198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["nonsense"], "10.0.0.1"),
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ];
        for (client, fields, expected) in cases {
            let name = HeaderName::from_static("x-forwarded-for");
            let mut headers = HeaderMap::new();
            for field in fields {
                headers.append(name.clone(), HeaderValue::from_static(field));
            }
            let origin = proxies.origin(client.parse().unwrap(), &headers);
            assert_eq!(origin, expected.parse::<IpAddr>().unwrap(), "{client} {fields:?}");
        }
    }

    #[test]
    fn the_error_for_a_wrong_network_has_its_text() {
        for text in ["", "a", "10.0.0.0/33", "10.0.0/8", "::1/129", "10.0.0.1:80", "localhost"] {
            assert_eq!(text.parse::<Network>(), Err(InvalidNetwork(text.to_owned())));
        }
    }
}
