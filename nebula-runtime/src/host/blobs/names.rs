//! How backends write the names of blobs.

use object_store::path::Path;
use percent_encoding::percent_decode_str;

use super::contract::MAX_NAME;
use crate::host::failure::{ServiceError, ServiceErrorKind};

/// How a backend writes the names of blobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    /// As they are, as far as `object_store` takes them: `photos/cat.png`. A part between two slashes that is empty is
    /// `%`; `.`, `..`, control characters, `%` and the backslash are percent-encoded.
    Plain,
    /// As the path of a file: `photos%2F/cat.png`. The slash is a part of the folder's name, so that a file `photos`
    /// may be beside it.
    File,
}

/// What the name of an object cannot have, besides control characters. Azure takes a backslash for a slash.
const NOT_PLAIN: &str = "%\\";

/// What the name of a file does not have: what `object_store` or a shell takes for something else, and the slash.
const NOT_IN_A_FILE: &str = "%/\\#|?*\"<>";

/// The longest part of a file's path. File systems have at most 255 bytes.
const LONGEST: usize = 200;

/// A slash in the name of a file.
const SLASH: &str = "%2F";

impl Naming {
    /// The path of a blob.
    ///
    /// # Errors
    /// [`ServiceErrorKind::Invalid`] if it is too long for the backend.
    pub(super) fn path(self, name: &str) -> Result<Path, ServiceError> {
        let written = match self {
            Self::Plain => plain(name),
            Self::File => file(name),
        };
        let is_short = self == Self::File || written.len() <= MAX_NAME;
        Path::parse(written).ok().filter(|_| is_short).ok_or_else(|| {
            ServiceError::new(ServiceErrorKind::Invalid, "the name of the blob is too long for the service")
        })
    }

    /// The name of the blob at a path. Nothing if no blob has this path.
    pub(super) fn name(self, path: &Path) -> Option<String> {
        let written = path.as_ref();
        let encoded: String = match self {
            Self::Plain => {
                let parts: Vec<_> = written.split('/').map(|part| if part == "%" { "" } else { part }).collect();
                parts.join("/")
            }
            Self::File => written.split('/').map(|part| part.strip_suffix('%').unwrap_or(part)).collect(),
        };
        let name = percent_decode_str(&encoded).decode_utf8().ok()?.into_owned();
        (self.path(&name).ok()? == *path).then_some(name)
    }

    /// The folder in which all blobs are whose names begin with `prefix`. Others may be there too.
    pub(super) fn folder(self, prefix: &str) -> Path {
        let Some((folder, _)) = prefix.rsplit_once('/') else { return Path::ROOT };
        let written = match self {
            Self::Plain => plain(folder),
            // The name of a blob in the folder, without the blob's own part.
            Self::File => file(&format!("{folder}/")).trim_end_matches("/%").to_owned(),
        };
        Path::parse(written).unwrap_or(Path::ROOT)
    }
}

fn plain(name: &str) -> String {
    let part = |part: &str| match part {
        "" => "%".to_owned(),
        "." => "%2E".to_owned(),
        ".." => "%2E%2E".to_owned(),
        part => encoded(part, NOT_PLAIN),
    };
    name.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// The encoded name, cut behind each slash and where it is too long. A part that is cut because it is too long ends
/// with `%`, and so does an empty one.
fn file(name: &str) -> String {
    let encoded = encoded(name, NOT_IN_A_FILE);
    let mut parts: Vec<String> = encoded.split_inclusive(SLASH).flat_map(cut).collect();
    if name.is_empty() || name.ends_with('/') {
        parts.push("%".to_owned());
    }
    parts.join("/")
}

/// The text with these characters and control characters percent-encoded. `percent_encoding` would encode `ü` too.
fn encoded(text: &str, characters: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for char in text.chars() {
        if char.is_ascii_control() || characters.contains(char) {
            encoded.push_str(&format!("%{:02X}", u32::from(char)));
        } else {
            encoded.push(char);
        }
    }
    encoded
}

/// A part in pieces that are short enough.
fn cut(part: &str) -> Vec<String> {
    let (mut pieces, mut piece) = (Vec::new(), String::new());
    for char in part.chars() {
        if piece.len() >= LONGEST && !is_within_an_escape(&piece) {
            pieces.push(std::mem::take(&mut piece) + "%");
        }
        piece.push(char);
    }
    pieces.push(match piece.as_str() {
        "." => "%2E".to_owned(),
        ".." => "%2E%2E".to_owned(),
        _ => piece,
    });
    pieces
}

/// Whether the text ends within a percent-encoded octet.
fn is_within_an_escape(text: &str) -> bool {
    text.bytes().rev().take(2).any(|byte| byte == b'%')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_written_so_that_people_know_them_again() {
        let cases = [
            ("cat.png", "cat.png", "cat.png"),
            ("photos/2026/cat.png", "photos/2026/cat.png", "photos%2F/2026%2F/cat.png"),
            ("ünï cat.png", "ünï cat.png", "ünï cat.png"),
            ("50%", "50%25", "50%25"),
            ("a#1", "a#1", "a%231"),
            ("/a", "%/a", "%2F/a"),
            ("a/", "a/%", "a%2F/%"),
            ("a//b", "a/%/b", "a%2F/%2F/b"),
            ("../b", "%2E%2E/b", "..%2F/b"),
            ("..", "%2E%2E", "%2E%2E"),
            ("a\n", "a%0A", "a%0A"),
            ("a\\b", "a%5Cb", "a%5Cb"),
        ];
        for (name, plain, file) in cases {
            assert_eq!(Naming::Plain.path(name).unwrap().as_ref(), plain);
            assert_eq!(Naming::File.path(name).unwrap().as_ref(), file);
        }
    }

    #[test]
    fn paths_that_no_blob_has_are_not_listed() {
        for path in ["a%2G", "%41", "%ff", "a%"] {
            assert_eq!(Naming::Plain.name(&Path::parse(path).unwrap()), None, "{path}");
        }
        for path in ["photos/cat.png", "a%", "%2f/a", "#"] {
            assert_eq!(Naming::File.name(&Path::parse(path).unwrap()), None, "{path}");
        }
    }

    proptest! {
        #[test]
        fn each_name_has_a_path_of_its_own(name in "[a-z/%.#\\\\ü\u{0}\u{7f}]{1,40}|[a%/]{190,600}") {
            for naming in [Naming::Plain, Naming::File] {
                let Ok(path) = naming.path(&name) else { continue };
                prop_assert_eq!(naming.name(&path), Some(name.clone()));
                let folder = naming.folder(&name);
                prop_assert!(folder == Path::ROOT || path.prefix_matches(&folder), "{} is not in {}", path, folder);
                if naming == Naming::File {
                    prop_assert!(path.as_ref().split('/').all(|part| part.len() <= 255 && part != ".."));
                }
            }
        }
    }
}
