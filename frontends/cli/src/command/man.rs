//! `nebula man`.

use std::{fs, path::PathBuf};

use clap::Args;
use nebula_local::ExitCode;

use crate::failure::Failure;

const EXAMPLES: &str = "\
Examples:
  nebula man ~/.local/share/man/man1";

/// Writes the manual pages, one for each command, to a folder
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Man {
    /// The folder. It is made if it does not exist
    folder: PathBuf,
}

impl Man {
    /// Writes the pages of `nebula`, the whole command line.
    pub(crate) fn execute(self, nebula: clap::Command) -> Result<u8, Failure> {
        let written = fs::create_dir_all(&self.folder).and_then(|()| clap_mangen::generate_to(nebula, &self.folder));
        written.map_err(|source| Failure::Write { path: self.folder, source })?;
        Ok(ExitCode::OK)
    }
}
