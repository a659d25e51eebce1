//! Reports as lines of the log.

use clap::ValueEnum;
use nebula_runtime::{Outcome, Report};

/// Which invocations' reports are logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Reports {
    /// Reports of calls that failed, as warnings
    #[default]
    Failures,
    /// Reports of all calls. A line for each request costs throughput
    All,
    /// No reports
    None,
}

impl Reports {
    /// Logs `report`, if this setting includes it.
    pub(crate) fn log(self, report: &Report) {
        match (self, report.outcome) {
            (Self::All, _) | (Self::Failures, Some(Outcome::Failed(_))) => report.log(),
            (Self::Failures | Self::None, _) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeSet,
        io::{self, Write},
        sync::{Arc, Mutex},
    };

    use nebula_runtime::{ErrorKind, Event, FunctionRef, Invocation, Kind};
    use serde_json::Value;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn report(outcome: Outcome) -> Report {
        let handle = Invocation::new("treats@3".parse::<FunctionRef>().unwrap(), Event::default()).report;
        handle.update(|report| {
            report.version = Some(3);
            report.digest = Some(nebula_runtime::Digest::of(b""));
            report.kind = Some(Kind::Core);
            report.running = std::time::Duration::from_micros(7);
        });
        handle.finish(outcome);
        handle.snapshot()
    }

    /// The lines that the log has for `reports`, as JSON.
    fn logged(which: Reports, reports: &[Report]) -> Vec<Value> {
        let lines = Lines::default();
        let writer = lines.clone();
        let log = tracing_subscriber::fmt().json().flatten_event(true).with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(log, || reports.iter().for_each(|report| which.log(report)));
        let lines = lines.0.lock().unwrap();
        lines
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect()
    }

    #[test]
    fn a_line_has_every_field_of_the_report() {
        let report = report(Outcome::Failed(ErrorKind::Timeout));
        let Value::Object(expected) = serde_json::to_value(&report).unwrap() else { panic!("no object") };
        let lines = logged(Reports::Failures, std::slice::from_ref(&report));
        let [Value::Object(line)] = lines.as_slice() else { panic!("{lines:?}") };
        let fields: BTreeSet<_> =
            line.keys().filter(|key| !["timestamp", "level", "target", "message"].contains(&key.as_str())).collect();
        assert_eq!(fields, expected.keys().collect());
        assert!(expected.iter().all(|(field, value)| line[field] == *value), "{line:?}");
        assert_eq!((&line["message"], &line["level"]), (&"REPORT".into(), &"WARN".into()));
    }

    #[test]
    fn only_the_reports_that_were_asked_for_are_logged() {
        let outcomes = [Outcome::Ok, Outcome::Cancelled, Outcome::Failed(ErrorKind::Internal)];
        let reports = outcomes.map(report);
        let outcomes =
            |which| logged(which, &reports).into_iter().map(|line| line["outcome"].clone()).collect::<Vec<_>>();
        assert_eq!(outcomes(Reports::All), ["ok", "cancelled", "internal"]);
        assert_eq!(outcomes(Reports::Failures), ["internal"]);
        assert_eq!(outcomes(Reports::None), [""; 0]);
    }
}
