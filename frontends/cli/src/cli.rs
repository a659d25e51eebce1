//! The command line: the subcommands, and the options that all of them take.

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::{
    command::{
        alias::Alias, blobs::Blobs, completions::Completions, diff::Diff, gc::Gc, history::History, inspect::Inspect,
        keygen::Keygen, kv::Kv, list::List, man::Man, new::New, package::Package, precompile::Precompile,
        profile::ProfileCommand, publish::Publish, push::Push, rm::Rm, rollback::Rollback, run::Run, serve::Serve,
        sign::Sign, start::Start, token::Token, top::Top, verify::Verify,
    },
    failure::Failure,
    first_process::EndsAtSignals,
    global::Global,
};

const EXAMPLES: &str = "\
Examples:
  nebula new treats --language rust --kind core
                                        start a project
  nebula run treats.wat 10              call a function in a file
  nebula profile treats.wat 10          show where a function spends its time
  nebula publish treats treats.wat      publish it under a name
  nebula serve                          serve it: curl localhost:8080/api/treats/10
  seq 1000 | nebula run treats          call it for each line of stdin
  nebula top                            show what the server does
  nebula alias treats prod 1            let treats@prod mean version 1
  nebula rollback treats prod           take the last move of prod back
  nebula push treats oci://ghcr.io/team/treats:1.0
                                        push it to a registry
  nebula package lambda treats -o app.zip
                                        package it for AWS Lambda
  nebula verify                         hash everything in the store again
  nebula gc                             show what nothing needs any more
  nebula list --server https://functions.example.com
                                        list the functions of a server

Exit codes:
    0  success                          74  input or output failed
    1  error of a typed function        75  busy: try again later
    2  wrong command line               77  not signed, or not allowed
   65  wrong input or module            78  wrong configuration
   66  not found                       124  time-out
   69  store or address unreachable    134  the function trapped
   70  error in Nebula                 137  memory, stack or output limit
  If a function exits with a code other than 0, nebula run exits with that code.
  If a signal ends the first process of a container, the code is 128 plus the
  number of the signal.";

/// Runs WebAssembly functions behind an HTTP server, in a shell pipe and on AWS Lambda
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
    Serve(Box<Serve>),
    Run(Box<Run>),
    Profile(Box<ProfileCommand>),
    Top(Top),
    Publish(Publish),
    List(List),
    Inspect(Inspect),
    Alias(Alias),
    Rollback(Rollback),
    History(History),
    Diff(Diff),
    Rm(Rm),
    Push(Push),
    Keygen(Keygen),
    Sign(Sign),
    Verify(Verify),
    Package(Package),
    Precompile(Precompile),
    Gc(Gc),
    Kv(Kv),
    Blobs(Blobs),
    Token(Token),
    // For packages, which start with it.
    #[command(hide = true)]
    Start(Start),
    Completions(Completions),
    // For people who package Nebula, so it is not in the list of commands.
    #[command(hide = true)]
    Man(Man),
}

impl Command {
    /// Whether it serves until it is stopped.
    pub(crate) fn is_server(&self) -> bool {
        matches!(self, Self::Serve(_) | Self::Start(_))
    }

    /// Takes what the process was started with besides its arguments. Called before the process has threads.
    ///
    /// # Errors
    /// If the command cannot use that.
    pub(crate) fn take_passed(&mut self) -> Result<(), Failure> {
        match self {
            Self::Serve(serve) => serve.take_passed(),
            _ => Ok(()),
        }
    }

    /// Runs the command, and returns the exit code.
    pub(crate) async fn execute(self, global: &Global) -> Result<u8, Failure> {
        let ends = EndsAtSignals::start().map_err(Failure::Signals)?;
        match self {
            Self::New(new) => new.execute(),
            Self::Serve(serve) => serve.execute(global, ends).await,
            Self::Run(run) => run.execute(global).await,
            Self::Profile(profile) => profile.execute(global).await,
            Self::Top(top) => top.execute().await,
            Self::Publish(publish) => publish.execute(global).await,
            Self::List(list) => list.execute(global).await,
            Self::Inspect(inspect) => inspect.execute(global).await,
            Self::Alias(alias) => alias.execute(global).await,
            Self::Rollback(rollback) => rollback.execute(global).await,
            Self::History(history) => history.execute(global).await,
            Self::Diff(diff) => diff.execute(global).await,
            Self::Rm(rm) => rm.execute(global).await,
            Self::Push(push) => push.execute(global).await,
            Self::Keygen(keygen) => keygen.execute(),
            Self::Sign(sign) => sign.execute(global).await,
            Self::Verify(verify) => verify.execute(global).await,
            Self::Package(package) => package.execute(global).await,
            Self::Precompile(precompile) => precompile.execute(global).await,
            Self::Gc(gc) => gc.execute(global).await,
            Self::Kv(kv) => kv.execute(global).await,
            Self::Blobs(blobs) => blobs.execute(global).await,
            Self::Token(token) => token.execute(),
            Self::Start(start) => start.execute(global, ends).await,
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
