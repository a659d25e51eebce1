//! Key-value stores in Redis and Valkey.
//!
//! A key is a key of the database, with the prefix of the URL before it; a value is a string. So other programs read and
//! write the same values. All operations of a node share one connection, on which they do not wait for each other.

mod failure;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, FromRedisValue, IntoConnectionInfo as _,
    RedisConnectionInfo, RedisError, Script, aio::MultiplexedConnection, cmd,
};

use self::failure::{failure, is_loss, is_refusal};
use super::{
    address::Address,
    connection::{Connect, Connection, NotConnected},
    contract::{KeyValue, Page},
    invalid_url::InvalidKeyValueUrl,
    messages::{REFUSED, UNREACHABLE},
};
use crate::{
    host::{
        failure::{ServiceError, ServiceErrorKind},
        node::Node,
        place::ServicePlace,
    },
    store::use_ring,
};

/// A database of a server.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Place {
    address: Address,
    database: i64,
}

impl Place {
    pub(super) fn parse(text: &str) -> Result<Self, InvalidKeyValueUrl> {
        const EXPECTED: &str = "redis://HOST:PORT/DATABASE, where DATABASE is a number and :PORT/DATABASE may be left out; \
                                rediss:// is with TLS, USER:PASSWORD@ before HOST are credentials, and ?prefix=PREFIX is \
                                what each key begins with";
        let address = Address::parse(text, 6379, EXPECTED)?;
        let database = match address.path.as_str() {
            "" => Ok(0),
            number => number.parse::<u32>(),
        };
        let database = database.map_err(|_| InvalidKeyValueUrl::Malformed { expected: EXPECTED })?.into();
        Ok(Self { address, database })
    }

    pub(super) fn place(&self) -> ServicePlace {
        ServicePlace::Port(self.address.port)
    }

    pub(super) fn open(&self, _: &Node) -> Result<Arc<dyn KeyValue>, InvalidKeyValueUrl> {
        let failed = |error: RedisError| InvalidKeyValueUrl::Client { reason: error.category().to_owned() };
        use_ring();
        let client = Client::open(self.info().map_err(failed)?).map_err(failed)?;
        let (connection, prefix) = (Connection::new(client), self.address.prefix.clone());
        Ok(Arc::new(RedisKeyValue { connection, prefix, swap: Script::new(SWAP) }))
    }

    fn info(&self) -> Result<ConnectionInfo, RedisError> {
        let Address { is_tls, user, password, host, port, .. } = &self.address;
        let host = host.trim_matches(['[', ']']).to_owned();
        let address = match is_tls {
            true => ConnectionAddr::TcpTls { host, port: *port, insecure: false, tls_params: None },
            false => ConnectionAddr::Tcp(host, *port),
        };
        let mut database = RedisConnectionInfo::default().set_db(self.database);
        if let Some(user) = user {
            database = database.set_username(user);
        }
        if let Some(password) = password {
            database = database.set_password(password);
        }
        Ok(address.into_connection_info()?.set_redis_settings(database))
    }
}

/// Sets a value if the present one is the expected one.
const SWAP: &str = "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end \
                    redis.call('SET', KEYS[1], ARGV[2]) return 1";

/// How long the server may take for an answer: longer than it ever takes while it is well.
const ANSWER: Duration = Duration::from_secs(5);

/// After this time without an answer, a connection is tried before it is used: servers and what stands before them close
/// connections that are idle.
const IDLE: Duration = Duration::from_secs(5);

/// How long a connection that was idle may take for its answer.
const AWAKE: Duration = Duration::from_secs(1);

#[async_trait]
impl Connect for Client {
    type Connection = MultiplexedConnection;

    async fn connect(&self) -> Result<MultiplexedConnection, NotConnected> {
        // The attempt as a whole has a time limit already.
        let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(Some(ANSWER));
        let failed = |error: RedisError| {
            let detail = if is_refusal(&error) { REFUSED } else { UNREACHABLE };
            NotConnected { detail, cause: Arc::new(error) }
        };
        self.get_multiplexed_async_connection_with_config(&config).await.map_err(failed)
    }

    async fn is_open(connection: &MultiplexedConnection, silent: Duration) -> bool {
        let mut connection = connection.clone();
        let answers = async { cmd("PING").query_async::<()>(&mut connection).await.is_ok() };
        silent < IDLE || tokio::time::timeout(AWAKE, answers).await.unwrap_or(false)
    }
}

/// A key-value store in Redis or Valkey.
struct RedisKeyValue {
    connection: Connection<Client>,
    prefix: String,
    swap: Script,
}

impl RedisKeyValue {
    fn key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    /// Sends a command that does the same if it is done twice. It is sent again if the connection was lost: the server
    /// may have closed it long ago.
    async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, ServiceError> {
        match self.send(command).await? {
            Err(error) if is_loss(&error) && !error.is_timeout() => self.send(command).await?.map_err(failure),
            answer => answer.map_err(failure),
        }
    }

    /// Sends a command once.
    async fn send<T: FromRedisValue>(&self, command: &Cmd) -> Result<Result<T, RedisError>, ServiceError> {
        let operation = self.connection.begin().await?;
        let answer = command.query_async(&mut operation.connection()).await;
        operation.end(answer.as_ref().is_err_and(is_loss));
        Ok(answer)
    }
}

#[async_trait]
impl KeyValue for RedisKeyValue {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, ServiceError> {
        self.query(cmd("GET").arg(self.key(key))).await
    }

    async fn exists(&self, key: &str) -> Result<bool, ServiceError> {
        self.query(cmd("EXISTS").arg(self.key(key))).await
    }

    async fn set(&self, key: &str, value: Bytes) -> Result<(), ServiceError> {
        self.query(cmd("SET").arg(self.key(key)).arg(&*value)).await
    }

    async fn delete(&self, key: &str) -> Result<(), ServiceError> {
        self.query(cmd("DEL").arg(self.key(key))).await
    }

    async fn swap(&self, key: &str, expected: Option<&[u8]>, value: Bytes) -> Result<bool, ServiceError> {
        let Some(expected) = expected else {
            let command = cmd("SET").arg(self.key(key)).arg(&*value).arg("NX").to_owned();
            return self.send(&command).await?.map_err(failure);
        };
        let operation = self.connection.begin().await?;
        let mut swap = self.swap.key(self.key(key));
        let answer = swap.arg(expected).arg(&*value).invoke_async(&mut operation.connection()).await;
        operation.end(answer.as_ref().is_err_and(is_loss));
        answer.map_err(failure)
    }

    async fn increment(&self, key: &str, delta: i64) -> Result<i64, ServiceError> {
        self.send(cmd("INCRBY").arg(self.key(key)).arg(delta)).await?.map_err(failure)
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Bytes>>, ServiceError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let keys: Vec<_> = keys.iter().map(|key| self.key(key)).collect();
        self.query(cmd("MGET").arg(keys)).await
    }

    async fn set_many(&self, entries: Vec<(String, Bytes)>) -> Result<(), ServiceError> {
        if entries.is_empty() {
            return Ok(());
        }
        let mut command = cmd("MSET");
        for (key, value) in entries {
            command.arg(self.key(&key)).arg(&*value);
        }
        self.query(&command).await
    }

    async fn delete_many(&self, keys: &[String]) -> Result<(), ServiceError> {
        if keys.is_empty() {
            return Ok(());
        }
        let keys: Vec<_> = keys.iter().map(|key| self.key(key)).collect();
        self.query(cmd("DEL").arg(keys)).await
    }

    /// The cursor is that of the server.
    async fn list(&self, prefix: &str, cursor: Option<&str>) -> Result<Page, ServiceError> {
        /// So many keys the server looks at in one answer.
        const STEP: usize = 400;
        /// A page ends when it has so many keys, or after so many answers.
        const ENOUGH: usize = 500;
        const ANSWERS: usize = 25;

        let invalid = |_| ServiceError::new(ServiceErrorKind::Invalid, "the cursor is not one of this store");
        let mut cursor: u64 = cursor.unwrap_or("0").parse().map_err(invalid)?;
        let mut keys = BTreeSet::new();
        for _ in 0..ANSWERS {
            let mut scan = cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(pattern(&self.key(prefix))).arg("COUNT").arg(STEP);
            let (next, found): (u64, Vec<Vec<u8>>) = self.query(&scan).await?;
            // A key that is not text is of another program.
            let texts = found.into_iter().filter_map(|key| String::from_utf8(key).ok());
            keys.extend(texts.filter_map(|key| key.strip_prefix(&self.prefix).map(str::to_owned)));
            cursor = next;
            if cursor == 0 || keys.len() >= ENOUGH {
                break;
            }
        }
        Ok(Page { keys: keys.into_iter().collect(), cursor: (cursor != 0).then(|| cursor.to_string()) })
    }
}

/// The pattern of all keys with a prefix.
fn pattern(prefix: &str) -> String {
    let mut pattern = String::with_capacity(prefix.len() + 1);
    for char in prefix.chars() {
        if matches!(char, '*' | '?' | '[' | ']' | '^' | '-' | '\\') {
            pattern.push('\\');
        }
        pattern.push(char);
    }
    pattern.push('*');
    pattern
}
