//! Sends one signal, and tells the log when its collector goes away and comes back.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use nebula_runtime::with_causes;
use tokio::time::sleep;

use crate::{
    client::{CollectorClient, SendError},
    counts::Counter,
};

/// How often a request is sent that the collector does not take.
const ATTEMPTS: u32 = 3;

/// The pause before the second attempt. It doubles.
const PAUSE: Duration = Duration::from_secs(1);

/// The longest pause, whatever the collector asks for.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Sends the messages of one signal.
pub(crate) struct Exporter {
    signal: &'static str,
    client: CollectorClient,
    counter: Arc<Counter>,
    is_away: AtomicBool,
}

/// Whether a request that was not taken is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retry {
    Yes,
    /// It is not: the process waits for the request, because it ends.
    No,
}

impl Exporter {
    pub(crate) fn new(signal: &'static str, client: CollectorClient, counter: Arc<Counter>) -> Self {
        Self { signal, client, counter, is_away: AtomicBool::new(false) }
    }

    /// Sends a message with so many items, and counts them. `rejected` reads in the answer how many were not taken.
    pub(crate) async fn send(&self, message: Vec<u8>, items: u64, retry: Retry, rejected: fn(Bytes) -> u64) {
        match self.attempt(message, retry).await {
            Ok(answer) => {
                let rejected = rejected(answer).min(items);
                self.counter.sent(items - rejected);
                self.counter.dropped(rejected);
                self.tell_back();
            }
            Err(error) => {
                self.counter.dropped(items);
                self.tell_away(&error);
            }
        }
    }

    async fn attempt(&self, message: Vec<u8>, retry: Retry) -> Result<Bytes, SendError> {
        let mut pause = PAUSE;
        for _ in 1..ATTEMPTS {
            let error = match self.client.send(message.clone()).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let Some(asked) = error.retry().filter(|_| retry == Retry::Yes) else { return Err(error) };
            self.tell_away(&error);
            sleep(asked.unwrap_or(pause).min(LONGEST_PAUSE)).await;
            pause *= 2;
        }
        self.client.send(message).await
    }

    fn tell_away(&self, error: &SendError) {
        if !self.is_away.swap(true, Relaxed) {
            let (signal, error) = (self.signal, with_causes(error));
            tracing::warn!(%error, "{signal} cannot be sent: they are dropped until the collector takes them again");
        }
    }

    fn tell_back(&self) {
        if self.is_away.swap(false, Relaxed) {
            tracing::info!("the collector takes {} again", self.signal);
        }
    }
}
