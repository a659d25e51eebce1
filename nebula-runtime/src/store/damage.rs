//! What a publish does with a record that cannot be understood.

use bytes::Bytes;
use object_store::path::Path;

use super::{backend::Backend, error::StoreError, record::MAX_NUMBER};
use crate::function::{Digest, FunctionName};

/// A record that cannot be understood.
///
/// - Its bytes are kept in an object beside the record. The name of that object has their digest, so that keeping them
///   twice changes nothing.
/// - Version numbers that can be read in them are never used again.
#[derive(Debug)]
pub(super) struct DamagedRecord {
    kept: Path,
    highest: Option<u64>,
}

/// Higher numbers are not taken for version numbers: the function would soon have none left.
const PLAUSIBLE: u64 = MAX_NUMBER / 2;

impl DamagedRecord {
    /// Keeps the damaged bytes of the record at `path`.
    pub(super) async fn keep(backend: &Backend, path: &Path, bytes: &Bytes) -> Result<Self, StoreError> {
        let digest: String = Digest::of(bytes).hex().chars().take(16).collect();
        let kept = Path::from(format!("{path}.damaged-{digest}"));
        // If the object is there already, it holds the same bytes: an earlier publish was interrupted.
        let _ = backend.create(&kept, bytes.clone()).await?;
        Ok(Self { kept, highest: highest_number(bytes) })
    }

    /// The highest version number that can be read in it: 0 where none can be read.
    pub(super) fn used(&self) -> u64 {
        self.highest.unwrap_or_default()
    }

    /// Logs what is lost and where the damaged bytes are, after the new record was written.
    pub(super) fn warn(&self, function: &FunctionName, version: u64) {
        let Self { kept, highest } = self;
        match highest {
            Some(highest) => tracing::warn!(
                %function, version, %kept,
                "the function's record was damaged and is kept aside; its earlier versions and aliases are gone; \
                 version {highest} is the highest number that can be read in it, and any higher number may be used again"
            ),
            None => tracing::warn!(
                %function, version, %kept,
                "the function's record was damaged and is kept aside; its earlier versions and aliases are gone; \
                 no version number can be read in it, so numbers start at 1 and may be used again"
            ),
        }
    }
}

/// The highest version number in what is left of a record: of the keys of its versions and targets, and of
/// the one before the next number.
fn highest_number(bytes: &[u8]) -> Option<u64> {
    let parts = || bytes.split(|byte| *byte == b'"');
    let numbers = parts().zip(parts().skip(1)).filter_map(|(key, after)| number(key, after));
    numbers.filter(|number| (1..=PLAUSIBLE).contains(number)).max()
}

/// The version number that a key with what follows it stands for: `"3":{`, `"prod":3`, or 3 of `"next":4`.
fn number(key: &[u8], after: &[u8]) -> Option<u64> {
    let value = after.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
    match key {
        b"format" => None,
        b"next" => leading_number(value)?.checked_sub(1),
        _ => leading_number(key).or_else(|| leading_number(value)),
    }
}

fn leading_number(text: &[u8]) -> Option<u64> {
    let digits = text.split(|byte| !byte.is_ascii_digit()).next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_number_is_found_in_what_is_left_of_a_record() {
        let entry = r#"{"manifest":"sha256:99","module":"sha256:98"}"#;
        let cases = [
            (String::new(), None),
            ("\0\0\0\0".to_owned(), None),
            (r#"{"format":1,"versions":{},"aliases":{"#.to_owned(), None),
            (
                format!(r#"{{"format":1,"versions":{{"1":{entry},"12":{entry},"3":{entry}}},"aliases":{{"prod":2}}"#),
                Some(12),
            ),
            (r#"{ "format" : 1, "versions" : { "7" : { "manif"#.to_owned(), Some(7)),
            (r#"{"format":1,"versions":{},"aliases":{"beta":4,"prod":5}}"#.to_owned(), Some(5)),
            (
                format!(
                    r#"{{"format":2,"next":9,"versions":{{"3":{entry}}},"aliases":{{"prod":{{"target":{{"weights":{{"3":95"#
                ),
                Some(8),
            ),
            (
                r#"{"format":2,"versions":{"3":{"published_at":"2026-01-31T12:00:00Z","published_by":"7"}},"#
                    .to_owned(),
                Some(3),
            ),
            (r#"{"versions":{"18446744073709551616":{},"9007199254740991":{},"2":{}}}"#.to_owned(), Some(2)),
        ];
        for (text, expected) in cases {
            assert_eq!(highest_number(text.as_bytes()), expected, "{text}");
        }
    }
}
