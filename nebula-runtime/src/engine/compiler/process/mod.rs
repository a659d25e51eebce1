//! Compiles modules in processes of their own, which have limits.
//!
//! A small module can be made so that compiling it takes all memory of a machine, or hours. So a server leaves compiling to
//! other processes. They are started by a process that was itself started first, because a server in a sandbox starts
//! no programs:
//!
//! ```text
//! server --control socket--> launcher --its stdin--> compiler, one for each module
//!    └───────── the module and its code: a socket for each module ────────┘
//! ```

mod bounds;
mod launcher;
mod messages;
mod passing;
#[cfg(test)]
mod tests;
mod worker;

use std::{
    io::{self, Read as _, Write as _},
    net::Shutdown,
    os::{
        fd::OwnedFd,
        unix::{net::UnixStream, process::CommandExt as _},
    },
    process::{Child, Command, Stdio},
    sync::Arc,
};

use bounds::Bounds;
use messages::{Answer, Job};

use super::{super::Engine, no_answer::NoAnswer};

/// Compiles modules for a runtime in processes of their own, so that a hostile module cannot take the memory or the time of
/// the runtime's process.
///
/// One process is started for each module. It has at most 2 GiB of memory and 30 s of processor time, and 64 bytes and
/// 10 µs more for each byte of the module: about ten times as much as usual modules need. A module that needs more is
/// refused.
///
/// The program of these processes has two roles, each with a command line of its own:
/// 1. The launcher, which [`CompilerProcess::start`] starts, calls [`CompilerProcess::launch`]. It ends when the runtime's
///    process ends.
/// 2. A compiler, which the launcher starts, calls [`CompilerProcess::compile`].
///
/// The program has to be of the same build as the runtime's process: Wasmtime refuses code of another version.
#[derive(Debug, Clone)]
pub struct CompilerProcess(Arc<Launched>);

#[derive(Debug)]
struct Launched {
    control: UnixStream,
    /// It ends when the control socket is closed. It is not waited for.
    #[cfg_attr(not(test), expect(dead_code, reason = "a child that is kept is not waited for"))]
    launcher: Child,
}

impl CompilerProcess {
    /// Starts the launcher, in a process group of its own: a signal of a terminal does not reach it.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn start(mut launcher: Command) -> io::Result<Self> {
        let (control, theirs) = UnixStream::pair()?;
        let launcher = launcher.stdin(OwnedFd::from(theirs)).stdout(Stdio::null()).process_group(0).spawn()?;
        Ok(Self(Arc::new(Launched { control, launcher })))
    }

    /// Starts a compiler for each module, until the runtime's process has ended. `compiler` is its command line. One compiler
    /// is always started in advance.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn launch(compiler: impl Fn() -> io::Result<Command>) -> io::Result<()> {
        launcher::launch(compiler)
    }

    /// Compiles one module, if there is one to compile. `fence` takes rights away from the process before it reads the
    /// module: it needs no files and no network.
    ///
    /// # Errors
    /// The module cannot be read, or its code cannot be written.
    pub fn compile(fence: impl FnOnce()) -> io::Result<()> {
        worker::compile_one(fence)
    }

    /// Compiles a module for an engine. Blocks until it is compiled.
    pub(super) fn compiled(&self, engine: &Engine, wasm: &[u8]) -> wasmtime::Result<Vec<u8>> {
        let job = Job { flavour: engine.flavour, is_unreserved: engine.is_unreserved() };
        match self.answer(&job, wasm).map_err(NoAnswer::Unreachable)? {
            Some(Answer::Code(code)) => Ok(code),
            Some(Answer::Refused(causes)) => Err(messages::error(causes)),
            None => Err(NoAnswer::Stopped(Bounds::of(wasm.len()).to_string()).into()),
        }
    }

    /// A compiler's answer, or `None` if it ended without one.
    fn answer(&self, job: &Job, wasm: &[u8]) -> io::Result<Option<Answer>> {
        let mut compiler = self.compiler()?;
        // A compiler that has ended reads nothing: the answer is then missing.
        let sent = job.write(&mut compiler).and_then(|()| compiler.write_all(wasm));
        drop(sent.and_then(|()| compiler.shutdown(Shutdown::Write)));
        Ok(Answer::read(&mut compiler).ok())
    }

    /// A compiler that has begun. Where memory is short, the system may have ended the one that waited: the next one is
    /// asked then.
    fn compiler(&self) -> io::Result<UnixStream> {
        const TRIES: usize = 3;

        let mut begun = Err(io::ErrorKind::UnexpectedEof.into());
        for _ in 0..TRIES {
            let (mut ours, theirs) = UnixStream::pair()?;
            passing::send(&self.0.control, &theirs)?;
            drop(theirs);
            begun = ours.read_exact(&mut [0]).map(|()| ours);
            if begun.is_ok() {
                break;
            }
        }
        begun
    }
}
