//! Drives a connection under its time-outs, until it ends or the server drains.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::Poll,
};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tokio::{
    select,
    time::{Instant, sleep_until},
};

use super::{
    activity::{Activity, Wait},
    config::ServerConfig,
    shared::Shared,
};

/// Drives `serving` until it ends or a time-out of the connection has passed. When the server drains, the connection is
/// told to finish by `finish`.
pub(super) async fn drive<C: Future>(serving: C, finish: fn(Pin<&mut C>), activity: &Activity, shared: &Shared) {
    let Shared { limits, shutdown, .. } = shared;
    let mut serving = pin!(serving);
    let mut watching = pin!(watch(activity, limits));
    // Polled only when it wakes the connection, and not with each request: all connections share its locks.
    let mut draining = FuturesUnordered::from_iter([shutdown.draining()]);
    loop {
        select! {
            biased;
            _ = &mut serving => return,
            why = &mut watching => {
                tracing::debug!(why, "connection ended");
                if !activity.drain_if_idle() {
                    return;
                }
                watching.set(watch(activity, limits));
            }
            Some(()) = draining.next() => activity.drain(),
        }
        finish(serving.as_mut());
    }
}

/// Waits until a time-out of the connection has passed, and returns what the connection waited for.
pub(super) async fn watch(activity: &Activity, limits: &ServerConfig) -> &'static str {
    let mut timer = pin!(sleep_until(Instant::now()));
    // Polled with each poll of the connection, because the wait may have changed then.
    poll_fn(|context| {
        loop {
            let Wait { until, end } = activity.wait(limits);
            // The timer is only set to an earlier time here. So the requests of a busy connection leave it alone.
            if until < timer.deadline() {
                timer.as_mut().reset(until);
            }
            if timer.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            match end {
                // The timer was set for an earlier wait.
                _ if timer.deadline() < until => timer.as_mut().reset(until),
                Some(why) => return Poll::Ready(why),
                None => activity.restart_check(),
            }
        }
    })
    .await
}
