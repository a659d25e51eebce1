//! A compiler: a process that compiles one module.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    os::unix::net::UnixStream,
    panic,
};

use super::{
    super::{super::allocation, translate::precompile},
    bounds::Bounds,
    messages::{Answer, Job, causes},
    passing,
};

pub(super) fn compile_one(fence: impl FnOnce()) -> io::Result<()> {
    let Some(mut socket) = passing::receive(io::stdin())? else { return Ok(()) };
    // It has begun.
    socket.write_all(&[0])?;
    end_with_launcher()?;
    // Where memory is short, the system ends this process first. Not every system has this file.
    drop(fs::write("/proc/self/oom_score_adj", "1000"));
    fence();
    answer_panics(socket.try_clone()?);
    let job = Job::read(&mut socket)?;
    let mut wasm = Vec::new();
    socket.read_to_end(&mut wasm)?;
    Bounds::of(wasm.len()).enforce()?;
    answer(&job, &wasm).write(&mut socket)
}

fn answer(job: &Job, wasm: &[u8]) -> Answer {
    let engine = wasmtime::Engine::new(&allocation::compiling(job.flavour, job.is_unreserved));
    match engine.and_then(|engine| precompile(&engine, wasm)) {
        Ok(code) => Answer::Code(code),
        Err(error) => Answer::Refused(causes(&error)),
    }
}

/// A fault of the compiler is an answer, too.
fn answer_panics(socket: UnixStream) {
    panic::set_hook(Box::new(move |panic| {
        let refused = Answer::Refused(vec![format!("the compiler failed: {panic}")]);
        drop(refused.write(&mut &socket));
    }));
}

/// Ends this process when the launcher ends, which it does when the runtime's process has ended.
#[cfg(target_os = "linux")]
fn end_with_launcher() -> io::Result<()> {
    use rustix::process::{Signal, set_parent_process_death_signal};

    Ok(set_parent_process_death_signal(Some(Signal::KILL))?)
}

/// Elsewhere it ends when its time is over.
#[cfg(not(target_os = "linux"))]
fn end_with_launcher() -> io::Result<()> {
    Ok(())
}
