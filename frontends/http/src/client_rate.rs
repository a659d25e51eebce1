//! Limits how often one client may call functions.

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
};

use nebula_runtime::{InvokeError, Overload, Rate, RateLimit};
use quick_cache::sync::Cache;

/// How many clients are remembered. A client that is forgotten for others begins anew.
const REMEMBERED: usize = 16_384;

/// Limits how often one client may call functions. Clients are told apart by their address.
#[derive(Clone)]
pub(crate) struct ClientRate {
    rate: Rate,
    clients: Arc<Cache<IpAddr, Arc<RateLimit>>>,
}

impl ClientRate {
    pub(crate) fn new(rate: Rate) -> Self {
        Self { rate, clients: Arc::new(Cache::new(REMEMBERED)) }
    }

    /// Counts a call of the client.
    ///
    /// # Errors
    /// [`ErrorKind::Overloaded`](nebula_runtime::ErrorKind::Overloaded) if the client calls too often.
    pub(crate) fn count(&self, client: IpAddr) -> Result<(), InvokeError> {
        let new = || Ok::<_, InvokeError>(Arc::new(RateLimit::new(self.rate)));
        let limit = self.clients.get_or_insert_with(&subscriber(client), new)?;
        limit.take().map_err(|wait| {
            let detail = format!("the client {client} is at its rate limit of {}; try again later", self.rate);
            InvokeError::overloaded(Overload::Client, wait, detail)
        })
    }
}

/// The address of a client's network: one subscriber has all IPv6 addresses with the same first 64 bits (RFC 6177).
fn subscriber(client: IpAddr) -> IpAddr {
    match client {
        IpAddr::V4(_) => client,
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_has_a_rate_of_its_own() {
        let limit = ClientRate::new("1/h".parse().unwrap());
        let cases = [
            ("192.0.2.1", true),
            ("192.0.2.1", false),
            ("192.0.2.2", true),
            ("2001:db8:0:1::1", true),
            ("2001:db8:0:1:ffff::2", false),
            ("2001:db8:0:2::1", true),
        ];
        for (client, expected) in cases {
            assert_eq!(limit.count(client.parse().unwrap()).is_ok(), expected, "{client}");
        }
    }
}
