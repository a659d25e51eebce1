//! How far a stream of events has come, as a line of the terminal.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, IsTerminal as _, Seek as _},
    sync::Arc,
    time::{Duration, Instant},
};

use nebula_local::Progress;
use nebula_runtime::stderr;
use tokio::{
    task::JoinHandle,
    time::{interval_at, sleep},
};

use crate::print;

/// Shorter streams show nothing.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often the line changes.
const TICK: Duration = Duration::from_millis(100);

/// How many looks back the speed is measured: over a second.
const LOOKS: usize = 10;

/// Shows how far a stream has come until it is ended.
pub(super) struct Status(Option<JoinHandle<()>>);

impl Status {
    /// Shows it on stderr, if that is a terminal and the results go elsewhere. `stdin` is the file of the events.
    pub(super) fn start(progress: &Arc<Progress>, stdin: &File) -> Self {
        let is_shown = io::stderr().is_terminal() && !io::stdout().is_terminal();
        let line = StatusLine { size: is_shown.then(|| unread(stdin)).flatten(), looks: VecDeque::new() };
        Self(is_shown.then(|| tokio::spawn(show(line, Arc::clone(progress)))))
    }

    /// Clears the line.
    pub(super) async fn end(self) {
        if let Some(shown) = self.0 {
            shown.abort();
            // It has ended when this returns, and shows nothing any more.
            let _ = shown.await;
            stderr::status("");
        }
    }
}

/// How many bytes come from stdin, if it is a file.
fn unread(mut stdin: &File) -> Option<u64> {
    let about = stdin.metadata().ok().filter(|about| about.is_file())?;
    about.len().checked_sub(stdin.stream_position().ok()?)
}

async fn show(mut line: StatusLine, progress: Arc<Progress>) {
    let began = Instant::now();
    sleep(PATIENCE).await;
    let mut ticks = interval_at(tokio::time::Instant::now(), TICK);
    loop {
        ticks.tick().await;
        let (events, failures, bytes) = (progress.events(), progress.failures(), progress.bytes());
        stderr::status(&line.next(Look { at: began.elapsed(), events, failures, bytes }));
    }
}

/// How far the stream had come at some time after its beginning.
#[derive(Clone, Copy)]
struct Look {
    at: Duration,
    events: u64,
    failures: u64,
    bytes: u64,
}

/// The text of the line.
struct StatusLine {
    /// How many bytes the events take, if that is known.
    size: Option<u64>,
    /// The last looks, the oldest first.
    looks: VecDeque<Look>,
}

impl StatusLine {
    /// The text after another look.
    fn next(&mut self, look: Look) -> String {
        let before = self.looks.front().copied();
        self.looks.push_back(look);
        if self.looks.len() > LOOKS {
            self.looks.pop_front();
        }
        let rate = match before {
            Some(before) => speed(look.events - before.events, look.at - before.at),
            None => speed(look.events, look.at),
        };
        let digits = if rate < 10.0 { 1 } else { 0 };
        let events = print::count(look.events, "event");
        let mut text = format!("{events}, {rate:.digits$}/s, {} failed", look.failures);
        if let Some(size) = self.size {
            text += &format!(", {} %", (100 * look.bytes).checked_div(size).unwrap_or(100).min(100));
            text += &time_left(size, look).map(|left| format!(", {left} left")).unwrap_or_default();
        }
        text
    }
}

/// How long the rest takes, if it takes as long as what came before.
fn time_left(size: u64, look: Look) -> Option<String> {
    let rest = size.saturating_sub(look.bytes) as f64 / speed(look.bytes, look.at);
    let rest = Duration::try_from_secs_f64(rest.ceil()).ok()?;
    Some(humantime::format_duration(rest).to_string())
}

fn speed(number: u64, time: Duration) -> f64 {
    number as f64 / time.as_secs_f64().max(f64::EPSILON)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(tenths: u64, events: u64, failures: u64, bytes: u64) -> Look {
        Look { at: Duration::from_millis(100 * tenths), events, failures, bytes }
    }

    #[test]
    fn the_line_has_the_speed_of_the_last_second_and_the_time_that_is_left() {
        let mut line = StatusLine { size: Some(100_000), looks: VecDeque::new() };
        assert_eq!(line.next(look(10, 1_000, 0, 10_000)), "1000 events, 1000/s, 0 failed, 10 %, 9s left");
        for tenths in 11..20 {
            line.next(look(tenths, 1_000, 0, 10_000));
        }
        assert_eq!(line.next(look(20, 3_000, 2, 30_000)), "3000 events, 2000/s, 2 failed, 30 %, 5s left");
        assert_eq!(line.next(look(21, 10_000, 2, 100_000)), "10000 events, 9000/s, 2 failed, 100 %, 0s left");
    }

    #[test]
    fn a_slow_stream_has_a_digit_more_and_one_of_unknown_size_no_time() {
        let mut line = StatusLine { size: None, looks: VecDeque::new() };
        assert_eq!(line.next(look(10, 0, 0, 0)), "0 events, 0.0/s, 0 failed");
        assert_eq!(line.next(look(20, 3, 1, 9)), "3 events, 3.0/s, 1 failed");
        let mut stuck = StatusLine { size: Some(100), looks: VecDeque::new() };
        assert_eq!(stuck.next(look(10, 0, 0, 0)), "0 events, 0.0/s, 0 failed, 0 %");
        let mut empty = StatusLine { size: Some(0), looks: VecDeque::new() };
        assert_eq!(empty.next(look(10, 0, 0, 0)), "0 events, 0.0/s, 0 failed, 100 %");
    }
}
