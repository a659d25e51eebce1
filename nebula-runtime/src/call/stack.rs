//! The stack of a guest that failed.

use std::fmt;

use serde::{Serialize, Serializer};

/// A function that was running when its guest failed: `divide (src/lib.rs:12:5)`.
///
/// - Names come from the guest, which anyone may have made. Here they are short, and have no character that would
///   change a terminal or a line of a log.
/// - Callers of a function never see it: it is for the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackFrame {
    function: String,
    place: Option<String>,
    /// How many calls follow each other at this place.
    calls: u32,
}

impl StackFrame {
    /// A function that runs at a place: a line of a file, or an offset in the module.
    pub(crate) fn new(function: &str, place: Option<&str>) -> Self {
        Self { function: beginning(function), place: place.map(end), calls: 1 }
    }

    /// The function's name.
    pub fn function(&self) -> &str {
        &self.function
    }

    /// The place in the function: `src/lib.rs:12:5`, or the offset in the module if no line is known: `0x1a2b`.
    pub fn place(&self) -> Option<&str> {
        self.place.as_deref()
    }

    /// A stack of which calls at one place that follow each other are one frame.
    pub(crate) fn folded(frames: impl IntoIterator<Item = Self>) -> Vec<Self> {
        let mut stack: Vec<Self> = Vec::new();
        for frame in frames {
            match stack.last_mut() {
                Some(last) if last.function == frame.function && last.place == frame.place => last.calls += 1,
                _ => stack.push(frame),
            }
        }
        stack
    }
}

impl fmt::Display for StackFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.function)?;
        if let Some(place) = &self.place {
            write!(f, " ({place})")?;
        }
        if self.calls > 1 {
            write!(f, ", {} times", self.calls)?;
        }
        Ok(())
    }
}

impl Serialize for StackFrame {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The most characters of a name or a path.
const LONGEST: usize = 160;

/// The beginning of a name, without characters that have an effect.
pub(super) fn beginning(name: &str) -> String {
    let mut shown: String = name.chars().take(LONGEST).map(visible).collect();
    if name.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

/// The end of a path, which tells more than its beginning.
pub(super) fn end(path: &str) -> String {
    let skipped = path.chars().count().saturating_sub(LONGEST);
    let shown = path.chars().skip(skipped).map(visible);
    if skipped > 0 { std::iter::once('…').chain(shown).collect() } else { shown.collect() }
}

/// The character, or `�` for one that moves the cursor, ends the line, or changes the direction of writing.
fn visible(character: char) -> char {
    match character {
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' => '\u{fffd}',
        control if control.is_control() => '\u{fffd}',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_short_and_has_no_effect_on_a_terminal_whatever_its_guest_is_named() {
        let long = "n".repeat(1 << 20);
        let cases = [
            ("divide", Some("src/lib.rs:12:5"), "divide (src/lib.rs:12:5)".to_owned()),
            ("größe<T>", None, "größe<T>".to_owned()),
            ("\u{1b}[2Jf\n\u{202e}g", Some("a\r\nb"), "�[2Jf��g (a��b)".to_owned()),
            (long.as_str(), Some(long.as_str()), format!("{0}… (…{0})", "n".repeat(LONGEST))),
        ];
        for (function, place, expected) in cases {
            assert_eq!(StackFrame::new(function, place).to_string(), expected);
        }
    }

    #[test]
    fn calls_at_one_place_are_one_frame() {
        let names = ["f", "f", "f", "g", "f"];
        let stack = StackFrame::folded(names.map(|name| StackFrame::new(name, Some("a.c:1"))));
        let shown: Vec<_> = stack.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["f (a.c:1), 3 times", "g (a.c:1)", "f (a.c:1)"]);
    }
}
