//! The launcher and the compilers are this test program, which is told to run only the test that does their work.

use std::{
    env, fs,
    sync::Arc,
    time::{Duration, Instant},
};

use bytesize::ByteSize;
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, setrlimit};

use super::*;
use crate::{
    call::Event,
    engine::{Engines, Flavour},
    runtime::Runtime,
    store::Store,
};

const DOUBLE: &str =
    "(module (func (export \"double\") (param i32) (result i32) (i32.shl (local.get 0) (i32.const 1))))";

/// The command line that runs only one test.
fn only(test: &str) -> io::Result<Command> {
    let mut command = Command::new(env::current_exe()?);
    command.args(["--exact", "--ignored", &format!("engine::compiler::process::tests::{test}")]);
    Ok(command)
}

fn start() -> CompilerProcess {
    CompilerProcess::start(only("launcher").unwrap()).unwrap()
}

#[test]
#[ignore = "a process of the other tests"]
fn launcher() {
    CompilerProcess::launch(|| only("compiler")).unwrap();
}

#[test]
#[ignore = "a process of the other tests"]
fn compiler() {
    let a_second = Rlimit { current: Some(1), maximum: Some(1) };
    CompilerProcess::compile(|| setrlimit(Resource::Cpu, a_second).unwrap()).unwrap();
}

/// A small module that takes a compiler long: many values live through many branches.
fn slow_to_compile() -> Vec<u8> {
    const MANY: usize = 4_000;

    let each = |text: &dyn Fn(usize) -> String| (0..MANY).map(text).collect::<String>();
    let loads = each(&|index| format!("(local.set {} (i64.load offset={} (local.get 0)))", index + 1, index * 8));
    let stores = each(&|index| format!("(i64.store offset={} (local.get 0) (local.get {}))", index * 8, index + 1));
    let branch = "(if (i32.load (local.get 0)) (then (i32.store (local.get 0) (i32.const 1))))".repeat(MANY);
    let locals = " i64".repeat(MANY);
    let text = format!("(module (memory 1) (func (param i32) (local{locals}) {loads}{branch}{stores}))");
    wat::parse_str(text).unwrap()
}

#[tokio::test]
async fn functions_run_and_are_refused_as_if_this_process_compiled_them() {
    let compiled = async |process| {
        let runtime = Runtime::builder(Store::memory()).compiler_process(process).build().unwrap();
        let name = "double".parse().unwrap();
        runtime.publish(&name, DOUBLE).await.unwrap();
        let refused = runtime.publish(&name, "(module (func (result i32)))").await.unwrap_err();
        (runtime.call("double", Event::json("21")).await.unwrap(), refused.to_string(), format!("{refused:?}"))
    };
    let (here, elsewhere) = (compiled(None).await, compiled(Some(start())).await);
    assert_eq!(here, elsewhere);
    assert_eq!(here.0, "42");
}

#[test]
fn a_module_that_takes_too_much_is_refused_and_the_next_one_is_compiled() {
    let (process, engines) = (start(), Engines::new(1, ByteSize::mib(1)));
    let engine = engines.engine(Flavour::Plain).unwrap();
    let refused = process.compiled(&engine, &slow_to_compile()).unwrap_err();
    let detail = "compiling the module was stopped: it takes more than 2.0 GiB of memory, or more than 31s of a \
                  processor's time";
    assert_eq!(refused.to_string(), detail);
    process.compiled(&engine, &wat::parse_str(DOUBLE).unwrap()).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn a_compiler_that_the_system_has_ended_is_replaced() {
    let (process, engines) = (start(), Arc::new(Engines::new(1, ByteSize::mib(1))));
    let engine = engines.engine(Flavour::Plain).unwrap();
    let launcher = process.0.launcher.id();
    let ready = || {
        let threads = fs::read_dir(format!("/proc/{launcher}/task")).unwrap();
        let children = |thread: io::Result<fs::DirEntry>| fs::read_to_string(thread.unwrap().path().join("children"));
        let children: String = threads.filter_map(|thread| children(thread).ok()).collect();
        children.split_whitespace().next().and_then(|pid| Pid::from_raw(pid.parse().unwrap()))
    };
    let until = Instant::now() + Duration::from_secs(60);
    let ready = loop {
        match ready() {
            Some(ready) => break ready,
            None => assert!(Instant::now() < until, "no compiler was started"),
        }
    };
    kill_process(ready, Signal::KILL).unwrap();
    process.compiled(&engine, &wat::parse_str(DOUBLE).unwrap()).unwrap();
}

#[test]
fn without_a_launcher_the_error_says_what_to_do() {
    let (mut process, engines) = (start(), Engines::new(1, ByteSize::mib(1)));
    let launched = Arc::get_mut(&mut process.0).unwrap();
    launched.launcher.kill().unwrap();
    launched.launcher.wait().unwrap();
    let engine = engines.engine(Flavour::Plain).unwrap();
    let error = process.compiled(&engine, &wat::parse_str(DOUBLE).unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "the process that compiles modules does not answer: start the server again");
}
