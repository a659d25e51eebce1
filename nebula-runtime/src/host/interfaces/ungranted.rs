//! Imports of services that a configuration does not grant.

use super::{blobstore, keyvalue, names::is_of};
use crate::function::FunctionConfig;

/// An import of a service that a function's configuration does not grant.
pub(crate) struct Ungranted {
    /// The name of the import.
    pub(crate) import: String,
    /// A line of the function's table in `nebula.toml` that would grant it.
    pub(crate) line: &'static str,
}

impl Ungranted {
    /// The first of these imports that `config` does not grant. Settings and lines for the log need no grant, and files,
    /// environment and network are refused when they are used: most components import them and use none of them.
    pub(crate) fn first(imports: &[String], config: &FunctionConfig) -> Option<Self> {
        let services = [
            (keyvalue::INTERFACES, config.keyvalue.is_empty(), "keyvalue = { default = \"state\" }"),
            (blobstore::INTERFACES, config.blobs.is_empty(), "blobs = { pictures = \"pictures\" }"),
        ];
        let missing = |(interfaces, is_ungranted, line): (&[&str], bool, _)| {
            let import = imports.iter().find(|import| is_ungranted && is_of(interfaces, import))?;
            Some(Self { import: import.clone(), line })
        };
        services.into_iter().find_map(missing)
    }
}
