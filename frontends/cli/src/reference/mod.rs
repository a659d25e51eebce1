//! The pages of docs/reference that are made from the code, so that they cannot differ from it. `just reference` writes
//! them; a test fails where a page is not what the code makes.

mod command_line;
mod errors;

use std::{env, fs, path::Path};

/// Compares a page with what the code makes of it, or writes it where `NEBULA_UPDATE_REFERENCE` is set.
pub(crate) fn check(page: &str, made: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference").join(page);
    if env::var_os("NEBULA_UPDATE_REFERENCE").is_some() {
        fs::write(&path, made).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == made, "docs/reference/{page} differs from the code; `just reference` writes it again");
}

/// A row of a Markdown table.
pub(crate) fn row(cells: &[&str]) -> String {
    format!("| {} |\n", cells.join(" | ").replace('\n', " "))
}
