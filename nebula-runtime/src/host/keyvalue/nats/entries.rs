//! The entries of a bucket.

use std::time::Duration;

use async_nats::{
    HeaderMap, HeaderValue,
    jetstream::{
        Message,
        consumer::{AckPolicy, Consumer, DeliverPolicy, ReplayPolicy, pull},
        kv::Store,
        message::Info,
        stream::LastRawMessageErrorKind,
    },
};
use futures_util::StreamExt as _;
use tokio::time::timeout;

use super::failure::{broken, failure, late};
use crate::host::{
    failure::ServiceError,
    keyvalue::{
        contract::{MAX_PAGE, Page},
        versioned::Found,
    },
};

/// How long the server may take for an answer: longer than it ever takes while it is well.
pub(super) const ANSWER: Duration = Duration::from_secs(5);

/// The sequence of a key that has no entry.
pub(super) const ABSENT: u64 = 0;

/// An entry as the leader of the stream has it.
pub(super) async fn entry(store: &Store, name: &str) -> Result<Found<u64>, ServiceError> {
    match store.stream.get_last_raw_message_by_subject(&format!("{}{name}", store.prefix)).await {
        Ok(message) => {
            let value = (!is_marker(&message.headers)).then_some(message.payload);
            Ok(Found { value, version: message.sequence })
        }
        Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => {
            Ok(Found { value: None, version: ABSENT })
        }
        Err(error) => Err(failure(error)),
    }
}

/// Whether an entry marks a key that was removed: by a client, or by the server after its time.
fn is_marker(headers: &HeaderMap) -> bool {
    let operation = headers.get("KV-Operation").map(HeaderValue::as_str);
    operation.is_some_and(|operation| operation != "PUT") || headers.get("Nats-Marker-Reason").is_some()
}

/// A page of the entries after a sequence, with the keys that `key` gives for their names. A marker has no key.
pub(super) async fn page(
    store: &Store,
    after: u64,
    key: impl Fn(&str) -> Option<String>,
) -> Result<Page, ServiceError> {
    let consumer = consumer(store, after).await?;
    let (mut page, mut left) = (Page::default(), consumer.cached_info().num_pending);
    while left != 0 {
        let mut batch = consumer.fetch().max_messages(MAX_PAGE).messages().await.map_err(failure)?;
        while let Some(message) = timeout(ANSWER, batch.next()).await.map_err(late)? {
            let message = message.map_err(broken)?;
            let Info { stream_sequence, pending, .. } = message.info().map_err(broken)?;
            // A consumer of the last entries begins at the first of them.
            if stream_sequence > after {
                page.keys.extend(name(store, &message).and_then(&key));
            }
            if pending == 0 {
                return Ok(page);
            }
            if page.keys.len() == MAX_PAGE {
                return Ok(Page { cursor: Some(stream_sequence.to_string()), ..page });
            }
        }
        // A batch also ends when the connection is lost.
        left = consumer.get_info().await.map_err(failure)?.num_pending;
    }
    Ok(page)
}

/// The name of an entry, unless it marks a key that was removed.
fn name<'a>(store: &Store, entry: &'a Message) -> Option<&'a str> {
    let is_marker = entry.headers.as_ref().is_some_and(is_marker);
    entry.subject.strip_prefix(&store.prefix).filter(|_| !is_marker)
}

/// A consumer of the last entry of each key. It gets no values, and the server forgets it when it is not used any more.
async fn consumer(store: &Store, after: u64) -> Result<Consumer<pull::Config>, ServiceError> {
    // Where the bucket keeps one entry for each key, the stream has no others, and the consumer can begin anywhere.
    let deliver_policy = match store.stream.cached_info().config.max_messages_per_subject {
        1 => DeliverPolicy::ByStartSequence { start_sequence: after.saturating_add(1) },
        _ => DeliverPolicy::LastPerSubject,
    };
    let config = pull::Config {
        deliver_policy,
        ack_policy: AckPolicy::None,
        filter_subject: format!("{}>", store.prefix),
        replay_policy: ReplayPolicy::Instant,
        headers_only: true,
        inactive_threshold: ANSWER,
        num_replicas: 1,
        memory_storage: true,
        ..pull::Config::default()
    };
    store.stream.create_consumer(config).await.map_err(failure)
}
