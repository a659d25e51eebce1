//! `nebula completions`.

use clap::Args;
use clap_complete::{Shell, generate};
use nebula_local::ExitCode;

use crate::{failure::Failure, print};

const EXAMPLES: &str = "\
Examples:
  nebula completions bash > ~/.local/share/bash-completion/completions/nebula
  nebula completions zsh > ~/.zfunc/_nebula       a folder in zsh's fpath
  nebula completions fish > ~/.config/fish/completions/nebula.fish";

/// Prints a script that completes nebula's commands and options in a shell
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Completions {
    /// The shell that reads the script
    shell: Shell,
}

impl Completions {
    /// Prints the script for `nebula`, the whole command line.
    pub(crate) fn execute(self, mut nebula: clap::Command) -> Result<u8, Failure> {
        let mut script = Vec::new();
        generate(self.shell, &mut nebula, "nebula", &mut script);
        print::result(&String::from_utf8_lossy(&script))?;
        Ok(ExitCode::OK)
    }
}
