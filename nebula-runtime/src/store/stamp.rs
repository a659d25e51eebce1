//! Who changed something, and when.

use std::{fmt, sync::Arc};

use crate::function::Timestamp;

/// Tells the time.
#[derive(Clone)]
pub(super) struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    pub(super) fn new(clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(clock))
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.0)()
    }
}

/// The clock of the system.
impl Default for Clock {
    fn default() -> Self {
        Self::new(Timestamp::now)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.now().fmt(f)
    }
}

/// Who changed something, and when.
#[derive(Debug, Clone)]
pub(super) struct Stamp {
    pub(super) at: Timestamp,
    pub(super) by: Option<String>,
}

/// A longer name is cut: everyone who reads the record reads it too.
const LONGEST_NAME: usize = 100;

impl Stamp {
    /// A name is written without control characters, because terminals print it.
    pub(super) fn new(at: Timestamp, by: Option<&str>) -> Self {
        let printable = |name: &str| name.chars().filter(|char| !char.is_control()).take(LONGEST_NAME).collect();
        Self { at, by: by.map(printable).filter(|name: &String| !name.is_empty()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_short_line_of_text() {
        let long = "é".repeat(1_000);
        let cases = [
            (Some("ada@laptop"), Some("ada@laptop")),
            (Some("a\n\x1b[31mb"), Some("a[31mb")),
            (Some("\n"), None),
            (None, None),
            (Some(long.as_str()), Some(&long[..2 * LONGEST_NAME])),
        ];
        for (name, expected) in cases {
            assert_eq!(Stamp::new(Timestamp::from_unix(0), name).by.as_deref(), expected);
        }
    }
}
