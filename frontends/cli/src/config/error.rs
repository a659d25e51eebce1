//! What is wrong with a `nebula.toml`: where, which key, what instead.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use nebula_runtime::nearest;

use super::place::Document;

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// It cannot be read.
    #[error("failed to read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// It does not say what it should.
    #[error("{0}")]
    Invalid(Problem),
}

/// What is wrong in a file, in one line.
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
    /// A value that is of the right form and still wrong.
    pub(super) fn at_key(file: &Path, text: &str, path: &[&str], detail: &str) -> Self {
        let line = Document::of(text).line_of_key(path).unwrap_or(1);
        Self { file: file.to_owned(), line, detail: format!("{}: {detail}", path.join(".")) }
    }

    /// What the TOML reader refuses.
    pub(super) fn of_toml(file: &Path, text: &str, error: &toml::de::Error) -> Self {
        let document = Document::of(text);
        let span = error.span().unwrap_or_default();
        let key = document.key_at(&span);
        let detail = match unknown_key(error.message()) {
            Some((key, expected)) => unknown_key_detail(key, &expected),
            None if key.is_empty() => match text.get(span.clone()).map(str::trim) {
                None | Some("") => error.message().to_owned(),
                Some(snippet) => format!("{}: {snippet:?}", error.message()),
            },
            None => format!("{}: {}", key.join("."), error.message().replace("missing field", "missing key")),
        };
        Self { file: file.to_owned(), line: document.line(span.start), detail }
    }
}

/// The unknown key that serde's message tells of, and the keys that it expects.
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
