//! Writes the values of headers without a heap allocation.

use std::{
    fmt::{self, Display, Write as _},
    time::Duration,
};

use http::{HeaderValue, header::InvalidHeaderValue};

/// A text of at most [`HeaderText::CAPACITY`] bytes. Parts that do not fit are left out.
///
/// Every response has three of these texts. With a growing buffer and the formatting of `std`, they would take most of
/// the time that this crate spends on a request.
pub(crate) struct HeaderText {
    bytes: [u8; Self::CAPACITY],
    length: usize,
}

impl HeaderText {
    const CAPACITY: usize = 160;

    /// Takes the text as the value of a header. The text is empty afterwards.
    ///
    /// # Errors
    /// If the text has characters that a header cannot have.
    pub(crate) fn take(&mut self) -> Result<HeaderValue, InvalidHeaderValue> {
        let length = std::mem::take(&mut self.length);
        HeaderValue::from_bytes(self.bytes.get(..length).unwrap_or_default())
    }

    /// Adds the text that `value` displays.
    pub(crate) fn push_displayed(&mut self, value: impl Display) {
        // `write_str` never fails here.
        let _ = write!(self, "{value}");
    }

    pub(crate) fn push(&mut self, text: &str) {
        let Some(room) = self.bytes.get_mut(self.length..self.length + text.len()) else { return };
        room.copy_from_slice(text.as_bytes());
        self.length += text.len();
    }

    /// `1.250` for 1250 microseconds, `1` for 1000.
    pub(crate) fn push_milliseconds(&mut self, span: Duration) {
        let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        let mut digits = itoa::Buffer::new();
        self.push(digits.format(micros / 1_000));
        if micros % 1_000 != 0 {
            self.push(".");
            // 250 becomes 1250, so that its leading zeros are kept. The 1 is left out.
            self.push(digits.format(1_000 + micros % 1_000).get(1..).unwrap_or_default());
        }
    }
}

impl Default for HeaderText {
    fn default() -> Self {
        Self { bytes: [0; Self::CAPACITY], length: 0 }
    }
}

impl fmt::Write for HeaderText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_does_not_fit_is_left_out() {
        let full = "x".repeat(HeaderText::CAPACITY);
        let mut text = HeaderText::default();
        text.push(&full);
        text.push("y");
        assert_eq!(text.take().unwrap(), full);
        assert_eq!(text.take().unwrap(), "");
    }
}
