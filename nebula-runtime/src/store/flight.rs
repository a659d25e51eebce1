//! Work that many callers ask for at once, and that is done once.

use std::{collections::HashMap, hash::Hash};

use futures_util::{FutureExt as _, future::Shared};
use tokio::sync::oneshot;

use crate::sync::{Arc, Mutex, lock, spawn};

/// Work that is done once at a time for each key. All callers that ask for it meanwhile wait for the same result.
///
/// - The work is a task of its own: it goes on when every caller has left.
/// - The waiting callers get the result, and it is not kept. To keep a result, the work puts it where `kept` of
///   [`SingleFlight::start`] finds it: a caller then finds the result there, or waits for it, and never starts the work
///   again.
/// - A caller that asks again after it got a result starts the work anew.
pub(crate) struct SingleFlight<Key: Eq + Hash, Value> {
    under_way: Arc<UnderWay<Key, Value>>,
}

/// The work that is under way. Only the [`Completion`] of its own task removes an entry.
type UnderWay<Key, Value> = Mutex<HashMap<Key, Flight<Value>>>;

/// The result of some work, for each caller that waits for it: an error where the task ended without one, because it
/// panicked or its Tokio runtime was shut down.
pub(crate) type Flight<Value> = Shared<oneshot::Receiver<Value>>;

impl<Key, Value> SingleFlight<Key, Value>
where
    Key: Clone + Eq + Hash + Send + 'static,
    Value: Clone + Send + Sync + 'static,
{
    pub(crate) fn new() -> Self {
        Self { under_way: Arc::new(Mutex::new(HashMap::new())) }
    }

    /// The work for `key` that is under way.
    #[cfg(feature = "compiler")]
    pub(crate) fn under_way(&self, key: &Key) -> Option<Flight<Value>> {
        lock(&self.under_way).get(key).cloned()
    }

    /// The work for `key` that is under way; else what `kept` finds; else `work`, which begins at once.
    ///
    /// Needs a Tokio runtime.
    pub(crate) fn start(
        &self,
        key: &Key,
        kept: impl FnOnce() -> Option<Value>,
        work: impl Future<Output = Value> + Send + 'static,
    ) -> Flight<Value> {
        let mut under_way = lock(&self.under_way);
        if let Some(flight) = under_way.get(key) {
            return flight.clone();
        }
        let (tell, told) = oneshot::channel();
        let told = told.shared();
        // Looked for under the lock: between a look before it and this, the work may have come to its end.
        if let Some(kept) = kept() {
            // It is received by `told`.
            let _ = tell.send(kept);
            return told;
        }
        under_way.insert(key.clone(), told.clone());
        drop(under_way);
        let completion = Completion { under_way: Arc::clone(&self.under_way), key: key.clone(), tell: Some(tell) };
        // Without the lock: a Tokio runtime that is being shut down drops the task, and so the landing, right here.
        spawn(async move { completion.tell(work.await) });
        told
    }
}

/// The end of some work, however it ends. It first removes the entry and then tells the callers: a caller that asks
/// again after the result must not find the old entry.
struct Completion<Key: Eq + Hash, Value> {
    under_way: Arc<UnderWay<Key, Value>>,
    key: Key,
    tell: Option<oneshot::Sender<Value>>,
}

impl<Key: Eq + Hash, Value> Completion<Key, Value> {
    fn tell(mut self, value: Value) {
        let tell = self.tell.take();
        drop(self);
        // All callers may have left.
        let _ = tell.map(|tell| tell.send(value));
    }
}

impl<Key: Eq + Hash, Value> Drop for Completion<Key, Value> {
    fn drop(&mut self) {
        lock(&self.under_way).remove(&self.key);
    }
}
