//! Compares paths segment by segment, and decoded (RFC 3986, section 6.2.2).

use std::{fmt, slice};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// The decoded segments of a path. A `%2F` is a part of a segment and does not separate segments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segments(Box<[Box<[u8]>]>);

impl Segments {
    /// The segments of a path that begins with a slash and does not end with one. `/` has no segments.
    pub(crate) fn of(path: &str) -> Self {
        let segments = path.split('/').skip(1).filter(|segment| !segment.is_empty());
        Self(segments.map(|segment| percent_decode_str(segment).collect()).collect())
    }

    /// The number of segments.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// The first segment.
    pub(crate) fn first(&self) -> Option<&[u8]> {
        self.0.first().map(AsRef::as_ref)
    }

    /// How many bytes of `path` these segments take, if the path begins with them.
    pub(crate) fn length_in(&self, path: &str) -> Option<usize> {
        let rest = behind(path, self.0.iter().map(AsRef::as_ref))?;
        Some(path.len() - rest.len())
    }
}

/// The rest of `path` after its first segment, with the slash, if that segment is `name`.
pub(crate) fn behind_first<'a>(path: &'a str, name: &str) -> Option<&'a str> {
    behind(path, slice::from_ref(&name.as_bytes()).iter().copied())
}

/// Whether `path` is an encoded form of `other`.
pub(crate) fn is_same(path: &str, other: &str) -> bool {
    percent_decode_str(path).eq(other.bytes())
}

/// A function and its export as one segment of a path. Characters with a meaning in a path, or in a template of a path,
/// are encoded.
pub(crate) fn segment(name: &str) -> impl fmt::Display {
    const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b':');

    utf8_percent_encode(name, ENCODED)
}

/// The rest of `path` after `segments`: empty, or beginning with a slash.
fn behind<'a, 'b>(path: &'a str, segments: impl Iterator<Item = &'b [u8]>) -> Option<&'a str> {
    let mut rest = path;
    for segment in segments {
        let inner = rest.strip_prefix('/')?;
        let (found, after) = inner.split_at_checked(inner.find('/').unwrap_or(inner.len()))?;
        if !percent_decode_str(found).eq(segment.iter().copied()) {
            return None;
        }
        rest = after;
    }
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_compare_decoded_and_one_by_one() {
        let cases = [
            ("/", "/", Some(0)),
            ("/", "/a", Some(0)),
            ("/shop", "/shop", Some(5)),
            ("/shop", "/shop/", Some(5)),
            ("/shop", "/shop/a/b", Some(5)),
            ("/shop", "/%73hop/a", Some(7)),
            ("/shop", "/shopping", None),
            ("/shop", "/", None),
            ("/shop", "shop", None),
            ("/shop/admin", "/shop/%61dmin/x", Some(13)),
            ("/café", "/caf%C3%A9/x", Some(10)),
            ("/caf%C3%A9", "/caf%c3%a9", Some(10)),
            ("/caf%c3%a9", "/café", Some(6)),
            ("/a%2Fb", "/a%2fb", Some(6)),
            ("/a%2Fb", "/a/b", None),
            ("/a/b", "/a%2Fb", None),
            ("/a%", "/a%25", Some(5)),
            ("/a%zz", "/a%zz", Some(5)),
        ];
        for (own, path, expected) in cases {
            assert_eq!(Segments::of(own).length_in(path), expected, "{own} {path}");
        }
    }
}
