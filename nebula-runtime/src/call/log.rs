//! Log lines about invocations.

use std::error::Error;

use tracing::{Level, field};

use super::{
    error::{ErrorKind, InvokeError},
    id::InvocationId,
    report::{Outcome, Report, ServiceUse},
    stack::StackFrame,
};
use crate::function::Kind;

/// Logs every field of a report. A macro, because an event's level is a part of its call site.
macro_rules! log_report {
    ($level:expr, $report:expr) => {{
        let report: &Report = $report;
        tracing::event!(
            target: "nebula::report",
            $level,
            id = %report.id,
            function = %report.function,
            version = report.version,
            digest = report.digest.map(field::display),
            kind = report.kind.map(Kind::as_str),
            frontend = report.frontend,
            traceparent = report.traceparent.map(field::display),
            started = %humantime::format_rfc3339_micros(report.started),
            outcome = report.outcome.map(Outcome::as_str),
            start = report.start.as_str(),
            queued_us = micros(report.queued),
            loading_us = micros(report.loading),
            instantiating_us = micros(report.instantiating),
            running_us = micros(report.running),
            cpu_us = micros(report.cpu),
            peak_memory_bytes = report.peak_memory,
            bytes_in = report.bytes_in,
            bytes_out = report.bytes_out,
            services = report.services_in_words(),
            failure = report.failure,
            stack = in_words(&report.stack),
            "REPORT"
        );
    }};
}

impl Report {
    /// What was used of each service: `state: 3 operations, 0 failed, 120 us`. Nothing if nothing was used.
    fn services_in_words(&self) -> Option<String> {
        let word = |used: &ServiceUse| {
            let ServiceUse { service, operations, failed, time, .. } = used;
            format!("{service}: {operations} operations, {failed} failed, {} us", micros(*time))
        };
        (!self.services.is_empty()).then(|| self.services.iter().map(word).collect::<Vec<_>>().join("; "))
    }

    /// Logs it as a line `REPORT` with a field for each of its own: a warning where the invocation failed. The log's
    /// target is `nebula::report`.
    pub fn log(&self) {
        match self.outcome {
            Some(Outcome::Failed(_)) => log_report!(Level::WARN, self),
            Some(Outcome::Ok | Outcome::Cancelled) | None => log_report!(Level::INFO, self),
        }
    }
}

impl InvokeError {
    /// Logs the failure with its causes, which the caller does not see: as an error where it is a fault of Nebula, as a
    /// warning where the operator can mend it, and else at the level debug, because the report tells it too.
    pub fn log(&self, id: &InvocationId) {
        let causes = || causes(self);
        match self.kind() {
            ErrorKind::Internal => {
                tracing::error!(%id, detail = self.detail(), causes = causes(), "invocation failed");
            }
            ErrorKind::Unavailable | ErrorKind::InvalidModule => {
                tracing::warn!(%id, kind = %self.kind(), detail = self.detail(), causes = causes(), "invocation failed");
            }
            ErrorKind::NotFound
            | ErrorKind::InvalidInput
            | ErrorKind::PayloadTooLarge
            | ErrorKind::GuestError
            | ErrorKind::GuestFault
            | ErrorKind::Timeout
            | ErrorKind::LimitExceeded
            | ErrorKind::Overloaded => {
                tracing::debug!(%id, kind = %self.kind(), detail = self.detail(), causes = causes(), "invocation failed");
            }
        }
    }
}

/// A stack in one line, the innermost call first. Nothing if there is none.
pub(crate) fn in_words(stack: &[StackFrame]) -> Option<String> {
    (!stack.is_empty()).then(|| stack.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
}

/// The causes of an error, the nearest cause first.
pub(crate) fn causes(error: &InvokeError) -> String {
    error.source().map(with_causes).unwrap_or_default()
}

/// An error and its causes in one line, the nearest cause first. A cause with the same message is left out.
#[must_use]
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut messages: Vec<_> =
        std::iter::successors(Some(error), |&cause| cause.source()).map(ToString::to_string).collect();
    messages.dedup();
    messages.join(": ")
}

fn micros(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_told_from_the_nearest_on() {
        let inner = InvokeError::new(ErrorKind::Internal, "inner").with_source(std::io::Error::other("root"));
        let error = InvokeError::new(ErrorKind::Internal, "outer").with_source(inner);
        assert_eq!(causes(&error), "inner: root");
    }
}
