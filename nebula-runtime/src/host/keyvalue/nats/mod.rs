//! Key-value stores in NATS: the buckets of its JetStream, as its other clients know them.
//!
//! - A key is the name of an entry, as [`names`](super::names) writes it. So simple keys are the same for other clients.
//! - Reads are answered by the leader of the bucket's stream. Another replica could answer with an older value.
//! - A removed key leaves a marker, as NATS has it. It counts as a key that is not there.

mod entries;
mod failure;

use std::{sync::Arc, time::Duration};

use async_nats::{
    Client, ConnectErrorKind, ConnectOptions, ServerAddr,
    connection::State,
    jetstream::{
        self,
        kv::{Config, Store, UpdateErrorKind},
    },
};
use async_trait::async_trait;
use bytes::Bytes;

use self::{
    entries::{ABSENT, ANSWER, entry, page},
    failure::failure,
};
use super::{
    address::Address,
    connection::{Connect, Connection, NotConnected, Operation},
    contract::{KeyValue, Page},
    invalid_url::InvalidKeyValueUrl,
    messages::{REFUSED, UNREACHABLE},
    names, several,
    versioned::{self, Found, Turns, Versioned},
};
use crate::{
    host::{
        failure::{ServiceError, ServiceErrorKind},
        node::Node,
        place::ServicePlace,
    },
    store::use_ring,
};

/// A bucket of a server.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Place(Address);

impl Place {
    pub(super) fn parse(text: &str) -> Result<Self, InvalidKeyValueUrl> {
        const EXPECTED: &str = "nats://HOST:PORT/BUCKET, where BUCKET has letters, digits, - and _ only, and :PORT may be \
                                left out; tls:// is with TLS; USER:PASSWORD@ or TOKEN@ before HOST are credentials";
        let address = Address::parse(text, 4222, EXPECTED)?;
        let is_of_name = |char: char| char.is_ascii_alphanumeric() || "-_".contains(char);
        match !address.path.is_empty() && address.path.chars().all(is_of_name) {
            true => Ok(Self(address)),
            false => Err(InvalidKeyValueUrl::Malformed { expected: EXPECTED }),
        }
    }

    pub(super) fn place(&self) -> ServicePlace {
        ServicePlace::Port(self.0.port)
    }

    pub(super) fn open(&self, _: &Node) -> Result<Arc<dyn KeyValue>, InvalidKeyValueUrl> {
        use_ring();
        let connection = Connection::new(self.clone());
        Ok(Arc::new(NatsKeyValue { connection, prefix: self.0.prefix.clone(), turns: Turns::default() }))
    }

    fn options(&self) -> ConnectOptions {
        let Address { is_tls, user, password, .. } = &self.0;
        let options = match (user.clone(), password.clone()) {
            (Some(user), Some(password)) => ConnectOptions::with_user_and_password(user, password),
            (Some(token), None) | (None, Some(token)) => ConnectOptions::with_token(token),
            (None, None) => ConnectOptions::new(),
        };
        // The backend makes its connections itself, so that operations fail while there is none.
        options.require_tls(*is_tls).max_reconnects(1).ping_interval(PING).request_timeout(Some(ANSWER))
    }
}

/// How often the server is asked whether it is there. The client gives a connection up after two questions.
const PING: Duration = Duration::from_secs(3);

/// A connection, and the bucket that it is used for.
#[derive(Clone)]
pub(super) struct Bucket {
    client: Client,
    store: Store,
}

#[async_trait]
impl Connect for Place {
    type Connection = Bucket;

    async fn connect(&self) -> Result<Bucket, NotConnected> {
        let Address { host, port, path: bucket, .. } = &self.0;
        let failed = |detail, cause| NotConnected { detail, cause };
        let address = format!("{host}:{port}").parse::<ServerAddr>();
        let address = address.map_err(|error| failed(UNREACHABLE, Arc::new(error) as _))?;
        let client = self.options().connect(address).await.map_err(|error| {
            let is_refusal =
                matches!(error.kind(), ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication);
            failed(if is_refusal { REFUSED } else { UNREACHABLE }, Arc::new(error))
        })?;
        let mut context = jetstream::new(client.clone());
        context.set_timeout(ANSWER);
        let store = open(&context, bucket).await.map_err(|error| failed(NO_BUCKET, error.into()))?;
        Ok(Bucket { client, store })
    }

    async fn is_open(bucket: &Bucket, _: Duration) -> bool {
        bucket.client.connection_state() == State::Connected
    }
}

const NO_BUCKET: &str = "the bucket of the key-value service is not there and cannot be made";

/// Opens a bucket. It is made if it is not there.
async fn open(context: &jetstream::Context, bucket: &str) -> Result<Store, async_nats::Error> {
    if let Ok(store) = context.get_key_value(bucket).await {
        return Ok(store);
    }
    let config = Config { bucket: bucket.to_owned(), history: 1, ..Config::default() };
    Ok(context.create_key_value(config).await?)
}

/// A key-value store in NATS.
struct NatsKeyValue {
    connection: Connection<Place>,
    prefix: String,
    turns: Turns,
}

impl NatsKeyValue {
    /// The name of a key. A dot at its end would be an empty part.
    fn name(&self, key: &str) -> String {
        let name = names::name(&format!("{}{key}", self.prefix));
        match name.strip_suffix('.') {
            Some(name) => format!("{name}=2E"),
            None => name,
        }
    }

    /// The key of a name.
    fn key(&self, name: &str) -> Option<String> {
        let key = match name.strip_suffix("=2E") {
            // Only at the end a dot is written that way where it need not be.
            Some(start) => names::key(&format!("{start}.")).or_else(|| names::key(name)),
            None => names::key(name),
        };
        key?.strip_prefix(&self.prefix).map(str::to_owned)
    }
}

/// Ends an operation. After a failure, the next one connects anew.
fn end<T>(operation: Operation<'_, Place>, result: Result<T, ServiceError>) -> Result<T, ServiceError> {
    operation.end(result.as_ref().is_err_and(|error| error.kind() == ServiceErrorKind::Unavailable));
    result
}

#[async_trait]
impl KeyValue for NatsKeyValue {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, ServiceError> {
        Ok(self.read(key).await?.value)
    }

    async fn set(&self, key: &str, value: Bytes) -> Result<(), ServiceError> {
        let operation = self.connection.begin().await?;
        let put = operation.connection().store.put(self.name(key), value).await;
        end(operation, put.map(drop).map_err(failure))
    }

    async fn delete(&self, key: &str) -> Result<(), ServiceError> {
        let operation = self.connection.begin().await?;
        let deleted = operation.connection().store.delete(self.name(key)).await;
        end(operation, deleted.map_err(failure))
    }

    async fn swap(&self, key: &str, expected: Option<&[u8]>, value: Bytes) -> Result<bool, ServiceError> {
        versioned::swap(self, key, expected, value).await
    }

    async fn increment(&self, key: &str, delta: i64) -> Result<i64, ServiceError> {
        versioned::increment(self, key, delta).await
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Bytes>>, ServiceError> {
        several::get(self, keys).await
    }

    async fn set_many(&self, entries: Vec<(String, Bytes)>) -> Result<(), ServiceError> {
        several::set(self, entries).await
    }

    async fn delete_many(&self, keys: &[String]) -> Result<(), ServiceError> {
        several::delete(self, keys).await
    }

    /// The cursor is the sequence of the last entry of its page: the stream has the entries in the order in which they
    /// were written.
    async fn list(&self, prefix: &str, cursor: Option<&str>) -> Result<Page, ServiceError> {
        let invalid = |_| ServiceError::new(ServiceErrorKind::Invalid, "the cursor is not one of this store");
        let after = cursor.map(str::parse).transpose().map_err(invalid)?.unwrap_or(ABSENT);
        let operation = self.connection.begin().await?;
        let key = |name: &str| self.key(name).filter(|key| key.starts_with(prefix));
        let page = page(&operation.connection().store, after, key).await;
        end(operation, page)
    }
}

#[async_trait]
impl Versioned for NatsKeyValue {
    type Version = u64;
    const PAUSE: Duration = Duration::from_millis(1);

    fn turns(&self) -> &Turns {
        &self.turns
    }

    async fn read(&self, key: &str) -> Result<Found<u64>, ServiceError> {
        let operation = self.connection.begin().await?;
        let found = entry(&operation.connection().store, &self.name(key)).await;
        end(operation, found)
    }

    async fn write_if(&self, key: &str, version: u64, value: Bytes) -> Result<bool, ServiceError> {
        let operation = self.connection.begin().await?;
        let updated = match operation.connection().store.update(self.name(key), value, version).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == UpdateErrorKind::WrongLastRevision => Ok(false),
            Err(error) => Err(failure(error)),
        };
        end(operation, updated)
    }
}
