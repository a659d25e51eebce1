//! What a connection waits for, and until when.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::config::ServerConfig;

/// How often a connection whose request is being served is looked at: a client that left is noticed by then even where
/// nothing else wakes the connection.
const LOOK: Duration = Duration::from_secs(1);

/// How long what a client still sends is thrown away after the last answer, so that it gets to read that.
const LINGER: Duration = Duration::from_secs(2);

/// No connection waits for longer.
const FOREVER: Duration = Duration::from_hours(24 * 365);

/// What a connection waits for, as its socket and its service see it.
///
/// One value beside one timer, and not a timer for each wait: a request on a connection that is kept alive then starts
/// and stops none.
pub(super) struct Activity(Mutex<State>);

struct State {
    phase: Phase,
    /// When the phase was first looked at: a connection is looked at whenever it has been polled, so no phase begins long
    /// before that, and most end without a look at the clock.
    since: Option<Instant>,
    /// Since when the client does not read.
    unread: Option<Instant>,
    /// The request's body was not read to its end.
    upload_left: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// A request's head.
    Head,
    /// The next request.
    Idle,
    /// The answer, which is not the client's to hurry.
    Serving,
    /// The client's end of the connection.
    Closing,
}

/// How long a connection may go on waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wait {
    pub(super) until: Instant,
    /// Why the connection ends then, if it does.
    pub(super) end: Option<&'static str>,
}

impl Activity {
    pub(super) fn new() -> Self {
        Self(Mutex::new(State { phase: Phase::Head, since: None, unread: None, upload_left: false }))
    }

    /// Bytes came.
    pub(super) fn received(&self) {
        let mut state = self.lock();
        if state.phase == Phase::Idle {
            state.enter(Phase::Head);
        }
    }

    /// A whole request head came.
    pub(super) fn serving(&self) {
        let mut state = self.lock();
        state.enter(Phase::Serving);
        state.upload_left = false;
    }

    /// The answer's body was taken, or dropped before it ended.
    pub(super) fn answer(&self, _whole: bool) {
        self.lock().enter(Phase::Idle);
    }

    /// The request's body was taken, or dropped before it ended.
    pub(super) fn leave_upload(&self, whole: bool) {
        if !whole {
            self.lock().upload_left = true;
        }
    }

    /// The server's end of the connection is closed.
    pub(super) fn closing(&self) {
        self.lock().enter(Phase::Closing);
    }

    /// The client has bytes to read, and there is no room for more.
    pub(super) fn blocked(&self) {
        self.lock().unread = Some(Instant::now());
    }

    /// The client reads.
    pub(super) fn unblocked(&self) {
        let mut state = self.lock();
        state.unread = None;
        if state.phase == Phase::Idle {
            // To read the last answer slowly is not to be idle.
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
            (None, Phase::Serving) => (LOOK, None),
        };
        // No embedder's word for "never" is too long for a clock.
        Wait { until: since + limit.min(FOREVER), end }
    }

    /// Lets a wait that has no end begin anew.
    pub(super) fn look_again(&self) {
        self.lock().since = None;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every write is whole: there is nothing that a panic could break.
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

    /// Why the connection would end, and after how long from now.
    fn end(activity: &Activity, config: &ServerConfig) -> (Option<&'static str>, Duration) {
        let Wait { until, end } = activity.wait(config);
        (end, until - Instant::now())
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_client_that_bytes_wait_for_is_slow() {
        let (activity, config) = (Activity::new(), ServerConfig::default());
        activity.serving();
        assert_eq!(end(&activity, &config), (None, LOOK), "the function has nothing to send");
        activity.blocked();
        let stalled = (Some("the client does not read"), config.write_stall);
        assert_eq!(end(&activity, &config), stalled);
        activity.unblocked();
        tokio::time::advance(2 * config.write_stall).await;
        activity.look_again();
        assert_eq!(end(&activity, &config), (None, LOOK), "the client has read everything, and the function goes on");
        activity.blocked();
        assert_eq!(end(&activity, &config), stalled, "it has as long again");
    }

    #[tokio::test(start_paused = true)]
    async fn no_limit_is_too_long_for_a_clock() {
        let never = Duration::MAX;
        let config =
            ServerConfig { header_timeout: never, idle_timeout: never, write_stall: never, ..ServerConfig::default() };
        let activity = Activity::new();
        assert_eq!(end(&activity, &config).1, FOREVER);
        activity.blocked();
        assert_eq!(end(&activity, &config).1, FOREVER);
    }
}
