//! The command line: the subcommands, and the options that all of them take.

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::{
    command::{
        completions::Completions, inspect::Inspect, list::List, man::Man, new::New, package::Package, publish::Publish,
        run::Run, serve::Serve,
    },
    failure::Failure,
    first_process::EndsAtSignals,
    global::Global,
};

const EXAMPLES: &str = "\
Examples:
  nebula new treats --language rust --kind core
                                        begin a project
  nebula run treats.wat 10              call a function in a file
  nebula publish treats treats.wat      keep it under a name
  nebula serve                          http://127.0.0.1:8080/api/treats/10 is 10
  seq 1000 | nebula run treats          a thousand events, a thousand results
  nebula package lambda treats -o app.zip
                                        the same function on AWS Lambda

Exit codes:
    0  done                             75  busy; later it may work
    1  the function's own error         78  configuration
    2  usage                           124  time-out
   65  bad input, bad module           134  trap
   66  not found                       137  memory, stack or output limit
   69  store or address out of reach    70  internal
   74  input or output failed
  A command that exits with another code than 0 gives that code. A container's
  first process that a signal ends gives 128 and the signal's number.";

/// Runs WebAssembly functions: behind an HTTP server and in a shell's pipe.
#[derive(Debug, Parser)]
#[command(name = "nebula", version, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) global: Global,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    New(New),
    Serve(Serve),
    Run(Box<Run>),
    Publish(Publish),
    List(List),
    Inspect(Inspect),
    Package(Package),
    Completions(Completions),
    /// For those who package Nebula, and so not in the list of commands
    #[command(hide = true)]
    Man(Man),
}

impl Command {
    /// Runs the command, and returns the exit code.
    pub(crate) async fn execute(self, global: &Global) -> Result<u8, Failure> {
        let ends = EndsAtSignals::start().map_err(Failure::Signals)?;
        match self {
            Self::New(new) => new.execute(),
            Self::Serve(serve) => serve.execute(global, ends).await,
            Self::Run(run) => run.execute(global).await,
            Self::Publish(publish) => publish.execute(global).await,
            Self::List(list) => list.execute(global).await,
            Self::Inspect(inspect) => inspect.execute(global).await,
            Self::Package(package) => package.execute(global).await,
            Self::Completions(completions) => completions.execute(Cli::command()),
            Self::Man(man) => man.execute(Cli::command()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_shows_examples() {
        for command in Cli::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Examples:\n  "), "{}", command.get_name());
        }
    }
}
