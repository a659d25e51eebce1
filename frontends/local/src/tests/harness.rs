//! Readers, writers and invokers that a test can observe and delay.

use std::{
    io::{self, Read, Write},
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    time::Duration,
};

use bytes::Bytes;
use http::HeaderValue;
use nebula_runtime::{Invocation, InvokeError, Invoker, Response, invoker_fn};

use crate::{Events, Job, JobOutcome, LocalError, Output};

pub(super) const MAX: u64 = 100;

pub(super) fn job(events: Events) -> Job {
    Job { function: "f".parse().unwrap(), events, output: Output::Body, max_event: MAX, max_result: MAX }
}

pub(super) fn lines(jobs: usize) -> Job {
    job(Events::Lines { jobs: NonZeroUsize::new(jobs).unwrap() })
}

pub(super) fn json(body: impl Into<Bytes>, invocation: Invocation) -> Result<Response, InvokeError> {
    Ok(Response::new(HeaderValue::from_static("application/json"), body.into(), invocation.report))
}

/// The text of an event whose body is complete.
pub(super) fn text(invocation: &Invocation) -> String {
    match invocation.event.input() {
        nebula_runtime::Input::Payload { body, .. } => String::from_utf8(body.as_whole().unwrap().to_vec()).unwrap(),
        nebula_runtime::Input::Http(_) => panic!("a request"),
    }
}

/// Answers each event with itself.
pub(super) fn echo() -> Arc<dyn Invoker> {
    Arc::new(invoker_fn(async |invocation: Invocation| json(text(&invocation), invocation)))
}

/// Runs `job`, and returns its output too.
pub(super) async fn run(invoker: Arc<dyn Invoker>, job: Job, input: &str) -> (Result<JobOutcome, LocalError>, String) {
    let (output, mut written) = pipe();
    let outcome = crate::run(invoker, job, io::Cursor::new(input.to_owned()), output).await;
    let mut text = String::new();
    written.read_to_string(&mut text).unwrap();
    (outcome, text)
}

/// A pipe without bounds. Its reader fails after a minute without a byte.
pub(super) fn pipe() -> (PipeWriter, PipeReader) {
    let (sender, receiver) = mpsc::channel();
    (PipeWriter(sender), PipeReader { receiver, rest: Bytes::new() })
}

pub(super) struct PipeWriter(mpsc::Sender<Bytes>);

pub(super) struct PipeReader {
    receiver: mpsc::Receiver<Bytes>,
    rest: Bytes,
}

impl Write for PipeWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.send(Bytes::copy_from_slice(bytes)) {
            Ok(()) => Ok(bytes.len()),
            Err(_) => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for PipeReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.rest.is_empty() {
            self.rest = match self.receiver.recv_timeout(Duration::from_secs(60)) {
                Ok(bytes) => bytes,
                Err(mpsc::RecvTimeoutError::Disconnected) => return Ok(0),
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("nothing was written for a minute"),
            };
        }
        let size = buffer.len().min(self.rest.len());
        buffer[..size].copy_from_slice(&self.rest.split_to(size));
        Ok(size)
    }
}

/// Repeats a line for `left` bytes, and counts the bytes that are read.
pub(super) struct Counted {
    pub(super) line: &'static [u8],
    pub(super) left: u64,
    pub(super) read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut size = 0;
        while size + self.line.len() <= buffer.len() && self.left > 0 {
            buffer[size..size + self.line.len()].copy_from_slice(self.line);
            size += self.line.len();
            self.left = self.left.saturating_sub(self.line.len() as u64);
        }
        self.read.fetch_add(size as u64, Ordering::Relaxed);
        Ok(size)
    }
}

/// Records the largest number of bytes that were read and not yet written.
pub(super) struct Ahead {
    pub(super) read: Arc<AtomicU64>,
    pub(super) written: u64,
    pub(super) most: Arc<AtomicU64>,
}

impl Write for Ahead {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.most.fetch_max(self.read.load(Ordering::Relaxed) - self.written, Ordering::Relaxed);
        self.written += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
