//! The output of a command, line by line.

use std::{io, time::Duration};

use bytes::{Buf as _, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    time::timeout,
};

/// A part of a line is shown after this long without more output: a command that hangs often ends its prompt without a
/// line feed.
const PATIENCE: Duration = Duration::from_secs(1);
/// A longer line is shown in parts.
const LONGEST: usize = 8 * 1024;

/// The lines that a command writes.
pub(super) struct Output<R> {
    reader: R,
    buffer: BytesMut,
}

impl<R: AsyncRead + Unpin> Output<R> {
    pub(super) fn of(reader: R) -> Self {
        Self { reader, buffer: BytesMut::new() }
    }

    /// The next line that is not blank; `None` at the end. Nothing is lost when the future is dropped.
    pub(super) async fn next(&mut self) -> io::Result<Option<String>> {
        loop {
            if let Some(line) = self.line() {
                return Ok(Some(line));
            }
            let read = timeout(PATIENCE, self.reader.read_buf(&mut self.buffer)).await;
            match read.ok().transpose()? {
                Some(0) if self.buffer.is_empty() => return Ok(None),
                Some(1..) => {}
                Some(0) | None => {
                    let part = text(&self.buffer.split());
                    if !part.is_empty() {
                        return Ok(Some(part));
                    }
                }
            }
        }
    }

    /// The next complete line. A carriage return ends a line too, as programs that show progress use it.
    fn line(&mut self) -> Option<String> {
        loop {
            let end = self.buffer.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let end = end.or_else(|| (self.buffer.len() >= LONGEST).then_some(LONGEST))?;
            let line = text(&self.buffer.split_to(end));
            if matches!(self.buffer.first(), Some(b'\n' | b'\r')) {
                self.buffer.advance(1);
            }
            if !line.is_empty() {
                return Some(line);
            }
        }
    }
}

fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    async fn lines(written: &[u8]) -> Vec<String> {
        let mut output = Output::of(written);
        let mut lines = Vec::new();
        while let Some(line) = output.next().await.unwrap() {
            lines.push(line);
        }
        lines
    }

    #[tokio::test]
    async fn line_feeds_and_carriage_returns_end_lines_and_blank_lines_are_left_out() {
        assert_eq!(lines(b"one\ntwo\r\n\n \n10%\r20%\rlast").await, ["one", "two", "10%", "20%", "last"]);
        assert_eq!(lines(b"\n\n").await, Vec::<String>::new());
        assert_eq!(lines(b"\xff\n").await, ["\u{fffd}"]);
    }

    #[tokio::test]
    async fn a_long_line_is_shown_in_parts() {
        let long = vec![b'a'; LONGEST + 1];
        assert_eq!(lines(&long).await, ["a".repeat(LONGEST), "a".to_owned()]);
    }

    #[tokio::test]
    async fn a_prompt_without_a_line_feed_is_shown_while_the_command_runs() {
        let (mut writer, reader) = tokio::io::duplex(64);
        writer.write_all(b"Password: ").await.unwrap();
        assert_eq!(Output::of(reader).next().await.unwrap(), Some("Password:".to_owned()));
    }
}
