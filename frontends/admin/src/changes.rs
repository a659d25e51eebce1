//! The changes that are under way.

use std::future::Future;

use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

/// The changes that are under way. A change whose client has left goes on, and a server that stops waits for it.
///
/// Cheap to clone; clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Changes(TaskTracker);

impl Changes {
    /// Starts a change.
    pub(crate) fn start<T: Send + 'static>(&self, change: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        self.0.spawn(change)
    }

    /// Waits until no change is under way. Call it when the server accepts no more requests.
    pub async fn ended(&self) {
        self.0.close();
        self.0.wait().await;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn the_end_of_a_change_is_awaited_also_if_nobody_waits_for_its_result() {
        let (changes, (make, made)) = (Changes::default(), oneshot::channel::<()>());
        drop(changes.start(made));
        assert_eq!(changes.ended().now_or_never(), None);
        make.send(()).unwrap();
        changes.ended().await;
    }
}
