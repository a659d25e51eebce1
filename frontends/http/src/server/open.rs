//! How many connections of a process are open.

use std::time::Duration;

use tokio::{sync::watch, time::timeout};

/// How many connections are open, of one listener or of several. Clones count together.
#[derive(Debug, Clone)]
pub struct OpenConnections(watch::Sender<usize>);

/// A connection that counts until it is dropped.
pub(super) struct OpenConnection(OpenConnections);

impl OpenConnections {
    /// None so far.
    #[must_use]
    pub fn new() -> Self {
        Self(watch::Sender::new(0))
    }

    /// Waits until no connection was open for this long.
    pub async fn idle_for(&self, time: Duration) {
        let mut open = self.0.subscribe();
        loop {
            // These waits fail only without a sender, and `self` is one.
            let _ = open.wait_for(|open| *open == 0).await;
            if timeout(time, open.changed()).await.is_err() {
                return;
            }
        }
    }

    pub(super) fn enter(&self) -> OpenConnection {
        self.0.send_modify(|open| *open += 1);
        OpenConnection(self.clone())
    }
}

impl Default for OpenConnections {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.0.send_modify(|open| *open -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn the_time_begins_again_with_each_connection() {
        let open = OpenConnections::new();
        let (first, second) = (open.enter(), open.enter());
        let counted = open.clone();
        let waiting = tokio::spawn(async move { counted.idle_for(5 * SECOND).await });
        tokio::time::sleep(10 * SECOND).await;
        drop((first, second));
        tokio::time::sleep(3 * SECOND).await;
        drop(open.enter());
        tokio::time::sleep(3 * SECOND).await;
        assert!(!waiting.is_finished());
        tokio::time::sleep(3 * SECOND).await;
        assert!(waiting.is_finished());
    }
}
