//! Runs a stream: each line of stdin is an event, and each line of stdout a result.

mod dispatcher;
mod lines;
mod reorder;

use std::{io::Read, num::NonZeroUsize, panic, sync::Arc};

use nebula_runtime::{ErrorKind, Event, InvokeError};
use serde_json::value::RawValue;
use tokio::{
    task::{JoinError, JoinSet, coop},
    time::Instant,
};

use self::{
    dispatcher::Dispatcher,
    lines::{Line, TooLong},
};
use crate::{
    call::{Answer, Call},
    input::read_in_thread,
    outcome::{JobOutcome, LocalError, Summary},
    output::{Writer, Written},
    progress::Progress,
};

/// Answers every line of `stdin`, with `jobs` events at once.
pub(crate) async fn run(
    call: Call,
    jobs: NonZeroUsize,
    (stdin, progress): (Box<dyn Read + Send>, Arc<Progress>),
    (writer, mut written): (Writer, Written),
) -> Result<JobOutcome, LocalError> {
    let started = Instant::now();
    let stream = Stream::start(stdin, progress, &call)?;
    let mut workers = stream.work(call, jobs);
    loop {
        tokio::select! {
            biased;
            failure = written.failed() => return JobOutcome::after_write_error(failure),
            Some(ended) = workers.join_next() => ended.unwrap_or_else(resume_panic),
            output = stream.0.output() => match output {
                Some(bytes) => writer.write(bytes).await,
                None => break,
            },
        }
    }
    if let Err(failure) = written.finish(writer).await {
        return JobOutcome::after_write_error(failure);
    }
    match stream.0.summary() {
        (summary, None) => Ok(JobOutcome::Stream(Summary { elapsed: started.elapsed(), ..summary })),
        (_, Some(failure)) => Err(LocalError::Read(failure)),
    }
}

/// Passes on the panic of a worker, which comes from the invoker. Otherwise its event would never be answered.
fn resume_panic(failure: JoinError) {
    if let Ok(reason) = failure.try_into_panic() {
        panic::resume_unwind(reason);
    }
}

/// A running stream. Dropping it ends the reading thread as soon as its `read` returns.
struct Stream(Arc<Dispatcher>);

impl Stream {
    fn start(stdin: Box<dyn Read + Send>, progress: Arc<Progress>, call: &Call) -> Result<Self, LocalError> {
        let max_line = usize::try_from(call.max_event()).unwrap_or(usize::MAX);
        let dispatcher = Arc::new(Dispatcher::new(max_line, progress));
        let stream = Self(Arc::clone(&dispatcher));
        read_in_thread(stdin, move |chunk| match chunk {
            Ok(chunk) if !chunk.is_empty() => dispatcher.push(chunk),
            ended => {
                dispatcher.end(ended.err());
                false
            }
        })?;
        Ok(stream)
    }

    fn work(&self, call: Call, jobs: NonZeroUsize) -> JoinSet<()> {
        let call = Arc::new(call);
        (0..jobs.get().min(reorder::WINDOW)).map(|_| work(Arc::clone(&self.0), Arc::clone(&call))).collect()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.close();
    }
}

async fn work(dispatcher: Arc<Dispatcher>, call: Arc<Call>) {
    while let Some(task) = dispatcher.take().await {
        dispatcher.put(task.sequence, answer(&call, &task.line).await);
        // Short functions never wait. Without this, timers and I/O would get no turn.
        coop::consume_budget().await;
    }
}

async fn answer(call: &Call, line: &Line) -> Answer {
    match event(line, call.max_event()) {
        Ok(event) => call.answer(event).await,
        Err(error) => call.refuse(error),
    }
}

fn event(line: &Line, max_event: u64) -> Result<Event, InvokeError> {
    let number = line.number;
    let bytes = line.content.as_ref().map_err(|TooLong| {
        let detail = format!("line {number} is larger than the limit of {max_event} bytes (max_request)");
        InvokeError::new(ErrorKind::PayloadTooLarge, detail)
    })?;
    // The check makes no value, because the runtime reads the bytes itself.
    let json: &RawValue = serde_json::from_slice(bytes).map_err(|error| {
        let detail = format!("line {number} is not a JSON value: {}; to send text as it is, use --raw", reason(&error));
        InvokeError::new(ErrorKind::InvalidInput, detail)
    })?;
    Ok(Event::json(bytes.slice_ref(json.get().as_bytes())))
}

/// The message of `error` without the line number, which would always be 1.
fn reason(error: &serde_json::Error) -> String {
    let place = format!(" at line {} column {}", error.line(), error.column());
    let text = error.to_string();
    format!("{} at column {}", text.strip_suffix(&place).unwrap_or(&text), error.column())
}
