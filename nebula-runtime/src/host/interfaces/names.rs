//! Names of imports.

/// Whether an import is one of the interfaces whose names begin so.
pub(super) fn is_of(interfaces: &[&str], import: &str) -> bool {
    interfaces.iter().any(|interface| import.starts_with(interface))
}
