//! An answer whose bytes are read as they come.

use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use futures_util::{StreamExt as _, TryStreamExt as _, stream, stream::BoxStream};
use reqwest::Response;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::{error::ServerError, url::ServerUrl};

/// An answer whose bytes are read as they come.
pub(crate) struct Opened {
    url: ServerUrl,
    /// The number of bytes, if the server says it.
    pub(crate) size: Option<u64>,
    /// The bytes. If the answer breaks off, there is an error at the end.
    pub(crate) bytes: BoxStream<'static, Result<Bytes, ServerError>>,
}

impl Opened {
    /// The rest of an answer. The server may send nothing for as long as `patience`.
    pub(super) fn of(url: ServerUrl, response: Response, patience: Duration) -> Self {
        let (size, server) = (response.content_length(), url.clone());
        let bytes = stream::try_unfold(response, move |mut response| {
            let server = server.clone();
            async move {
                let late = |_| ServerError::TooSlow { url: server.clone() };
                let next = timeout(patience, response.chunk()).await.map_err(late)?;
                let next = next.map_err(|error| ServerError::of_exchange(&server, &error))?;
                Ok(next.map(|chunk| (chunk, response)))
            }
        });
        Self { url, size, bytes: bytes.boxed() }
    }
}

/// Values of JSON, one on each line of an answer.
pub(crate) struct Lines {
    opened: Opened,
    read: BytesMut,
}

impl Lines {
    pub(crate) fn of(opened: Opened) -> Self {
        Self { opened, read: BytesMut::new() }
    }

    /// The next value. Nothing after the last one.
    ///
    /// # Errors
    /// The answer breaks off, or a line is no such value.
    pub(crate) async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, ServerError> {
        let mut searched = 0;
        loop {
            let found = self.read.iter().skip(searched).position(|byte| *byte == b'\n');
            if let Some(end) = found.map(|end| searched + end) {
                let line = self.read.split_to(end);
                self.read.advance(1);
                return self.value(&line).map(Some);
            }
            searched = self.read.len();
            match self.opened.bytes.try_next().await? {
                Some(chunk) => self.read.extend_from_slice(&chunk),
                None if self.read.is_empty() => return Ok(None),
                None => {
                    let line = self.read.split();
                    return self.value(&line).map(Some);
                }
            }
        }
    }

    fn value<T: DeserializeOwned>(&self, line: &[u8]) -> Result<T, ServerError> {
        let url = || self.opened.url.clone();
        serde_json::from_slice(line).map_err(|source| ServerError::Answer { url: url(), source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_read_wherever_the_answer_is_cut_into_chunks() {
        let cases: [&[&str]; 5] = [
            &["1\n2\n30\n"],
            &["1\n2\n30"],
            &["1", "\n2", "\n3", "0\n"],
            &["", "1\n2\n3", "0"],
            &["1\n", "2\n", "30\n"],
        ];
        for chunks in cases {
            let chunks: Vec<_> = chunks.iter().map(|chunk| Ok(Bytes::copy_from_slice(chunk.as_bytes()))).collect();
            let url = "https://example.com".parse().unwrap();
            let mut lines = Lines::of(Opened { url, size: None, bytes: stream::iter(chunks).boxed() });
            let mut read = Vec::new();
            while let Some(number) = lines.next::<u32>().await.unwrap() {
                read.push(number);
            }
            assert_eq!(read, [1, 2, 30]);
        }
    }
}
