//! Looking up the addresses of names.

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
};

use tokio::{net::lookup_host, sync::Semaphore};
use url::Host;

/// How many names the guests of one function may look up at once. Others wait: each lookup has a thread of the process
/// until the system answers, also if the guest has ended.
const LOOKUPS_AT_ONCE: usize = 8;

/// Looks up names for the guests of one function. Clones share the limit.
#[derive(Clone)]
pub(super) struct Lookups(Arc<Semaphore>);

/// Why a name has no addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::host) enum LookupError {
    /// It is no name of a host.
    Invalid,
    /// The system finds no address.
    NotFound,
}

impl Default for Lookups {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(LOOKUPS_AT_ONCE)))
    }
}

impl Lookups {
    /// The addresses that a name has now. An address stands for itself.
    pub(super) async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, LookupError> {
        let name = match Host::parse(name) {
            Ok(Host::Domain(name)) => name,
            Ok(Host::Ipv4(address)) => return Ok(vec![address.into()]),
            Ok(Host::Ipv6(address)) => return Ok(vec![address.into()]),
            // Without brackets.
            Err(_) => {
                return name.parse::<Ipv6Addr>().map(|address| vec![address.into()]).or(Err(LookupError::Invalid));
            }
        };
        let place = Arc::clone(&self.0).acquire_owned().await.or(Err(LookupError::NotFound))?;
        let lookup = tokio::spawn(async move {
            let _place = place;
            let found = lookup_host((name, 0)).await?;
            std::io::Result::Ok(found.map(|address| address.ip().to_canonical()).collect())
        });
        lookup.await.ok().and_then(Result::ok).ok_or(LookupError::NotFound)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt as _, future::join_all};

    use super::*;

    #[tokio::test]
    async fn an_address_stands_for_itself_and_what_is_no_name_is_not_looked_up() {
        let lookups = Lookups::default();
        for text in ["127.0.0.1", "::1", "[::1]"] {
            let address = text.trim_matches(['[', ']']).parse::<IpAddr>().unwrap();
            assert_eq!(lookups.addresses(text).await, Ok(vec![address]), "{text}");
        }
        for text in ["", "a b", "db.example.com:5432"] {
            assert_eq!(lookups.addresses(text).await, Err(LookupError::Invalid), "{text}");
        }
    }

    #[tokio::test]
    async fn names_are_looked_up_a_few_at_a_time() {
        let lookups = Lookups::default();
        let places = Arc::clone(&lookups.0).acquire_many_owned(u32::try_from(LOOKUPS_AT_ONCE).unwrap()).await.unwrap();
        let mut waiting = Box::pin(lookups.addresses("localhost"));
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(places);
        assert!(waiting.await.unwrap().iter().all(IpAddr::is_loopback));
        let found = join_all([(); 100].map(|()| lookups.addresses("localhost"))).await;
        assert!(found.iter().all(Result::is_ok));
    }
}
