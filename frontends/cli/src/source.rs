//! Where the module of a function is.

use std::{
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
};

use clap::builder::{OsStringValueParser, TypedValueParser as _, ValueParser, ValueParserFactory};

use crate::oci::{InvalidOciReference, OciReference, SCHEME};

/// Where the module of a function is.
///
/// - A text that begins with `oci://` is an artifact of a registry, and every other one is a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// A file, in the binary or in the text format.
    File(PathBuf),
    /// An artifact of a registry.
    Registry(OciReference),
}

/// Where an image goes: to a file, or to a repository of a registry.
pub(crate) type Destination = Source;

impl Source {
    /// The source that a text names.
    pub(crate) fn parse(text: OsString) -> Result<Self, InvalidOciReference> {
        match text.to_str().filter(|text| text.starts_with(SCHEME)) {
            Some(text) => text.parse().map(Self::Registry),
            None => Ok(Self::File(text.into())),
        }
    }

    /// Its file, if it is one.
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Registry(_) => None,
        }
    }

    /// Whether it is a file that does not exist.
    pub(crate) fn is_missing(&self) -> bool {
        self.file().is_some_and(|file| !file.exists())
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Registry(reference) => reference.fmt(f),
        }
    }
}

impl ValueParserFactory for Source {
    type Parser = ValueParser;

    fn value_parser() -> ValueParser {
        ValueParser::new(OsStringValueParser::new().try_map(Self::parse))
    }
}
