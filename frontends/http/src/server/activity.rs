//! What a connection waits for, and for how long.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
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
    /// How many requests are being answered. HTTP/1 has at most one.
    running: usize,
    /// Whether the connection speaks HTTP/2.
    is_multiplexed: bool,
    /// Whether the client was told to send no further request.
    is_draining: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Waits for a request's head.
    Head,
    /// Waits for the next request.
    Idle,
    /// Waits for answers, for which the client is not responsible.
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

/// A request that is being answered, until the answer was read to its end or dropped before.
pub(super) struct Answering(Arc<Activity>);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.answered();
    }
}

impl Activity {
    pub(super) fn new() -> Self {
        Self(Mutex::new(State {
            phase: Phase::Head,
            since: None,
            unread: None,
            upload_left: false,
            running: 0,
            is_multiplexed: false,
            is_draining: false,
        }))
    }

    /// The client speaks HTTP/2. It may wait with its first request as long as with every other.
    #[cfg_attr(not(feature = "http2"), expect(dead_code, reason = "without the feature, no client speaks HTTP/2"))]
    pub(super) fn multiplex(&self) {
        let mut state = self.lock();
        state.is_multiplexed = true;
        state.enter(Phase::Idle);
    }

    /// Bytes have arrived. In HTTP/2 they may be of anything, such as a ping, so they begin no request.
    pub(super) fn received(&self) {
        let mut state = self.lock();
        if state.phase == Phase::Idle && !state.is_multiplexed {
            state.enter(Phase::Head);
        }
    }

    /// A whole request head has arrived.
    pub(super) fn serving(self: &Arc<Self>) -> Answering {
        let mut state = self.lock();
        state.enter(Phase::Serving);
        state.upload_left = false;
        state.running += 1;
        Answering(Arc::clone(self))
    }

    fn answered(&self) {
        let mut state = self.lock();
        state.running = state.running.saturating_sub(1);
        if state.running == 0 {
            state.enter(Phase::Idle);
        }
    }

    /// The body of a request was dropped before its end.
    pub(super) fn leave_upload(&self) {
        self.lock().upload_left = true;
    }

    /// The client was told to send no further request.
    pub(super) fn drain(&self) {
        self.lock().start_draining();
    }

    /// Whether the connection waits for its next request, and can tell the client to send none. It has to tell the
    /// client now. This is so once for each connection with HTTP/2. In HTTP/1, a server can only close the connection.
    pub(super) fn drain_if_idle(&self) -> bool {
        let mut state = self.lock();
        let can_tell = state.is_multiplexed && state.phase == Phase::Idle && !state.is_draining;
        if can_tell {
            state.start_draining();
        }
        can_tell
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

    /// Whether a request runs and nothing reads the socket. A connection with HTTP/2 always reads.
    pub(super) fn is_serving_unread(&self) -> bool {
        let state = self.lock();
        state.phase == Phase::Serving && !state.is_multiplexed
    }

    /// How long the connection may go on waiting.
    pub(super) fn wait(&self, config: &ServerConfig) -> Wait {
        let mut state = self.lock();
        let since = state.unread.unwrap_or_else(|| *state.since.get_or_insert_with(Instant::now));
        let (limit, end) = match (state.unread, state.phase) {
            (Some(_), _) => (config.write_stall, Some("the client does not read")),
            (None, Phase::Head) => (config.header_timeout, Some("the request's head did not come")),
            (None, Phase::Idle) if state.is_draining => (LINGER, Some("the client does not close")),
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

    fn start_draining(&mut self) {
        self.is_draining = true;
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
        let (activity, config) = (Arc::new(Activity::new()), ServerConfig::default());
        let _answering = activity.serving();
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
    async fn a_client_of_many_requests_is_idle_after_the_last_one_and_is_told_so_once() {
        let (activity, config) = (Arc::new(Activity::new()), ServerConfig::default());
        activity.multiplex();
        let idle = (Some("no further request came"), config.idle_timeout);
        activity.received();
        assert_eq!(end(&activity, &config), idle, "a client may connect before it has a request");
        let (first, second) = (activity.serving(), activity.serving());
        drop(second);
        assert_eq!((end(&activity, &config), activity.drain_if_idle()), ((None, CHECK), false));
        drop(first);
        assert_eq!((end(&activity, &config), activity.drain_if_idle()), (idle, true));
        assert_eq!((end(&activity, &config).1, activity.drain_if_idle()), (LINGER, false));
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
