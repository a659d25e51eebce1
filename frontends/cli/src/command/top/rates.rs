//! What a server did between two looks.

use serde::Serialize;

use super::scrape::{Counts, Scrape};

/// What a server did between two looks.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Rates {
    /// The time between the two looks.
    pub(super) seconds: f64,
    pub(super) calls_per_second: f64,
    pub(super) errors_per_second: f64,
    /// The calls that run now.
    pub(super) running: u64,
    /// The calls that wait for a place now.
    pub(super) waiting: u64,
    /// How many calls the server runs at once. 0 if it says nothing about it.
    pub(super) places: u64,
    /// The processors that the server kept busy.
    pub(super) cpu: f64,
    /// The memory of the server, in bytes.
    pub(super) memory: u64,
    /// Its functions. That with the most calls is the first.
    pub(super) functions: Vec<FunctionRates>,
}

/// What one function did between two looks.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct FunctionRates {
    pub(super) function: String,
    pub(super) calls_per_second: f64,
    pub(super) errors_per_second: f64,
    /// The time that half of the calls took at most, in seconds.
    pub(super) p50: Option<f64>,
    /// The time that 99 of 100 calls took at most, in seconds. Infinite beyond all buckets.
    pub(super) p99: Option<f64>,
    /// How many calls ran at the same time, on average.
    pub(super) running: f64,
    /// The threads that it kept busy.
    pub(super) cpu: f64,
    /// The most memory of one call so far, in bytes.
    pub(super) memory: u64,
}

impl Rates {
    /// What the server did from `before` until `now`.
    pub(super) fn between(before: &Scrape, now: &Scrape) -> Self {
        let seconds = (now.at - before.at).as_secs_f64().max(f64::EPSILON);
        let of = |(name, counts): (&String, &Counts)| {
            let before = before.functions.get(name).cloned().unwrap_or_default();
            FunctionRates::between(name, &before, counts, seconds)
        };
        let mut functions: Vec<_> = now.functions.iter().map(of).collect();
        functions.sort_by(|a, b| b.calls_per_second.total_cmp(&a.calls_per_second).then(a.function.cmp(&b.function)));
        Self {
            seconds,
            calls_per_second: functions.iter().map(|function| function.calls_per_second).sum(),
            errors_per_second: functions.iter().map(|function| function.errors_per_second).sum(),
            running: whole(now.server.running),
            waiting: whole(now.server.waiting),
            places: whole(now.server.places),
            cpu: since(before.server.cpu, now.server.cpu) / seconds,
            memory: whole(now.server.memory),
            functions,
        }
    }
}

impl FunctionRates {
    fn between(name: &str, before: &Counts, now: &Counts, seconds: f64) -> Self {
        let durations = now.durations.since(&before.durations);
        Self {
            function: name.to_owned(),
            calls_per_second: since(before.calls, now.calls) / seconds,
            errors_per_second: since(before.errors, now.errors) / seconds,
            p50: durations.quantile(0.5),
            p99: durations.quantile(0.99),
            running: since(before.time, now.time) / seconds,
            cpu: since(before.cpu, now.cpu) / seconds,
            memory: whole(now.memory),
        }
    }
}

/// How much a counter has grown. One that is smaller than before was started anew.
fn since(before: f64, now: f64) -> f64 {
    if now < before { now } else { now - before }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count is no fraction, and not below zero"
)]
fn whole(number: f64) -> u64 {
    number as u64
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::command::top::scrape::tests::metrics;

    #[test]
    fn rates_are_of_the_time_between_two_looks() {
        let before = Scrape::of(&metrics(10)).unwrap();
        let now = Scrape { at: before.at + Duration::from_secs(2), ..Scrape::of(&metrics(30)).unwrap() };
        let function = FunctionRates {
            function: "f".to_owned(),
            calls_per_second: 10.0,
            errors_per_second: 0.0,
            p50: Some(0.0005),
            p99: Some(0.00099),
            running: 1.0,
            cpu: 0.0,
            memory: 65_536,
        };
        let expected = Rates {
            seconds: 2.0,
            calls_per_second: 10.0,
            errors_per_second: 0.0,
            running: 3,
            waiting: 0,
            places: 256,
            cpu: 0.0,
            memory: 1 << 20,
            functions: vec![function],
        };
        assert_eq!(Rates::between(&before, &now), expected);
    }

    #[test]
    fn a_server_that_was_started_anew_counts_from_zero() {
        let before = Scrape::of(&metrics(30)).unwrap();
        let now = Scrape { at: before.at + Duration::from_secs(1), ..Scrape::of(&metrics(10)).unwrap() };
        assert_eq!(Rates::between(&before, &now).calls_per_second, 10.0);
    }
}
