//! What one invocation was and what it cost.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use serde::{Serialize, Serializer};

use super::{error::ErrorKind, id::InvocationId, stack::StackFrame, trace::SpanContext};
use crate::function::{Digest, FunctionRef, Kind, ServiceName};

/// What one invocation was and what it cost. Every invocation yields one, however it ends.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The invocation's id.
    #[serde(serialize_with = "as_text")]
    pub id: InvocationId,
    /// The function, as the caller named it.
    #[serde(serialize_with = "as_text")]
    pub function: FunctionRef,
    /// The version that ran, once it is known.
    pub version: Option<u64>,
    /// The module that ran, once it is known.
    pub digest: Option<Digest>,
    /// Its kind, once it is known.
    pub kind: Option<Kind>,
    /// The frontend that the event came through: `http`, `local`, `lambda`.
    pub frontend: &'static str,
    /// Its span, if its spans are recorded, as the field `traceparent` of W3C Trace Context.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_optional_span")]
    pub traceparent: Option<SpanContext>,
    /// When it began, by the machine's clock: `2026-11-26T21:14:05.000123Z`.
    #[serde(serialize_with = "as_timestamp")]
    pub started: SystemTime,
    /// How it ended; `None` while it goes on.
    #[serde(serialize_with = "as_optional_text")]
    pub outcome: Option<Outcome>,
    /// Whether code had to be loaded first.
    pub start: Start,
    /// Time waited for admission, or for another call that computes the same result, in microseconds.
    #[serde(rename = "queued_us", serialize_with = "as_micros")]
    pub queued: Duration,
    /// Time to find the function and load its code, in microseconds.
    #[serde(rename = "loading_us", serialize_with = "as_micros")]
    pub loading: Duration,
    /// Time to make the instance, in microseconds.
    #[serde(rename = "instantiating_us", serialize_with = "as_micros")]
    pub instantiating: Duration,
    /// Time from the instance's first instruction to the invocation's end, in microseconds. Time for which the guest
    /// waited for its reader is not part of it.
    #[serde(rename = "running_us", serialize_with = "as_micros")]
    pub running: Duration,
    /// Time for which the guest held a thread, in microseconds.
    #[serde(rename = "cpu_us", serialize_with = "as_micros")]
    pub cpu: Duration,
    /// The most memory that the guest held, in bytes: linear memory and the heap of its garbage collector.
    #[serde(rename = "peak_memory_bytes")]
    pub peak_memory: u64,
    /// Bytes of the event that the guest was given.
    pub bytes_in: u64,
    /// Bytes of the response that the guest gave.
    pub bytes_out: u64,
    /// What the guest used of each service of the node, in the order of first use.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<ServiceUse>,
    /// Why the guest failed, if it failed in its own code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// The functions that were running then, the innermost call first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stack: Vec<StackFrame>,
}

/// What a guest used of one service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ServiceUse {
    /// The service's name.
    #[serde(serialize_with = "as_text")]
    pub service: ServiceName,
    /// How many operations it was asked for.
    pub operations: u64,
    /// How many of them failed.
    pub failed: u64,
    /// How many of these failed because the service was out of reach, or did not answer in time.
    pub unavailable: u64,
    /// Time spent in them, in microseconds.
    #[serde(rename = "time_us", serialize_with = "as_micros")]
    pub time: Duration,
}

/// How an operation of a service ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OperationEnd {
    Ok,
    Failed,
    /// It failed because the service is out of reach.
    Unavailable,
}

/// Whether the code or the answer of an invocation was in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// Its code was not in memory.
    #[default]
    Cold,
    /// Its code was in memory.
    Warm,
    /// Its answer was in memory.
    Cached,
}

/// How an invocation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It answered.
    Ok,
    /// It failed.
    Failed(ErrorKind),
    /// The caller went away first.
    Cancelled,
}

/// The report of an invocation that may still go on, shared by everyone who adds to it.
#[derive(Clone)]
pub struct ReportHandle(Arc<Mutex<Report>>);

impl ReportHandle {
    pub(crate) fn new(id: InvocationId, function: FunctionRef) -> Self {
        let zero = Duration::ZERO;
        Self(Arc::new(Mutex::new(Report {
            id,
            function,
            version: None,
            digest: None,
            kind: None,
            frontend: "embedded",
            traceparent: None,
            started: SystemTime::now(),
            outcome: None,
            start: Start::Cold,
            queued: zero,
            loading: zero,
            instantiating: zero,
            running: zero,
            cpu: zero,
            peak_memory: 0,
            bytes_in: 0,
            bytes_out: 0,
            services: Vec::new(),
            failure: None,
            stack: Vec::new(),
        })))
    }

    /// Changes the report: a layer adds what it knows.
    pub fn update<T>(&self, change: impl FnOnce(&mut Report) -> T) -> T {
        change(&mut self.lock())
    }

    /// The report as it is now: complete when its outcome is known.
    pub fn snapshot(&self) -> Report {
        self.lock().clone()
    }

    /// Sets how the invocation ended, if that is not set yet. Returns whether this call set it.
    pub fn finish(&self, outcome: Outcome) -> bool {
        self.update(|report| {
            let first = report.outcome.is_none();
            report.outcome.get_or_insert(outcome);
            first
        })
    }

    fn lock(&self) -> MutexGuard<'_, Report> {
        // A report has no invariant that a panic between two writes could break.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for ReportHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lock().fmt(f)
    }
}

impl Report {
    /// Notes one operation of a service.
    pub(crate) fn note_service(&mut self, service: &ServiceName, time: Duration, end: OperationEnd) {
        self.note_more_of_service(service, time, end);
        if let Some(known) = self.services.iter_mut().find(|known| known.service == *service) {
            known.operations += 1;
        }
    }

    /// Notes more time of an operation that is noted already, and whether it has failed since.
    pub(crate) fn note_more_of_service(&mut self, service: &ServiceName, time: Duration, end: OperationEnd) {
        let known = self.services.iter().position(|known| known.service == *service);
        let index = known.unwrap_or_else(|| {
            self.services.push(ServiceUse::new(service.clone()));
            self.services.len() - 1
        });
        if let Some(known) = self.services.get_mut(index) {
            known.failed += u64::from(end != OperationEnd::Ok);
            known.unavailable += u64::from(end == OperationEnd::Unavailable);
            known.time += time;
        }
    }
}

impl ServiceUse {
    /// No use of this service yet.
    pub fn new(service: ServiceName) -> Self {
        Self { service, operations: 0, failed: 0, unavailable: 0, time: Duration::ZERO }
    }
}

impl Outcome {
    /// `ok`, `cancelled`, or the name of the error's kind.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed(kind) => kind.as_str(),
            Self::Cancelled => "cancelled",
        }
    }
}

impl Start {
    /// `cold`, `warm` or `cached`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cold => "cold",
            Self::Warm => "warm",
            Self::Cached => "cached",
        }
    }
}

fn as_text<S: Serializer>(value: &impl fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

#[expect(clippy::ref_option, reason = "the signature that serde's serialize_with asks for")]
fn as_optional_text<S: Serializer>(outcome: &Option<Outcome>, serializer: S) -> Result<S::Ok, S::Error> {
    outcome.map(Outcome::as_str).serialize(serializer)
}

#[expect(clippy::ref_option, reason = "the signature that serde's serialize_with asks for")]
fn as_optional_span<S: Serializer>(span: &Option<SpanContext>, serializer: S) -> Result<S::Ok, S::Error> {
    span.map(|span| span.to_string()).serialize(serializer)
}

fn as_timestamp<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_rfc3339_micros(*time))
}

fn as_micros<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
}
