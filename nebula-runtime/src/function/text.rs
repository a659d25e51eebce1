//! Texts with a byte order mark.

/// U+FEFF in UTF-8: some programs begin each text with it.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A text without the byte order mark that some programs begin one with. It is no part of the text (RFC 8259, section
/// 8.1, says so of JSON).
#[must_use]
pub fn without_byte_order_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text)
}

/// How many characters of a caller's value an error shows: the value may be a hostile megabyte.
pub(crate) const QUOTED: usize = 40;

/// A caller's value as an error shows it: in quotation marks, and shortened.
pub(crate) fn quoted(text: &str) -> String {
    let (start, more) = beginning(text, QUOTED);
    format!("{start:?}{more}")
}

/// The beginning of a text, of at most so many characters, and `…` where that is not all of it.
#[must_use]
pub fn shortened(text: &str, most: usize) -> String {
    let (start, more) = beginning(text, most);
    format!("{start}{more}")
}

fn beginning(text: &str, most: usize) -> (&str, &'static str) {
    match text.char_indices().nth(most).and_then(|(end, _)| text.get(..end)) {
        Some(start) => (start, "…"),
        None => (text, ""),
    }
}

/// The known name that looks most like `name`, if one looks like it at all.
#[must_use]
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    /// Below this, two words have little in common.
    const NEAR: f64 = 0.7;

    // A hostile name is compared no further than a person would write one, and with no more names than a person would read.
    let start: String = name.chars().take(64).collect();
    let rated = known.take(256).map(|known| (strsim::jaro_winkler(&start, known), known));
    let best = rated.filter(|(score, _)| *score > NEAR).max_by(|(one, _), (other, _)| one.total_cmp(other));
    best.map(|(_, known)| known)
}
