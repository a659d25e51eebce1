//! Header fields that are lists (RFC 9110, section 5.6.1).

use http::{HeaderMap, HeaderName};

/// The members of a list. Values that are not ASCII are left out.
pub(super) fn members<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(name).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',').map(str::trim))
}

/// Whether a list has this member, in upper or lower case.
pub(super) fn has_member(headers: &HeaderMap, name: &HeaderName, member: &str) -> bool {
    members(headers, name).any(|found| found.eq_ignore_ascii_case(member))
}
