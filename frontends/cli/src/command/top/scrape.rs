//! What a server has counted until one moment, as its `/metrics` shows it.

use std::{collections::BTreeMap, time::Instant};

use nebula_otel::openmetrics::{Family, Sample, read};

use super::histogram::Histogram;

/// What a server has counted until one moment.
#[derive(Debug, Clone)]
pub(super) struct Scrape {
    pub(super) at: Instant,
    pub(super) functions: BTreeMap<String, Counts>,
    pub(super) server: ServerNumbers,
}

/// What was counted of one function.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Counts {
    pub(super) calls: f64,
    pub(super) errors: f64,
    /// The time of all calls together, in seconds.
    pub(super) time: f64,
    /// The processor time of all calls together, in seconds.
    pub(super) cpu: f64,
    /// The most memory of one call, in bytes.
    pub(super) memory: f64,
    pub(super) durations: Histogram,
}

/// What the server says of itself.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct ServerNumbers {
    pub(super) running: f64,
    pub(super) places: f64,
    pub(super) waiting: f64,
    /// Its memory, in bytes.
    pub(super) memory: f64,
    /// Its processor time, in seconds.
    pub(super) cpu: f64,
}

impl Scrape {
    /// The numbers of a text of metrics. `None` if they are not of Nebula.
    pub(super) fn of(text: &str) -> Option<Self> {
        let families = read(text);
        families.iter().find(|family| family.name == "nebula_in_flight")?;
        let empty = Self { at: Instant::now(), functions: BTreeMap::new(), server: ServerNumbers::default() };
        Some(families.iter().fold(empty, Self::with))
    }

    fn with(mut self, family: &Family<'_>) -> Self {
        match family.name {
            "nebula_invocations" => self.each(family, |counts, sample, value| {
                counts.calls += value;
                let outcome = label(sample, "outcome").unwrap_or_default();
                counts.errors += if matches!(outcome, "ok" | "cancelled") { 0.0 } else { value };
            }),
            "nebula_duration_seconds" => self.each(family, Counts::add_duration),
            "nebula_cpu_seconds" => self.each(family, |counts, _, value| counts.cpu = value),
            "nebula_peak_memory_bytes" => self.each(family, |counts, _, value| counts.memory = value),
            "nebula_in_flight" => self.server.running = only(family),
            "nebula_admission_places" => self.server.places = only(family),
            "nebula_admission_waiting" => self.server.waiting = only(family),
            "process_resident_memory_bytes" => self.server.memory = only(family),
            "process_cpu_seconds" => self.server.cpu = only(family),
            _ => {}
        }
        self
    }

    /// Adds each sample to the counts of its function.
    fn each(&mut self, family: &Family<'_>, add: impl Fn(&mut Counts, &Sample<'_>, f64)) {
        for sample in &family.samples {
            if let Some((function, value)) = label(sample, "function").zip(number(sample)) {
                add(self.functions.entry(function.to_owned()).or_default(), sample, value);
            }
        }
    }
}

impl Counts {
    fn add_duration(&mut self, sample: &Sample<'_>, value: f64) {
        match sample.suffix {
            "_sum" => self.time = value,
            "_bucket" => {
                // `+Inf` is a number, too.
                let bound = label(sample, "le").and_then(|bound| bound.parse().ok());
                bound.into_iter().for_each(|bound| self.durations.push(bound, value));
            }
            _ => {}
        }
    }
}

fn label<'a>(sample: &'a Sample<'_>, name: &str) -> Option<&'a str> {
    sample.labels.iter().find(|(label, _)| *label == name).map(|(_, value)| value.as_str())
}

fn number(sample: &Sample<'_>) -> Option<f64> {
    sample.value.parse().ok().filter(|value: &f64| value.is_finite())
}

/// The value of a metric without labels.
fn only(family: &Family<'_>) -> f64 {
    family.samples.first().and_then(number).unwrap_or_default()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A server with one function, after `calls` calls of which one failed and one was given up.
    pub(in super::super) fn metrics(calls: u32) -> String {
        let ok = calls - 2;
        format!(
            "# TYPE nebula_invocations counter\n\
             nebula_invocations_total{{function=\"f\",version=\"1\",outcome=\"ok\",start=\"warm\"}} {ok}\n\
             nebula_invocations_total{{function=\"f\",version=\"1\",outcome=\"timeout\",start=\"warm\"}} 1\n\
             nebula_invocations_total{{function=\"f\",version=\"2\",outcome=\"cancelled\",start=\"cold\"}} 1\n\
             # TYPE nebula_duration_seconds histogram\n\
             # UNIT nebula_duration_seconds seconds\n\
             nebula_duration_seconds_sum{{function=\"f\"}} {}\n\
             nebula_duration_seconds_count{{function=\"f\"}} {calls}\n\
             nebula_duration_seconds_bucket{{le=\"0.001\",function=\"f\"}} {ok}\n\
             nebula_duration_seconds_bucket{{le=\"+Inf\",function=\"f\"}} {calls}\n\
             # TYPE nebula_cpu_seconds counter\n\
             nebula_cpu_seconds_total{{function=\"f\"}} 0.5\n\
             # TYPE nebula_peak_memory_bytes gauge\n\
             nebula_peak_memory_bytes{{function=\"f\"}} 65536\n\
             # TYPE nebula_in_flight gauge\n\
             nebula_in_flight 3\n\
             # TYPE nebula_admission_places gauge\n\
             nebula_admission_places 256\n\
             # TYPE process_resident_memory_bytes gauge\n\
             process_resident_memory_bytes 1048576\n\
             # EOF\n",
            f64::from(calls) / 10.0
        )
    }

    #[test]
    fn the_versions_of_a_function_are_counted_together_and_a_caller_that_left_is_no_error() {
        let scrape = Scrape::of(&metrics(10)).unwrap();
        let mut durations = Histogram::default();
        durations.push(0.001, 8.0);
        durations.push(f64::INFINITY, 10.0);
        let counts = Counts { calls: 10.0, errors: 1.0, time: 1.0, cpu: 0.5, memory: 65_536.0, durations };
        assert_eq!(scrape.functions, BTreeMap::from([("f".to_owned(), counts)]));
        let server = ServerNumbers { running: 3.0, places: 256.0, memory: 1_048_576.0, ..ServerNumbers::default() };
        assert_eq!(scrape.server, server);
    }

    #[test]
    fn other_programs_have_no_such_metrics() {
        for text in ["", "<html></html>", "# TYPE process_cpu_seconds counter\nprocess_cpu_seconds_total 1\n"] {
            assert!(Scrape::of(text).is_none());
        }
    }
}
