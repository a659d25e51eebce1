//! Texts with a byte order mark.

/// U+FEFF in UTF-8: some programs begin each text with it.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A text without the byte order mark that some programs begin one with. It is no part of the text (RFC 8259, section
/// 8.1, says so of JSON).
#[must_use]
pub fn without_byte_order_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text)
}
