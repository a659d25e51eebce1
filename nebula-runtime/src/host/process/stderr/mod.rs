//! This process's stderr: the log, and what guests write there.
//!
//! All of it goes through one queue, and one thread writes the queue in order. The queue matters when stderr cannot be
//! written: its disk is full, its reader has gone, or its pipe is full because its reader does not read. Then
//! - a **line of the log** neither waits nor fails. A line that finds the queue full, or that cannot be written, is
//!   lost. Lost lines are counted ([`lines_lost`]). When the queue has been written, the log says how many were lost;
//! - a **guest's output** ([`GuestStderr::Inherit`](crate::GuestStderr::Inherit)) makes the guest wait until there is
//!   room. Output is lost only if writing fails.
//!
//! A program gives [`log_writer`] to its `tracing` subscriber, writes all else with [`note`], and keeps a
//! [`FlushAtExit`] in its `main`. The first line starts the thread, unless [`start`] has started it before.

mod queue;
mod status;

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    fmt::Display,
    future::poll_fn,
    io::{self, Write as _},
    panic::PanicHookInfo,
    task::{Context, Poll},
    thread,
    time::Duration,
};

use self::{
    queue::{Queue, Target},
    status::Status,
};

/// How long a process that ends waits for its log to be written.
const EXIT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a thread that panics waits for its message to be written. It waits because the panic may end the process.
const PANIC_TIMEOUT: Duration = Duration::from_millis(100);

static QUEUE: Queue<Descriptor> = Queue::new(Descriptor(Status::new()));

/// A writer for a `tracing` subscriber. Each write is one line of the log. It never waits and never fails.
#[must_use]
pub fn log_writer() -> impl io::Write {
    LogWriter
}

/// Writes a line that is not part of the log, such as the address that a server listens on. There is always room for
/// it. If stderr cannot be written, the line is lost and counted like a line of the log.
pub fn note(line: impl Display) {
    QUEUE.note(format!("{line}\n").into_bytes());
}

/// Shows how far the work is, as the last line of a terminal. The next status takes the place of this one, and so does
/// everything else that is written. An empty text clears the line. Only for a stderr that is a terminal.
pub fn status(line: &str) {
    if let Some(bytes) = QUEUE.target.0.next(line) {
        QUEUE.note(bytes);
    }
}

/// Writes a panic's message. Use it with [`std::panic::set_hook`], because the standard library's own hook writes to
/// stderr directly and so waits for its reader.
pub fn note_panic(panic: &PanicHookInfo<'_>) {
    let thread = thread::current();
    let backtrace = Backtrace::capture();
    let shown = if backtrace.status() == BacktraceStatus::Captured { format!("\n{backtrace}") } else { String::new() };
    note(format_args!("thread '{}' {panic}{shown}", thread.name().unwrap_or("<unnamed>")));
    QUEUE.flush(PANIC_TIMEOUT);
}

/// Starts the thread that writes stderr. Without this, the first line starts it.
pub fn start() {
    QUEUE.start();
}

/// Ends the thread that writes stderr when everything is written. The next line starts another, which has the rights
/// that the process has then.
pub fn end_thread() {
    QUEUE.end_thread();
}

/// How many lines of the log this process has lost so far.
#[must_use]
pub fn lines_lost() -> u64 {
    QUEUE.lost()
}

/// Waits until all lines and output so far are written or lost.
pub async fn written() {
    let mark = QUEUE.mark();
    poll_fn(|context| QUEUE.poll_written(mark, context)).await;
}

/// Writes a guest's output to stderr.
pub(crate) fn output(bytes: &[u8]) {
    QUEUE.output(bytes);
}

/// Waits until guests may write to stderr.
pub(crate) fn poll_room(context: &mut Context<'_>) -> Poll<()> {
    QUEUE.poll_room(context)
}

/// Whether guests may write to stderr now.
pub(crate) fn has_room() -> bool {
    QUEUE.has_room()
}

/// Waits for the queue to be written when it is dropped, at the end of `main`.
#[derive(Debug)]
pub struct FlushAtExit {
    waits_for_reader: bool,
}

impl FlushAtExit {
    /// For a process whose stderr is a log, such as a server. It waits for at most two seconds.
    #[must_use]
    pub fn with_timeout() -> Self {
        Self { waits_for_reader: false }
    }

    /// For a process whose stderr is output. It waits until the reader has read all of it.
    #[must_use]
    pub fn waiting_for_reader() -> Self {
        Self { waits_for_reader: true }
    }
}

impl Drop for FlushAtExit {
    fn drop(&mut self) {
        if self.waits_for_reader {
            QUEUE.wait_written(QUEUE.mark());
        }
        QUEUE.flush(EXIT_TIMEOUT);
    }
}

struct LogWriter;

impl io::Write for LogWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        QUEUE.line(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The process's stderr itself.
struct Descriptor(Status);

impl Target for Descriptor {
    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes, write)
    }

    fn report_lost(&self, lines: u64) {
        match lines {
            1 => tracing::warn!("1 line of the log was lost"),
            _ => tracing::warn!("{lines} lines of the log were lost"),
        }
    }
}

fn write(bytes: &[u8]) -> io::Result<usize> {
    loop {
        match io::stderr().write(bytes) {
            // Another process that shares this stderr, such as one in the same terminal, may have made it non-blocking.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => wait_until_writable()?,
            written => return written,
        }
    }
}

#[cfg(unix)]
fn wait_until_writable() -> io::Result<()> {
    use rustix::event::{PollFd, PollFlags, poll};

    let stderr = io::stderr();
    match poll(&mut [PollFd::new(&stderr, PollFlags::OUT)], None) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(unix))]
fn wait_until_writable() -> io::Result<()> {
    Err(io::ErrorKind::WouldBlock.into())
}
