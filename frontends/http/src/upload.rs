//! Passes the body of a request to the guest.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use nebula_runtime::{Body, ErrorKind, InvokeError};
use tokio::time::{Sleep, sleep};

/// The body of a request as the guest's input. It ends with [`ErrorKind::InvalidInput`] if the client sends nothing for
/// `stall` before the end.
pub(crate) fn receive(body: axum::body::Body, stall: Duration) -> Body {
    if body.is_end_stream() {
        return Body::empty();
    }
    Body::stream(Upload { inner: body, stall, waiting: None })
}

struct Upload {
    inner: axum::body::Body,
    stall: Duration,
    /// The timer, while the body waits for the client. Bytes that have arrived already start no timer, and are read
    /// before the timer is checked: the guest's pauses do not count.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl Upload {
    fn poll_stall(&mut self, context: &mut Context<'_>) -> Poll<InvokeError> {
        let timer = self.waiting.get_or_insert_with(|| Box::pin(sleep(self.stall)));
        timer.as_mut().poll(context).map(|()| InvokeError::new(ErrorKind::InvalidInput, "the request body stalled"))
    }

    fn fail(&mut self, error: InvokeError) -> InvokeError {
        self.inner = axum::body::Body::empty();
        error
    }
}

impl http_body::Body for Upload {
    type Data = Bytes;
    type Error = InvokeError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, InvokeError>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(context) else {
            return self.poll_stall(context).map(|error| Some(Err(self.fail(error))));
        };
        self.waiting = None;
        Poll::Ready(frame.map(|frame| frame.map_err(|error| self.fail(broken(error)))))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// The client has disconnected, or has sent invalid HTTP.
fn broken(error: axum::Error) -> InvokeError {
    InvokeError::new(ErrorKind::InvalidInput, "the request body broke off").with_source(error)
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    /// A body of these chunks that never ends.
    fn stalling(chunks: &[&'static str]) -> axum::body::Body {
        let chunks: Vec<_> = chunks.iter().map(|chunk| Ok::<_, std::io::Error>(*chunk)).collect();
        axum::body::Body::from_stream(futures_util::StreamExt::chain(stream::iter(chunks), stream::pending()))
    }

    #[tokio::test]
    async fn a_body_that_stalls_is_an_invalid_input_and_then_ends() {
        let mut body = receive(stalling(&["half"]), Duration::from_millis(20));
        let mut frames = Vec::new();
        while let Some(frame) = http_body_util::BodyExt::frame(&mut body).await {
            frames
                .push(frame.map(|frame| frame.into_data().unwrap()).map_err(|error| (error.kind(), error.to_string())));
        }
        let stalled = (ErrorKind::InvalidInput, "the request body stalled".to_owned());
        assert_eq!(frames, [Ok(Bytes::from("half")), Err(stalled)]);
    }

    #[test]
    fn a_body_without_bytes_is_known_to_be_empty() {
        assert!(receive(axum::body::Body::empty(), Duration::ZERO).is_known_empty());
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_an_invalid_input() {
        let broken = stream::iter([Err::<Bytes, _>(std::io::Error::other("reset"))]);
        let body = receive(axum::body::Body::from_stream(broken), Duration::from_secs(30));
        let error = body.collect(u64::MAX).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string()),
            (ErrorKind::InvalidInput, "the request body broke off".to_owned())
        );
    }
}
