//! Calls in a shell pipe.

use std::{
    io::{self, Cursor, Write},
    sync::{Arc, Mutex},
};

use http::Method;
use nebula_local::{Events, Job, JobOutcome, Output};
use nebula_runtime::{FunctionName, Runtime};

use crate::{answer::Piped, call::Call};

/// The largest event and the largest result.
const MAX_SIZE: u64 = 1 << 20;

/// Whether a pipe can make a call: one without a header, of a function that gets no request.
pub(crate) fn can_make(call: &Call) -> bool {
    call.method == Method::POST && call.headers.is_empty() && !call.function.starts_with("http")
}

/// What `nebula run FUNCTION ARGUMENT...` makes of a call: with `--raw`, unless the call has arguments and no body.
pub(crate) async fn answer(runtime: &Arc<Runtime>, call: &Call, arguments: Vec<String>) -> Piped {
    let function: FunctionName = call.function.parse().unwrap();
    let has_stdin = arguments.is_empty() || !call.body.is_empty();
    let job = Job {
        function: function.into(),
        events: if has_stdin { Events::Raw(arguments) } else { Events::Arguments(arguments) },
        output: Output::Body,
        max_event: MAX_SIZE,
        max_result: MAX_SIZE,
    };
    let stdout = Written::default();
    let stdin = Cursor::new(call.body.clone());
    match nebula_local::run(Arc::clone(runtime) as _, job, stdin, stdout.clone()).await.unwrap() {
        JobOutcome::Answered => Piped::Written(std::mem::take(&mut stdout.0.lock().unwrap())),
        JobOutcome::Failed(error) => Piped::Failed(error.kind().to_string()),
        outcome => panic!("{outcome:?}"),
    }
}

/// All that was written.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
