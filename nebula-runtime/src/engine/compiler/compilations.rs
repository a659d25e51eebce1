//! Limits how many modules are compiled at once.

use std::{num::NonZeroUsize, sync::Arc, thread::available_parallelism};

use tokio::{
    sync::Semaphore,
    task::{JoinError, spawn_blocking},
};

/// A limited number of compilations at once. Each of them keeps a core busy, and takes memory in proportion to its
/// module. With more of them, none would end sooner, and guests would wait longer for a core.
#[derive(Clone)]
pub(super) struct Compilations(Arc<Semaphore>);

impl Compilations {
    pub(super) fn one_for_each_core() -> Self {
        Self::at_once(available_parallelism().map_or(1, NonZeroUsize::get))
    }

    fn at_once(count: usize) -> Self {
        Self(Arc::new(Semaphore::new(count)))
    }

    /// Waits for a place, and then runs a compilation on a blocking thread. The compilation goes on, and keeps its
    /// place, when the caller stops waiting for it.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        compile: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, JoinError> {
        // The semaphore is never closed.
        let place = Arc::clone(&self.0).acquire_owned().await;
        let compiling = spawn_blocking(move || {
            let _place = place;
            compile()
        });
        compiling.await
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::ready,
        sync::{
            atomic::{AtomicUsize, Ordering::SeqCst},
            mpsc,
        },
        time::Duration,
    };

    use bytes::Bytes;
    use futures_util::{FutureExt as _, future::join_all};
    use tokio::time::timeout;

    use super::*;
    use crate::{
        engine::{CodeKey, CodeSource as _, Compiler, Engines},
        function::{Digest, FunctionConfig},
    };
    use bytesize::ByteSize;

    #[tokio::test(start_paused = true)]
    async fn a_compilation_waits_for_a_place_and_cached_code_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let compiler = Compiler::new(Some(folder.path().to_owned().into()), None);
        let engines = Arc::new(Engines::new(1, ByteSize::mib(1)));
        let load = async |text: &str| {
            let wasm = Bytes::from(wat::parse_str(text).unwrap());
            let key = CodeKey::of(Digest::of(&wasm), &FunctionConfig::default());
            let load = compiler.load(Arc::clone(&engines), key, ready(Ok(wasm)).boxed());
            // Time is virtual: it stands still while a thread compiles.
            timeout(Duration::from_mins(1), load).await
        };
        assert!(load("(module)").await.unwrap().is_ok());
        let places = u32::try_from(compiler.compilations.0.available_permits()).unwrap();
        let all = compiler.compilations.0.acquire_many(places).await.unwrap();
        assert!(load("(module)").await.unwrap().is_ok());
        assert!(load("(module (memory 1))").await.is_err(), "compiled without a place");
        drop(all);
        assert!(load("(module (memory 1))").await.unwrap().is_ok());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_more_compilations_run_at_once_than_there_are_places() {
        const COMPILATIONS: usize = 12;
        const AT_ONCE: usize = 2;

        let compilations = Compilations::at_once(AT_ONCE);
        let running = Arc::new(AtomicUsize::new(0));
        let (begun, has_begun) = mpsc::channel();
        let (finish, may_finish) = mpsc::channel();
        let may_finish = Arc::new(std::sync::Mutex::new(may_finish));
        let compile = |number| {
            let (running, begun, may_finish) = (Arc::clone(&running), begun.clone(), Arc::clone(&may_finish));
            let compile = move || {
                begun.send(running.fetch_add(1, SeqCst) + 1).unwrap();
                may_finish.lock().unwrap().recv().unwrap();
                running.fetch_sub(1, SeqCst);
                number
            };
            let compilations = compilations.clone();
            tokio::spawn(async move { compilations.run(compile).await.unwrap() })
        };
        let all: Vec<_> = (0..COMPILATIONS).map(compile).collect();
        let mut most = 0;
        for _ in 0..COMPILATIONS {
            most = most.max(has_begun.recv().unwrap());
            finish.send(()).unwrap();
        }
        let all: Vec<usize> = join_all(all).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(all, (0..COMPILATIONS).collect::<Vec<_>>());
        assert!(most <= AT_ONCE, "{most} at once");
    }
}
