//! What a connection waits for, and for how long.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::config::ServerConfig;

/// How often a connection is checked while its request runs. So a client that has disconnected is noticed even if
/// nothing else wakes the connection.
const CHECK: Duration = Duration::from_secs(1);

/// How long the bytes of a client are read and dropped after the last answer, so that the client can read the answer.
const LINGER: Duration = Duration::from_secs(2);

/// No connection waits for longer.
const FOREVER: Duration = Duration::from_hours(24 * 365);

/// What a connection waits for, as its socket and its service report it.
///
/// There is one timer for all waits of a connection. So a request on a connection that is kept alive starts and stops
/// no timer.
pub(super) struct Activity(Mutex<State>);

struct State {
    phase: Phase,
    /// When the phase was first checked. A connection is checked after each poll, so that no phase begins long before
    /// its first check, and most phases end without reading the clock.
    since: Option<Instant>,
    /// The time since which the client does not read.
    unread: Option<Instant>,
    /// Whether the request's body was not read to its end.
    upload_left: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Waits for a request's head.
    Head,
    /// Waits for the next request.
    Idle,
    /// Waits for the answer, for which the client is not responsible.
    Serving,
    /// Waits until the client closes the connection.
    Closing,
}

/// How long a connection may go on waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wait {
    pub(super) until: Instant,
    /// Why the connection ends then; `None` if it is only checked.
    pub(super) end: Option<&'static str>,
}

impl Activity {
    pub(super) fn new() -> Self {
        Self(Mutex::new(State { phase: Phase::Head, since: None, unread: None, upload_left: false }))
    }

    /// Bytes have arrived.
    pub(super) fn received(&self) {
        let mut state = self.lock();
        if state.phase == Phase::Idle {
            state.enter(Phase::Head);
        }
    }

    /// A whole request head has arrived.
    pub(super) fn serving(&self) {
        let mut state = self.lock();
        state.enter(Phase::Serving);
        state.upload_left = false;
    }

    /// The body of the answer was read to its end, or dropped before.
    pub(super) fn answer(&self, _whole: bool) {
        self.lock().enter(Phase::Idle);
    }

    /// The body of the request was read to its end, or dropped before.
    pub(super) fn leave_upload(&self, whole: bool) {
        if !whole {
            self.lock().upload_left = true;
        }
    }

    /// The server's end of the connection is closed.
    pub(super) fn closing(&self) {
        self.lock().enter(Phase::Closing);
    }

    /// The client does not read, and there is no room for more bytes.
    pub(super) fn blocked(&self) {
        self.lock().unread = Some(Instant::now());
    }

    /// The client reads again.
    pub(super) fn unblocked(&self) {
        let mut state = self.lock();
        state.unread = None;
        if state.phase == Phase::Idle {
            // A client that reads the last answer slowly is not idle.
            state.since = None;
        }
    }

    pub(super) fn upload_is_left(&self) -> bool {
        self.lock().upload_left
    }

    pub(super) fn is_serving(&self) -> bool {
        self.lock().phase == Phase::Serving
    }

    /// How long the connection may go on waiting.
    pub(super) fn wait(&self, config: &ServerConfig) -> Wait {
        let mut state = self.lock();
        let since = state.unread.unwrap_or_else(|| *state.since.get_or_insert_with(Instant::now));
        let (limit, end) = match (state.unread, state.phase) {
            (Some(_), _) => (config.write_stall, Some("the client does not read")),
            (None, Phase::Head) => (config.header_timeout, Some("the request's head did not come")),
            (None, Phase::Idle) => (config.idle_timeout, Some("no further request came")),
            (None, Phase::Closing) => (LINGER, Some("the client does not close")),
            (None, Phase::Serving) => (CHECK, None),
        };
        // An embedder may set a very long time for "never", which the clock cannot add.
        Wait { until: since + limit.min(FOREVER), end }
    }

    /// Restarts a wait that does not end the connection.
    pub(super) fn restart_check(&self) {
        self.lock().since = None;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change is complete, so that a panic leaves nothing incomplete.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.since = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Why and when the connection would end.
    fn end(activity: &Activity, config: &ServerConfig) -> (Option<&'static str>, Duration) {
        let Wait { until, end } = activity.wait(config);
        (end, until - Instant::now())
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_client_with_bytes_to_read_is_slow() {
        let (activity, config) = (Activity::new(), ServerConfig::default());
        activity.serving();
        assert_eq!(end(&activity, &config), (None, CHECK), "the function has nothing to send");
        activity.blocked();
        let stalled = (Some("the client does not read"), config.write_stall);
        assert_eq!(end(&activity, &config), stalled);
        activity.unblocked();
        tokio::time::advance(2 * config.write_stall).await;
        activity.restart_check();
        assert_eq!(end(&activity, &config), (None, CHECK), "the client has read everything, and the function goes on");
        activity.blocked();
        assert_eq!(end(&activity, &config), stalled, "it has as long again");
    }

    #[tokio::test(start_paused = true)]
    async fn no_limit_is_too_long_for_the_clock() {
        let never = Duration::MAX;
        let config =
            ServerConfig { header_timeout: never, idle_timeout: never, write_stall: never, ..ServerConfig::default() };
        let activity = Activity::new();
        assert_eq!(end(&activity, &config).1, FOREVER);
        activity.blocked();
        assert_eq!(end(&activity, &config).1, FOREVER);
    }
}
