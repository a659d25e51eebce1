//! Splits chunks of bytes into lines.

use bytes::{Buf as _, Bytes};
use nebula_runtime::without_byte_order_mark;

/// Splits a stream of bytes into lines.
///
/// - Blank lines are counted and skipped: people end and group input with them, and they are no JSON values.
/// - A byte order mark at the start of a line is dropped: some editors begin each file with one, and files may be
///   joined.
/// - A line longer than `max` bytes is never kept in memory. [`TooLong`] stands in its place.
/// - A line within one chunk is a slice of the chunk. Only a line in several chunks is copied.
pub(crate) struct Lines {
    max: usize,
    chunk: Bytes,
    /// The start of the current line, from earlier chunks.
    partial: Vec<u8>,
    too_long: bool,
    number: u64,
    /// How many bytes of the input are used.
    offset: u64,
}

/// One line that is not blank.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// The number of the line in the input, from 1.
    pub(crate) number: u64,
    pub(crate) content: Result<Bytes, TooLong>,
}

/// The line is larger than an event can be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

impl Lines {
    pub(crate) fn new(max: usize) -> Self {
        Self { max, chunk: Bytes::new(), partial: Vec::new(), too_long: false, number: 0, offset: 0 }
    }

    /// Adds the next chunk. The chunk before has to be drained.
    pub(crate) fn push(&mut self, chunk: Bytes) {
        self.chunk = chunk;
    }

    /// Where the last line ended, as an offset in the input.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether all bytes of the last chunk are used.
    pub(crate) fn is_drained(&self) -> bool {
        self.chunk.is_empty()
    }

    /// Whether the chunk has a complete line left.
    pub(crate) fn has_line(&self) -> bool {
        memchr::memchr(b'\n', &self.chunk).is_some()
    }

    /// Whether nothing is left, not even the start of a line.
    pub(crate) fn is_finished(&self) -> bool {
        self.chunk.is_empty() && self.partial.is_empty() && !self.too_long
    }

    /// The next complete line.
    pub(crate) fn next(&mut self) -> Option<Line> {
        while let Some(end) = memchr::memchr(b'\n', &self.chunk) {
            let piece = self.chunk.split_to(end);
            self.chunk.advance(1);
            self.offset += piece.len() as u64 + 1;
            if let Some(line) = self.complete(piece) {
                return Some(line);
            }
        }
        let rest = std::mem::take(&mut self.chunk);
        self.offset += rest.len() as u64;
        self.keep(&rest);
        None
    }

    /// The last line, if the input has ended without a line feed.
    pub(crate) fn finish(&mut self) -> Option<Line> {
        self.complete(Bytes::new())
    }

    fn keep(&mut self, piece: &[u8]) {
        self.too_long |= self.partial.len() + piece.len() > self.max + MARK;
        if self.too_long {
            self.partial = Vec::new();
        } else {
            self.partial.extend_from_slice(piece);
        }
    }

    fn complete(&mut self, piece: Bytes) -> Option<Line> {
        self.number += 1;
        let content = self.assemble(piece).and_then(|line| self.within(line.slice_ref(without_byte_order_mark(&line))));
        let is_blank = matches!(&content, Ok(bytes) if bytes.trim_ascii().is_empty());
        (!is_blank).then_some(Line { number: self.number, content })
    }

    fn assemble(&mut self, piece: Bytes) -> Result<Bytes, TooLong> {
        if !self.partial.is_empty() || self.too_long {
            self.keep(&piece);
            let whole = std::mem::take(&mut self.partial);
            return if std::mem::take(&mut self.too_long) { Err(TooLong) } else { Ok(whole.into()) };
        }
        Ok(piece)
    }

    fn within(&self, line: Bytes) -> Result<Bytes, TooLong> {
        if line.len() > self.max { Err(TooLong) } else { Ok(line) }
    }
}

/// How many bytes are kept beyond the limit: those of a byte order mark, which do not count.
const MARK: usize = '\u{feff}'.len_utf8();

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of `input`, if it comes in pieces of `size` bytes.
    fn cut(input: &'static str, size: usize, max: usize) -> Vec<(u64, Option<String>)> {
        let mut lines = Lines::new(max);
        let mut cut = Vec::new();
        for piece in input.as_bytes().chunks(size) {
            lines.push(Bytes::from_static(piece));
            cut.extend(std::iter::from_fn(|| lines.next()));
            assert!(lines.is_drained());
        }
        cut.extend(lines.finish());
        let text = |bytes: Bytes| String::from_utf8(bytes.to_vec()).unwrap();
        cut.into_iter().map(|line| (line.number, line.content.ok().map(text))).collect()
    }

    #[test]
    fn lines_are_the_same_for_chunks_of_any_size() {
        let line = |number, text: &str| (number, Some(text.to_owned()));
        for size in 1..20 {
            assert_eq!(
                cut("1\n[2]\n\n \r\n5\r\nlast", size, 9),
                [line(1, "1"), line(2, "[2]"), line(5, "5\r"), line(6, "last")]
            );
            assert_eq!(cut("", size, 9), []);
            assert_eq!(cut("\n\n", size, 9), []);
        }
    }

    #[test]
    fn a_byte_order_mark_at_the_start_of_a_line_is_dropped_and_does_not_count() {
        let line = |number, text: &str| (number, Some(text.to_owned()));
        for size in 1..20 {
            assert_eq!(cut("\u{feff}1234\n\u{feff}2\n", size, 5), [line(1, "1234"), line(2, "2")]);
            assert_eq!(cut("\u{feff}12345\n1", size, 4), [(1, None), line(2, "1")], "in pieces of {size}");
            assert_eq!(cut("\u{feff}\n1", size, 4), [line(2, "1")]);
            assert_eq!(cut("\u{feff}1234", size, 4), [line(1, "1234")]);
        }
    }

    #[test]
    fn a_line_over_the_limit_is_marked_and_the_next_one_is_whole() {
        for size in 1..20 {
            let expected = [(1, Some("1234".to_owned())), (2, None), (3, Some("5".to_owned())), (4, None)];
            assert_eq!(cut("1234\n12345\n5\n123456789", size, 4), expected, "in pieces of {size}");
        }
    }
}
