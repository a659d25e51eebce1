//! A signal whose items are collected and sent in batches.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Mutex;

use crate::{
    client::CollectorClient,
    config::{BatchConfig, Endpoint},
    exporter::{Exporter, Retry},
    queue::Queue,
    resource::Resource,
    tls::TlsError,
};

/// A signal whose items are collected and sent in batches: spans, and lines of the log.
pub(crate) struct Signal<T> {
    pub(crate) queue: Arc<Queue<T>>,
    /// Locked while a batch is sent: so the order is kept, and a flush waits for the batch that is being sent.
    exporter: Mutex<Exporter>,
    resource: Arc<Resource>,
    encoding: Encoding<T>,
}

/// How items become a message.
pub(crate) struct Encoding<T> {
    pub(crate) name: &'static str,
    pub(crate) message: fn(Vec<T>, &Resource) -> Vec<u8>,
    /// How many items the answer says were not taken.
    pub(crate) rejected: fn(Bytes) -> u64,
}

impl<T> Signal<T> {
    pub(crate) fn new(
        endpoint: Endpoint,
        batch: BatchConfig,
        resource: Arc<Resource>,
        encoding: Encoding<T>,
    ) -> Result<Self, TlsError> {
        let queue = Arc::new(Queue::new(batch));
        let exporter = Exporter::new(encoding.name, CollectorClient::new(endpoint)?, Arc::clone(&queue.counter));
        Ok(Self { queue, exporter: Mutex::new(exporter), resource, encoding })
    }

    /// Sends what waits from time to time, for ever.
    pub(crate) async fn run(&self) {
        loop {
            self.queue.wait().await;
            self.send(Retry::Yes).await;
        }
    }

    /// Sends what waits.
    pub(crate) async fn send(&self, retry: Retry) {
        let exporter = self.exporter.lock().await;
        loop {
            let batch = self.queue.batch();
            if batch.is_empty() {
                return;
            }
            let items = batch.len() as u64;
            let message = (self.encoding.message)(batch, &self.resource);
            exporter.send(message, items, retry, self.encoding.rejected).await;
        }
    }
}
