//! The launcher: it starts a compiler for each module.

use std::{
    io,
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::{Child, Command, Stdio},
};

use super::passing;

/// Passes each module's socket to a compiler of its own, until there are no more.
pub(super) fn launch(compiler: impl Fn() -> io::Result<Command>) -> io::Result<()> {
    let mut ready = Ready::start(compiler()?)?;
    let mut at_work = Vec::<Child>::new();
    while let Some(module) = passing::receive(io::stdin())? {
        // If the compiler has ended meanwhile, the runtime sees it and asks again.
        drop(passing::send(&ready.stdin, &module));
        at_work.push(ready.process);
        at_work.retain_mut(|compiler| matches!(compiler.try_wait(), Ok(None)));
        ready = Ready::start(compiler()?)?;
    }
    Ok(())
}

/// A compiler that waits for its module.
struct Ready {
    process: Child,
    stdin: UnixStream,
}

impl Ready {
    fn start(mut compiler: Command) -> io::Result<Self> {
        let (stdin, theirs) = UnixStream::pair()?;
        // A line about memory that it does not get is no line of the server's log.
        let process = compiler.stdin(OwnedFd::from(theirs)).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        Ok(Self { process, stdin })
    }
}
