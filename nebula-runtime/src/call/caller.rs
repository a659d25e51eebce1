//! The invocation that an instance serves, as the host knows it.

use tokio::time::Instant;

use super::{
    id::InvocationId, invocation::Invocation, report::ReportHandle, stderr_lines::StderrLines, trace::TraceContext,
};

/// The invocation that an instance serves, as the host and its services know it.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) id: InvocationId,
    pub(crate) trace: TraceContext,
    /// When the caller stops waiting for the answer.
    pub(crate) deadline: Option<Instant>,
    pub(crate) report: ReportHandle,
    /// Where the guest's stderr goes as well as to the log.
    pub(crate) stderr: Option<StderrLines>,
}

impl Caller {
    pub(crate) fn of(invocation: &Invocation) -> Self {
        Self {
            id: invocation.id.clone(),
            trace: invocation.trace.clone(),
            deadline: invocation.deadline,
            report: invocation.report.clone(),
            stderr: invocation.stderr.clone(),
        }
    }
}
