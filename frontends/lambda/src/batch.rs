//! Splits events into their records.

use std::{collections::BTreeMap, future::Future};

use futures_util::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The records of one event from a queue or a stream.
pub(crate) struct Records {
    order: Order,
    records: Vec<Record>,
}

/// One record.
pub(crate) struct Record {
    /// Its name in an answer to its source: a message's id, or a sequence number.
    pub(crate) id: String,
    /// Its JSON.
    pub(crate) json: Box<RawValue>,
    /// Records of the same group are handled one after the other.
    group: Option<String>,
}

/// The order in which a source wants its records handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// A queue: only the messages of one group of a FIFO queue have an order.
    OfGroups,
    /// A stream: a batch is a part of one shard, and its records have an order.
    OfAll,
}

/// The answer to a batch. Lambda delivers the records in it again.
#[derive(Debug, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BatchResponse {
    batch_item_failures: Vec<BatchItemFailure>,
}

#[derive(Debug, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
struct BatchItemFailure {
    item_identifier: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shape {
    event_source: String,
    message_id: Option<String>,
    attributes: Option<Attributes>,
    kinesis: Option<Kinesis>,
    dynamodb: Option<DynamoDb>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attributes {
    message_group_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kinesis {
    sequence_number: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DynamoDb {
    sequence_number: String,
}

impl Records {
    /// The records of SQS, Kinesis or a DynamoDB stream; `None` if they are from another source, or have no names.
    pub(crate) fn read(records: &[&RawValue]) -> Option<Self> {
        let read: Vec<_> = records.iter().map(|json| Record::read(json)).collect::<Option<_>>()?;
        let order = read.first().map(|(order, _)| *order)?;
        Some(Self { order, records: read.into_iter().map(|(_, record)| record).collect() })
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// Calls `function` for each record, `at_once` of them at a time. The answer lists the records that failed. After a
    /// failure, the later records of the same order are not tried, and are listed too.
    pub(crate) async fn each<F, E>(self, at_once: usize, function: impl Fn(Record) -> F) -> BatchResponse
    where
        F: Future<Output = Result<(), E>>,
    {
        let order = self.order;
        let groups = self.groups().into_iter().map(|group| one_group(group, &function));
        let failed: Vec<_> = stream::iter(groups).buffer_unordered(at_once.max(1)).concat().await;
        let mut failed: Vec<_> = failed;
        failed.sort_by_key(|(index, _)| *index);
        // A stream is delivered again from its first failure on, so the first failure suffices.
        failed.truncate(if order == Order::OfAll { 1 } else { failed.len() });
        let failures = failed.into_iter().map(|(_, item_identifier)| BatchItemFailure { item_identifier });
        BatchResponse { batch_item_failures: failures.collect() }
    }

    /// The groups of records that are handled one after the other, each record with its place in the batch.
    fn groups(self) -> Vec<Vec<(usize, Record)>> {
        if self.order == Order::OfAll {
            return vec![self.records.into_iter().enumerate().collect()];
        }
        let (mut named, mut groups) = (BTreeMap::<String, Vec<_>>::new(), Vec::new());
        for (index, record) in self.records.into_iter().enumerate() {
            match &record.group {
                Some(group) => named.entry(group.clone()).or_default().push((index, record)),
                None => groups.push(vec![(index, record)]),
            }
        }
        groups.extend(named.into_values());
        groups
    }
}

/// Calls `function` for one record after the other, until one fails. Returns that record and all after it.
async fn one_group<F, E>(group: Vec<(usize, Record)>, function: impl Fn(Record) -> F) -> Vec<(usize, String)>
where
    F: Future<Output = Result<(), E>>,
{
    let mut failed = Vec::new();
    for (index, record) in group {
        let id = record.id.clone();
        if !failed.is_empty() || function(record).await.is_err() {
            failed.push((index, id));
        }
    }
    failed
}

impl Record {
    fn read(json: &RawValue) -> Option<(Order, Self)> {
        let shape: Shape = serde_json::from_str(json.get()).ok()?;
        let (order, id) = match shape.event_source.as_str() {
            "aws:sqs" => (Order::OfGroups, shape.message_id?),
            "aws:kinesis" => (Order::OfAll, shape.kinesis?.sequence_number),
            "aws:dynamodb" => (Order::OfAll, shape.dynamodb?.sequence_number),
            _ => return None,
        };
        let group = shape.attributes.and_then(|attributes| attributes.message_group_id);
        Some((order, Self { id, json: json.to_owned(), group }))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    };

    use tokio::task::yield_now;

    use super::*;

    fn sqs(id: &str, group: Option<&str>) -> String {
        let group = group.map(|group| format!(r#","attributes":{{"MessageGroupId":"{group}"}}"#)).unwrap_or_default();
        format!(r#"{{"eventSource":"aws:sqs","messageId":"{id}"{group}}}"#)
    }

    fn kinesis(id: &str) -> String {
        format!(r#"{{"eventSource":"aws:kinesis","kinesis":{{"sequenceNumber":"{id}"}}}}"#)
    }

    fn dynamodb(id: &str) -> String {
        format!(r#"{{"eventSource":"aws:dynamodb","dynamodb":{{"SequenceNumber":"{id}"}}}}"#)
    }

    fn read(records: &[String]) -> Option<Records> {
        let records: Vec<_> = records.iter().map(|json| serde_json::from_str(json).unwrap()).collect();
        Records::read(&records)
    }

    /// Calls a function that fails for the records of `failing`. Returns the records it was called for, and the answer.
    async fn each(records: &[String], failing: &[&str]) -> (Vec<String>, String) {
        let called = Mutex::new(Vec::new());
        let answer = read(records).unwrap().each(2, |record| {
            called.lock().unwrap().push(record.id.clone());
            let failed = failing.contains(&record.id.as_str());
            async move {
                yield_now().await;
                if failed { Err(()) } else { Ok(()) }
            }
        });
        let answer = serde_json::to_string(&answer.await).unwrap();
        (called.into_inner().unwrap(), answer)
    }

    fn failures(ids: &[&str]) -> String {
        let failures: Vec<_> = ids.iter().map(|id| format!(r#"{{"itemIdentifier":"{id}"}}"#)).collect();
        format!(r#"{{"batchItemFailures":[{}]}}"#, failures.join(","))
    }

    #[tokio::test]
    async fn a_message_of_a_queue_fails_alone() {
        let batch = ["1", "2", "3"].map(|id| sqs(id, None));
        let (mut called, answer) = each(&batch, &["3", "1"]).await;
        called.sort();
        assert_eq!((called.as_slice(), answer), (["1", "2", "3"].map(str::to_owned).as_slice(), failures(&["1", "3"])));
        assert_eq!(each(&batch, &[]).await.1, failures(&[]));
    }

    #[tokio::test]
    async fn after_a_failed_message_of_a_fifo_queue_the_later_ones_of_its_group_fail_too() {
        let batch =
            [("1", "a"), ("2", "b"), ("3", "a"), ("4", "b"), ("5", "a")].map(|(id, group)| sqs(id, Some(group)));
        let (mut called, answer) = each(&batch, &["3"]).await;
        called.sort();
        assert_eq!(called, ["1", "2", "3", "4"]);
        assert_eq!(answer, failures(&["3", "5"]));
    }

    #[tokio::test]
    async fn a_stream_is_handled_in_order_up_to_the_first_failure() {
        for record in [kinesis, dynamodb] {
            let batch = ["1", "2", "3", "4"].map(record);
            let (called, answer) = each(&batch, &["2", "3"]).await;
            assert_eq!((called.as_slice(), answer), (["1", "2"].map(str::to_owned).as_slice(), failures(&["2"])));
        }
    }

    #[tokio::test]
    async fn no_more_records_are_handled_at_once_than_the_limit() {
        let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let batch: Vec<_> = (0..10).map(|id| sqs(&id.to_string(), None)).collect();
        let answer = read(&batch).unwrap().each(3, async |_| {
            most.fetch_max(running.fetch_add(1, Relaxed) + 1, Relaxed);
            yield_now().await;
            running.fetch_sub(1, Relaxed);
            Ok::<_, ()>(())
        });
        assert_eq!(serde_json::to_string(&answer.await).unwrap(), failures(&[]));
        assert_eq!(most.into_inner(), 3);
    }

    #[test]
    fn records_without_names_are_one_event() {
        let nameless = r#"{"eventSource":"aws:sqs"}"#.to_owned();
        assert!(read(&[sqs("1", None), nameless]).is_none());
        assert!(read(&[r#"{"eventSource":"aws:s3"}"#.to_owned()]).is_none());
        assert!(read(&[]).is_none());
    }
}
