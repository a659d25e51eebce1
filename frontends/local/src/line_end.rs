//! Finds out whether bytes that come in pieces are a text without a line feed at its end.

/// Checks the pieces of an output.
///
/// The media type does not suffice: that of a command's output is guessed from its beginning, and a binary file can
/// begin like a text.
#[derive(Debug, Default)]
pub(crate) struct LineEndCheck {
    /// The first bytes of a character of which the last piece had only a part.
    cut: Vec<u8>,
    is_binary: bool,
    last: Option<u8>,
}

impl LineEndCheck {
    /// Adds the next piece.
    pub(crate) fn push(&mut self, piece: &[u8]) {
        self.last = piece.last().copied().or(self.last);
        if self.is_binary {
            return;
        }
        if self.cut.is_empty() {
            self.check(piece);
        } else {
            let whole = [&std::mem::take(&mut self.cut), piece].concat();
            self.check(&whole);
        }
    }

    fn check(&mut self, bytes: &[u8]) {
        if let Err(error) = std::str::from_utf8(bytes) {
            self.is_binary = error.error_len().is_some();
            self.cut = bytes.get(error.valid_up_to()..).filter(|_| !self.is_binary).unwrap_or_default().to_vec();
        }
    }

    /// Whether the output is UTF-8, is not empty, and has no line feed at its end.
    pub(crate) fn lacks_line_end(&self) -> bool {
        !self.is_binary && self.cut.is_empty() && self.last.is_some_and(|last| last != b'\n')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_text_without_a_line_feed_at_its_end_lacks_one() {
        let cases: [(&[u8], bool); 9] = [
            (b"", false),
            (b"10", true),
            (b"10\n", false),
            (b"a\nb", true),
            ("Grüße, 世界".as_bytes(), true),
            ("Grüße, 世界\n".as_bytes(), false),
            (b"%PDF-1.7 \xe2\xe3", false),
            ("ends in half a 世".as_bytes().split_at(16).0, false),
            (b"latin \xfc 1", false),
        ];
        for (bytes, lacks) in cases {
            for size in 1..20 {
                let mut text = LineEndCheck::default();
                bytes.chunks(size).for_each(|piece| text.push(piece));
                assert_eq!(text.lacks_line_end(), lacks, "{bytes:?} in pieces of {size}");
            }
        }
    }
}
