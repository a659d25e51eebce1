//! A source of code that is slow, and may then fail.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use futures_util::{FutureExt as _, future::join_all};
use tokio::{sync::Semaphore, time::sleep};

use super::*;
use crate::engine::{CodeKey, Compiler, LoadedCode};

/// A compiler that begins when it is let, and fails as often as it is told to.
pub(super) struct Slow {
    compiler: Compiler,
    pub(super) may_begin: Semaphore,
    loads: AtomicUsize,
    pub(super) failures: AtomicUsize,
}

impl Slow {
    pub(super) fn new(failures: usize) -> Arc<Self> {
        let (may_begin, failures) = (Semaphore::new(0), AtomicUsize::new(failures));
        Arc::new(Self { compiler: Compiler::new(None, None), may_begin, loads: AtomicUsize::new(0), failures })
    }

    pub(super) fn loads(&self) -> usize {
        self.loads.load(SeqCst)
    }
}

#[async_trait]
impl CodeSource for Slow {
    async fn load(
        &self,
        engines: Arc<Engines>,
        key: CodeKey,
        wasm: BoxFuture<'static, Result<Bytes, InvokeError>>,
    ) -> Result<LoadedCode, InvokeError> {
        self.loads.fetch_add(1, SeqCst);
        self.may_begin.acquire().await.unwrap().forget();
        if self.failures.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok() {
            return Err(InvokeError::new(ErrorKind::Internal, "the code cannot be loaded"));
        }
        self.compiler.load(engines, key, wasm).await
    }
}

/// A runtime with the function `f`, whose code comes from `slow` and is not in memory.
async fn runtime_of(slow: &Arc<Slow>) -> Runtime {
    let store = Store::memory();
    publish(&runtime(&store), "f", 7).await;
    RuntimeBuilder::new(store, Arc::clone(slow) as Arc<dyn CodeSource>).concurrency(2).build().unwrap()
}

/// A caller that leaves once the load that it waits for has begun.
async fn call_and_leave(runtime: &Runtime) {
    let mut call = std::pin::pin!(call(runtime, "f"));
    for _ in 0..50 {
        assert_eq!(call.as_mut().now_or_never(), None);
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_load_goes_on_when_every_caller_has_left_and_puts_the_module_into_memory_itself() {
    let slow = Slow::new(0);
    let runtime = runtime_of(&slow).await;
    call_and_leave(&runtime).await;
    call_and_leave(&runtime).await;
    slow.may_begin.add_permits(1);
    let deployment = runtime.deployments.get(&name("f").into(), Instant::now()).await.unwrap();
    let loaded = async {
        while runtime.code.loader.loaded(&deployment.code).is_none() {
            // Virtual time does not pass while a thread compiles.
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_mins(1), loaded).await.unwrap();
    assert_eq!(call(&runtime, "f").await.unwrap(), "7");
    assert_eq!(call(&runtime, "f").await.unwrap(), "7");
    assert_eq!(slow.loads(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_load_that_fails_when_every_caller_has_left_is_forgotten() {
    let slow = Slow::new(1);
    let runtime = runtime_of(&slow).await;
    call_and_leave(&runtime).await;
    slow.may_begin.add_permits(2);
    pass(Duration::ZERO).await;
    assert_eq!(call(&runtime, "f").await.unwrap(), "7", "the next caller is not told the old failure");
    assert_eq!(slow.loads(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_told_to_all_callers_that_wait_and_the_next_caller_tries_again() {
    let slow = Slow::new(1);
    let runtime = runtime_of(&slow).await;
    let callers = join_all([call(&runtime, "f"), call(&runtime, "f")]);
    let (seen, ()) = tokio::join!(callers, async {
        pass(Duration::from_secs(1)).await;
        slow.may_begin.add_permits(2);
    });
    assert_eq!(seen, [Err(ErrorKind::Internal), Err(ErrorKind::Internal)]);
    assert_eq!(call(&runtime, "f").await.unwrap(), "7");
    assert_eq!(slow.loads(), 2);
}

#[tokio::test(start_paused = true)]
async fn loading_counts_into_the_deadline_and_goes_on_after_it() {
    let slow = Slow::new(0);
    let runtime = runtime_of(&slow).await;
    let mut invocation = Invocation::new(name("f"), Event::default());
    invocation.deadline = Some(Instant::now() + Duration::from_secs(1));
    assert_eq!(runtime.invoke(invocation).await.unwrap_err().kind(), ErrorKind::Timeout);
    slow.may_begin.add_permits(1);
    assert_eq!(call(&runtime, "f").await.unwrap(), "7");
    assert_eq!(slow.loads(), 1);
}

/// An embedder's Tokio runtime may end while a task of it loads a module, and another one go on with the same [`Runtime`].
#[test]
fn a_module_is_loaded_anew_after_the_tokio_runtime_that_loaded_it_has_ended() {
    let tokio = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (slow, first) = (Slow::new(0), tokio());
    let runtime = first.block_on(async {
        let runtime = runtime_of(&slow).await;
        call_and_leave(&runtime).await;
        runtime
    });
    drop(first);
    slow.may_begin.add_permits(1);
    assert_eq!(tokio().block_on(call(&runtime, "f")).unwrap(), "7");
    assert_eq!(slow.loads(), 2);
}
