//! The target of a command: a published function, or a file.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    str::FromStr,
};

use clap::builder::{OsStringValueParser, TypedValueParser as _, ValueParser, ValueParserFactory};
use nebula_runtime::{FunctionName, FunctionRef, InvalidFunctionRef};

/// A published function, or a file.
///
/// - A text that ends in `.wasm` or `.wat` is a file, and so is one with a `/` or `.` before any `:` or `@`.
/// - A text that is not UTF-8 is a file: no function has such a name.
/// - Every other text is a function, whether or not a file of that name exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// A function in the store.
    Function(FunctionRef),
    /// A module in the binary or in the text format.
    File(PathBuf),
}

/// A text that names neither a function nor a file.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}; a file of that name is ./{1}")]
pub(crate) struct InvalidTarget(InvalidFunctionRef, String);

impl FromStr for Target {
    type Err = InvalidTarget;

    fn from_str(text: &str) -> Result<Self, InvalidTarget> {
        let name = text.split([':', '@']).next().unwrap_or_default();
        if name.contains(['/', '.']) || text.ends_with(".wasm") || text.ends_with(".wat") {
            return Ok(Self::File(text.into()));
        }
        text.parse().map(Self::Function).map_err(|error| InvalidTarget(error, text.to_owned()))
    }
}

impl ValueParserFactory for Target {
    type Parser = ValueParser;

    fn value_parser() -> ValueParser {
        ValueParser::new(OsStringValueParser::new().try_map(|text: OsString| match text.to_str() {
            Some(text) => text.parse(),
            None => Ok(Self::File(text.into())),
        }))
    }
}

/// The name of a file's function while it is run: the part of the file's name that can be a function's name. An export
/// of that name is then the default export.
pub(crate) fn name_of(file: &Path) -> Result<FunctionName, InvalidFunctionRef> {
    let stem = file.file_stem().map(|stem| stem.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    let letters = stem.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' });
    let name: String = letters.skip_while(|letter| !letter.is_ascii_lowercase()).take(63).collect();
    if name.is_empty() { "function".parse() } else { name.parse() }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt as _;

    use super::*;

    #[test]
    fn files_and_functions_are_told_apart_by_their_spelling() {
        let digest = format!("resize@sha256:{}", "9f".repeat(32));
        for text in ["treats", "treats@3", "calc:add", "calc:add@prod", "calc:math.add", "a:b/c", &digest] {
            assert_eq!(text.parse(), Ok(Target::Function(text.parse().unwrap())), "{text}");
        }
        for text in
            ["treats.wasm", "treats.wat", "./treats", "dir/treats", "/treats", "treats.bin", "a:b.wasm", "..", "."]
        {
            assert_eq!(text.parse(), Ok(Target::File(text.into())), "{text}");
        }
    }

    #[test]
    fn a_text_that_is_not_utf_8_is_a_file() {
        let odd = OsString::from_vec(b"od\xff".to_vec());
        let command = clap::Command::new("nebula").arg(clap::Arg::new("target").value_parser(Target::value_parser()));
        let matches = command.get_matches_from([OsString::from("nebula"), odd.clone()]);
        assert_eq!(matches.get_one("target"), Some(&Target::File(odd.into())));
    }

    #[test]
    fn the_error_for_neither_says_how_a_file_is_written() {
        let error = "Treats".parse::<Target>().unwrap_err().to_string();
        assert!(error.starts_with("invalid function name \"Treats\""), "{error}");
        assert!(error.ends_with("; a file of that name is ./Treats"), "{error}");
    }

    #[test]
    fn a_file_gives_its_function_a_name() {
        let long = format!("/tmp/{}.wasm", "x".repeat(100));
        let cases = [
            ("guests/treats.wat", "treats"),
            ("nth_prime.wasm", "nth-prime"),
            ("My Function (2).wasm", "my-function--2-"),
            ("./2048", "function"),
            ("..", "function"),
            ("ü.wasm", "function"),
            (&long, &"x".repeat(63)),
        ];
        for (file, name) in cases {
            assert_eq!(name_of(Path::new(file)).unwrap().as_str(), name, "{file}");
        }
    }
}
