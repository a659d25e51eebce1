//! The `nebula` command: runs WebAssembly functions behind an HTTP server and in a shell pipe.
//!
//! The program is [`main`]. All of it is in this library, so that fuzz targets reach what it reads: `nebula.toml`, and
//! the documents of registries (the feature `test-kit`).

mod admin;
mod bootstrap;
mod build;
mod cgroup;
mod cli;
mod client;
mod command;
mod compiler;
mod config;
mod counter;
mod data;
mod elf;
mod failure;
mod fetch;
mod first_process;
mod global;
mod guest_lines;
mod input;
mod listening;
mod log;
mod new_file;
mod oci;
mod places;
mod print;
mod program;
mod progress;
mod publish;
#[cfg(test)]
mod reference;
mod releases;
mod report_log;
mod sandbox;
mod services;
mod signatures;
mod source;
mod start;
mod systemd;
mod target;
mod telemetry;
mod template;
#[cfg(feature = "test-kit")]
pub mod test_kit;
mod trust;
mod values;
mod versions;
mod watch;

use std::process::ExitCode;

use clap::Parser as _;
use cli::{Cli, Command};
use failure::Failure;
use nebula_runtime::{stderr::FlushAtExit, turn_off_core_dumps};

/// Runs the command that the arguments of the process name, and returns the exit code.
pub fn main() -> ExitCode {
    turn_off_core_dumps();
    if let Some(compiled) = compiler::run() {
        return if compiled.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let mut cli = Cli::parse();
    let _flush = flush_at_exit(&cli.command);
    let code = cli.command.take_passed().and_then(|()| run(cli)).unwrap_or_else(|failure| {
        print::error(&failure);
        failure.exit_code()
    });
    ExitCode::from(code)
}

fn run(mut cli: Cli) -> Result<u8, Failure> {
    let (telemetry, warnings) = telemetry::open(cli.command.is_server())?;
    log::start(&cli.global.log, telemetry.as_ref(), &cli.global.guest_lines)?;
    warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    cli.global.telemetry.clone_from(&telemetry);
    start::take_panics(cli.command.is_server());
    // Before the threads of Tokio start: a thread takes over what its parent may do.
    if let Command::Serve(serve) = &mut cli.command {
        serve.start_compiler();
        serve.enter_sandbox(&cli.global)?;
    }
    let runtime = start::tokio();
    let code = runtime.block_on(async {
        let code = cli.command.execute(&cli.global).await;
        telemetry::flush(telemetry).await;
        code
    });
    // A thread that is still blocked, by a compilation that no call waits for, ends with the process.
    runtime.shutdown_background();
    code
}

fn flush_at_exit(command: &Command) -> FlushAtExit {
    match command {
        // The stderr of their guests is output. The summary is written after it.
        Command::Run(_) | Command::Profile(_) => FlushAtExit::waiting_for_reader(),
        _ => FlushAtExit::with_timeout(),
    }
}
