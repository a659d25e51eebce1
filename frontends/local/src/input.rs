//! Reads stdin in a thread of its own.

use std::{
    io::{self, Read},
    pin::Pin,
    task::{Context, Poll},
    thread,
};

use bytes::Bytes;
use http_body::Frame;
use nebula_runtime::{Body, ErrorKind, InvokeError};
use tokio::sync::mpsc;

use crate::outcome::LocalError;

/// How many bytes are read at once: as many as a Linux pipe holds.
const CHUNK: usize = 64 << 10;

/// Passes all of `stdin` to `take`, chunk by chunk, until `take` returns false. The end is an empty chunk or an error.
///
/// The thread does not belong to the async runtime: nothing can interrupt its `read`, and the runtime would wait for it
/// at its end. The thread ends with the process, or when `read` returns after `take` has returned false.
pub(crate) fn read_in_thread(
    mut stdin: Box<dyn Read + Send>,
    mut take: impl FnMut(io::Result<Bytes>) -> bool + Send + 'static,
) -> Result<(), LocalError> {
    let read = move || {
        let mut buffer = vec![0; CHUNK];
        loop {
            let chunk = match stdin.read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read.map(|size| Bytes::copy_from_slice(buffer.get(..size).unwrap_or_default())),
            };
            let ended = chunk.as_ref().map_or(true, Bytes::is_empty);
            if !take(chunk) || ended {
                break;
            }
        }
    };
    thread::Builder::new().name("stdin".to_owned()).spawn(read).map_err(LocalError::Thread)?;
    Ok(())
}

/// All of `stdin` as a streaming body.
pub(crate) fn body(stdin: Box<dyn Read + Send>) -> Result<Body, LocalError> {
    let (sender, receiver) = mpsc::channel(1);
    read_in_thread(stdin, move |chunk| sender.blocking_send(chunk).is_ok())?;
    Ok(Body::stream(StdinBody(receiver)))
}

struct StdinBody(mpsc::Receiver<io::Result<Bytes>>);

impl http_body::Body for StdinBody {
    type Data = Bytes;
    type Error = InvokeError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, InvokeError>>> {
        let frame = |chunk: io::Result<Bytes>| match chunk {
            Ok(bytes) => (!bytes.is_empty()).then(|| Ok(Frame::data(bytes))),
            Err(error) => {
                Some(Err(InvokeError::new(ErrorKind::InvalidInput, "stdin could not be read").with_source(error)))
            }
        };
        self.0.poll_recv(context).map(|chunk| chunk.and_then(frame))
    }
}
