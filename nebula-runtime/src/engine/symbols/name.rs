//! Names of functions, as their authors wrote them.

use std::fmt::{self, Write as _};

use cpp_demangle::{DemangleOptions, Symbol};

/// The most bytes of a name. A short name of a compiler can stand for one that fills all memory.
const LONGEST: usize = 1024;

/// The name that a compiler of Rust or C++ has made `name` from, or `name` itself.
pub(super) fn readable(name: &str) -> String {
    let mut text = Bounded(String::new());
    // An error means that the text is full.
    if let Ok(rust) = rustc_demangle::try_demangle(name) {
        // Without the hash.
        let _ = write!(text, "{rust:#}");
    } else if let Ok(symbol) = Symbol::new(name)
        && name.starts_with("_Z")
    {
        let _ = symbol.structured_demangle(&mut text, &DemangleOptions::new());
    }
    if text.0.is_empty() { name.to_owned() } else { text.0 }
}

/// A text that takes no more than [`LONGEST`] bytes.
struct Bounded(String);

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = LONGEST.saturating_sub(self.0.len());
        self.0.push_str(text.get(..text.floor_char_boundary(room)).unwrap_or_default());
        if text.len() > room { Err(fmt::Error) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_source() {
        let cases = [
            ("divide", "divide"),
            ("_ZN4core9panicking5panic17h0123456789abcdefE", "core::panicking::panic"),
            ("_RNvCs1234_7mycrate3foo", "mycrate::foo"),
            ("_ZN5space3addEii", "space::add(int, int)"),
            ("_Z", "_Z"),
            ("main.main", "main.main"),
            ("", ""),
        ];
        for (name, expected) in cases {
            assert_eq!(readable(name), expected, "{name}");
        }
    }

    #[test]
    fn a_name_that_grows_without_end_is_cut() {
        // Each substitution holds the one before it twice.
        let pairs: String = (0..24).map(|level| format!("St4pairI{0}S{1}_E", "", level)).collect();
        let nested = (0..40).fold("i".to_owned(), |inner, _| format!("St4pairI{inner}iE"));
        for name in [format!("_Z1f{pairs}"), format!("_Z1f{nested}"), "x".repeat(1 << 16)] {
            assert!(readable(&name).len() <= LONGEST.max(name.len()));
        }
    }
}
