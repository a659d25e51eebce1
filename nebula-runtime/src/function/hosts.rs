//! Which hosts a guest's own requests may reach.

use std::{fmt, net::IpAddr, net::Ipv4Addr, net::Ipv6Addr, str::FromStr};

use serde::{Deserialize, Serialize};

use super::text::shortened;

/// A host that a guest may send HTTP requests to: `api.example.com`, `*.example.com:8443`, `127.0.0.1:9000`, `[::1]`,
/// or `*` for any.
///
/// - Without a port, the port of the request's scheme is allowed: 80 or 443.
/// - `*.example.com` is every host below `example.com`, but not `example.com` itself.
/// - Names are in lower case, without a dot at the end.
/// - An address that is not public is reached only where it is named as an address (or as `localhost`): a name that
///   resolves to it is not enough, and neither is `*`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostPattern {
    host: Host,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Host {
    Any,
    Below(Box<str>),
    Name(Box<str>),
    Address(IpAddr),
}

/// A text that is not a [`HostPattern`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid host {0:?}: expected a host such as \"api.example.com\", \"*.example.com\" or \"127.0.0.1\", and optionally a port, as in \"api.example.com:8443\""
)]
pub struct InvalidHost(String);

impl HostPattern {
    /// Whether a request to `host` and `port` is meant; `is_default` says that the port is the scheme's own.
    pub(crate) fn matches(&self, host: &str, port: u16, is_default: bool) -> bool {
        self.allows_port(port, is_default) && self.host.matches(host)
    }

    /// Whether a connection to `address`, which the request's `host` resolved to, is meant where it is not public.
    pub(crate) fn names_address(&self, host: &str, address: IpAddr, port: u16, is_default: bool) -> bool {
        self.allows_port(port, is_default)
            && match &self.host {
                Host::Address(named) => *named == address.to_canonical(),
                // RFC 6761, section 6.3: the name means the loopback address, and nothing else.
                Host::Name(name) => &**name == "localhost" && is_same(host, name) && address.is_loopback(),
                Host::Any | Host::Below(_) => false,
            }
    }

    /// The port, if one is named.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The name of the host, unless it is an address or a pattern.
    pub(super) fn name(&self) -> Option<&str> {
        match &self.host {
            Host::Name(name) => Some(name),
            Host::Any | Host::Below(_) | Host::Address(_) => None,
        }
    }

    /// Whether it stands for any host.
    pub(super) fn is_any(&self) -> bool {
        self.host == Host::Any
    }

    /// Whether it stands for the hosts below a name.
    pub(super) fn is_below(&self) -> bool {
        matches!(self.host, Host::Below(_))
    }

    fn allows_port(&self, port: u16, is_default: bool) -> bool {
        self.port.map_or(is_default, |allowed| allowed == port)
    }
}

impl Host {
    fn matches(&self, host: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Below(suffix) => {
                let host = host.strip_suffix('.').unwrap_or(host).as_bytes();
                let (suffix, end) = (suffix.as_bytes(), host.len().checked_sub(suffix.len()));
                let Some((below, dot)) = end.and_then(|end| Some((host.get(end..)?, end.checked_sub(1)?))) else {
                    return false;
                };
                below.eq_ignore_ascii_case(suffix) && host.get(dot) == Some(&b'.') && dot > 0
            }
            Self::Name(name) => is_same(host, name),
            Self::Address(address) => parse_address(host) == Some(*address),
        }
    }
}

/// Whether two host names are the same (RFC 4343).
fn is_same(host: &str, name: &str) -> bool {
    host.strip_suffix('.').unwrap_or(host).eq_ignore_ascii_case(name)
}

/// An address as a URI writes it: one of IPv6 stands in brackets.
fn parse_address(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    Some(bare.parse::<IpAddr>().ok()?.to_canonical())
}

/// Whether everybody may reach `address`: it is not this machine's, its network's, or kept for something else (the
/// special purpose registries of RFC 6890). Cloud platforms keep their metadata, and so their credentials, at such
/// addresses.
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    !(first == 0
        || address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_documentation()
        // Shared by a provider's customers (RFC 6598); protocol assignments; benchmarks (RFC 2544).
        || (first == 100 && second & 0xc0 == 64)
        || (first, second, third) == (192, 0, 0)
        || (first == 198 && second & 0xfe == 18)
        // Multicast, reserved, broadcast.
        || first >= 224)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    match segments {
        // NAT64 (RFC 6052) and 6to4 (RFC 3056) carry an address of IPv4.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => is_public_v4(embedded(high, low)),
        // What is not global unicast (RFC 4291, section 2.4) is loopback, unique local, link local, multicast or
        // reserved.
        [first, second, ..] => {
            first & 0xe000 == 0x2000 && (first, second) != (0x2001, 0x0db8) && (first, second) != (0x2001, 0)
        }
    }
}

fn embedded(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from((u32::from(high) << 16) | u32::from(low))
}

impl FromStr for HostPattern {
    type Err = InvalidHost;

    fn from_str(text: &str) -> Result<Self, InvalidHost> {
        let invalid = || InvalidHost(shortened(text, 80));
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self { host: Host::Address(address.to_canonical()), port: None });
        }
        let (host, port) = match text.rsplit_once(':') {
            // The colon is in the brackets of an IPv6 address.
            Some((_, rest)) if rest.ends_with(']') => (text, None),
            Some((host, port)) => (host, Some(port.parse().map_err(|_| invalid())?)),
            None => (text, None),
        };
        Ok(Self { host: host.parse().map_err(|()| invalid())?, port })
    }
}

impl FromStr for Host {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if text == "*" {
            return Ok(Self::Any);
        }
        if let Some(address) = parse_address(text) {
            return Ok(Self::Address(address));
        }
        let name = |name: &str| is_name(name).then(|| name.to_ascii_lowercase().into_boxed_str());
        match text.strip_prefix("*.") {
            Some(suffix) => name(suffix).map(Self::Below),
            None => name(text).map(Self::Name),
        }
        .ok_or(())
    }
}

/// Letters, digits and hyphens, in labels (RFC 1123, section 2.1); underscores too, which many names in use have.
fn is_name(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    // Without a letter it is an address that is misspelt.
    text.len() <= 253 && text.split('.').all(is_label) && text.bytes().any(|byte| byte.is_ascii_alphabetic())
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Any => f.write_str("*")?,
            Host::Below(suffix) => write!(f, "*.{suffix}")?,
            Host::Name(name) => f.write_str(name)?,
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]")?,
            Host::Address(address) => address.fmt(f)?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl TryFrom<String> for HostPattern {
    type Error = InvalidHost;

    fn try_from(text: String) -> Result<Self, InvalidHost> {
        text.parse()
    }
}

impl From<HostPattern> for String {
    fn from(pattern: HostPattern) -> Self {
        pattern.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(pattern: &str, host: &str, port: u16) -> bool {
        pattern.parse::<HostPattern>().unwrap().matches(host, port, matches!(port, 80 | 443))
    }

    #[test]
    fn a_pattern_allows_what_it_names_and_nothing_like_it() {
        let cases = [
            ("api.example.com", "api.example.com", 443, true),
            ("api.example.com", "API.Example.com.", 80, true),
            ("api.example.com", "api.example.com", 8443, false),
            ("api.example.com:8443", "api.example.com", 8443, true),
            ("api.example.com:8443", "api.example.com", 443, false),
            ("api.example.com", "evil-api.example.com", 443, false),
            ("api.example.com", "api.example.com.evil.test", 443, false),
            ("*.example.com", "api.example.com", 443, true),
            ("*.example.com", "a.b.EXAMPLE.com", 443, true),
            ("*.example.com", "example.com", 443, false),
            ("*.example.com", ".example.com", 443, false),
            ("*.example.com", "evilexample.com", 443, false),
            ("127.0.0.1:9000", "127.0.0.1", 9000, true),
            ("127.0.0.1:9000", "127.0.0.2", 9000, false),
            ("[::1]:9000", "[::1]", 9000, true),
            ("::1", "[::1]", 80, true),
            ("*", "anything.test", 443, true),
            ("*", "anything.test", 8443, false),
        ];
        for (pattern, host, port, expected) in cases {
            assert_eq!(allows(pattern, host, port), expected, "{pattern} {host}:{port}");
        }
    }

    #[test]
    fn prints_what_it_parsed() {
        for text in
            ["api.example.com", "*.example.com:8443", "127.0.0.1:9000", "[::1]:80", "[2001:db8::1]", "*", "*:81"]
        {
            assert_eq!(text.parse::<HostPattern>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn refuses_what_is_no_host() {
        for text in [
            "",
            "*.",
            "a..b",
            "https://example.com",
            "example.com/path",
            "a b",
            "example.com:",
            "a:b",
            "*x.com",
            "1.2.3",
        ] {
            assert!(text.parse::<HostPattern>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn only_what_everybody_may_reach_is_public() {
        let public =
            ["1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::101:101", "2002:0101:0101::1"];
        let closed = [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.8.9.1",
            "169.254.169.254",
            "172.16.0.1",
            "192.0.0.8",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "fe80::1",
            "fd00:ec2::254",
            "ff02::1",
            "64:ff9b::a9fe:a9fe",
            "2002:7f00:0001::1",
            "2001:db8::1",
            "::127.0.0.1",
        ];
        for (addresses, expected) in [(&public[..], true), (&closed[..], false)] {
            for address in addresses {
                assert_eq!(is_public(address.parse().unwrap()), expected, "{address}");
            }
        }
    }

    #[test]
    fn an_address_that_is_not_public_is_reached_only_by_naming_it() {
        let names = |pattern: &str, host, address: &str| {
            let pattern: HostPattern = pattern.parse().unwrap();
            pattern.names_address(host, address.parse().unwrap(), 80, true)
        };
        assert!(names("127.0.0.1", "127.0.0.1", "127.0.0.1"));
        assert!(names("10.0.0.5", "db.internal", "10.0.0.5"));
        assert!(names("localhost", "localhost", "127.0.0.1"));
        assert!(!names("db.internal", "db.internal", "127.0.0.1"));
        assert!(!names("localhost", "localhost", "169.254.169.254"));
        assert!(!names("*", "127.0.0.1", "127.0.0.1"));
        assert!(!names("127.0.0.1:81", "127.0.0.1", "127.0.0.1"));
    }
}
