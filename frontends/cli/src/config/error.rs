//! Errors in a `nebula.toml`: the line, the key, and what to write instead.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use nebula_runtime::nearest;
use toml::de::DeTable;

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file cannot be read.
    #[error("failed to read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The file has a mistake.
    #[error("{0}")]
    Invalid(Problem),
}

/// A mistake in a file. It displays in one line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    file: PathBuf,
    line: usize,
    detail: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.detail)
    }
}

impl Problem {
    /// A value that has the right type and is still wrong.
    pub(super) fn at_key(file: &Path, text: &str, path: &[&str], detail: &str) -> Self {
        let line = line_of(text, start_of_key(text, path).unwrap_or_default());
        Self { file: file.to_owned(), line, detail: format!("{}: {detail}", path.join(".")) }
    }

    /// An error of the TOML reader. `key` is the path of the key whose value it read, and empty where it read none.
    pub(super) fn of_toml(file: &Path, text: &str, key: &str, error: &toml::de::Error) -> Self {
        let span = error.span().unwrap_or_default();
        let detail = match unknown_key(error.message()) {
            Some((key, expected)) => unknown_key_detail(key, &expected),
            None if key.is_empty() => match text.get(span.clone()).map(str::trim) {
                None | Some("") => error.message().to_owned(),
                Some(snippet) => format!("{}: {snippet:?}", error.message()),
            },
            None => format!("{key}: {}", error.message().replace("missing field", "missing key")),
        };
        Self { file: file.to_owned(), line: line_of(text, span.start), detail }
    }
}

/// The number of the line in which a byte is; the first is 1.
fn line_of(text: &str, byte: usize) -> usize {
    1 + text.bytes().take(byte).filter(|byte| *byte == b'\n').count()
}

/// Where the key with this path begins in a document.
fn start_of_key(text: &str, path: &[&str]) -> Option<usize> {
    let document = DeTable::parse(text).ok()?;
    let (first, rest) = path.split_first()?;
    let (mut key, mut value) = document.get_ref().get_key_value(*first)?;
    for name in rest {
        (key, value) = value.get_ref().as_table()?.get_key_value(*name)?;
    }
    Some(key.span().start.min(value.span().start))
}

/// The unknown key in serde's message, and the keys that were expected.
fn unknown_key(message: &str) -> Option<(&str, Vec<&str>)> {
    let mut quoted = message.strip_prefix("unknown field ")?.split('`').skip(1).step_by(2);
    Some((quoted.next()?, quoted.collect()))
}

fn unknown_key_detail(key: &str, expected: &[&str]) -> String {
    match nearest(key, expected.iter().copied()) {
        Some(nearest) => format!("unknown key {key:?}; did you mean {nearest:?}?"),
        None => format!("unknown key {key:?}; expected one of {}", expected.join(", ")),
    }
}
