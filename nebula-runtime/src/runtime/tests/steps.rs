//! What layers and observers see of a call.

use std::sync::Mutex;

use bytesize::ByteSize;
use futures_util::future::join_all;
use tokio::time::sleep;

use super::*;
use crate::{
    call::{Invoker, Outcome, Report, Response},
    function::Kind,
    layers::Observer,
    runtime::resolve::WAITING,
    store::faulty::{Fault::Hangs, Faulty},
};

/// What happened, in its order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn add(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Observer for Log {
    fn started(&self, invocation: &Invocation) {
        self.add(format!("start of {}, resolved: {}", invocation.function, invocation.resolved().is_some()));
    }

    fn ended(&self, report: &Report) {
        let outcome = report.outcome.map(Outcome::as_str);
        self.add(format!("end of {}, version {:?}: {outcome:?}", report.function, report.version));
    }
}

/// A layer that notes which version an invocation is resolved to.
struct Noting(&'static str, Log, Arc<dyn Invoker>);

#[async_trait]
impl Invoker for Noting {
    async fn invoke(&self, invocation: Invocation) -> Result<Response, InvokeError> {
        let resolved = invocation.resolved().unwrap();
        assert_eq!((resolved.kind, resolved.digest), (Kind::Core, digest(answer(7))));
        self.1.add(format!("{}: {} version {}", self.0, resolved.name, resolved.version));
        self.2.invoke(invocation).await
    }
}

fn digest(module: Bytes) -> Digest {
    Digest::of(&wat::parse_bytes(&module).unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_call_is_observed_then_resolved_and_then_passes_the_layers_in_their_order() {
    let log = Log::default();
    let layer = |name| {
        let log = log.clone();
        move |inner| -> Arc<dyn Invoker> { Arc::new(Noting(name, log, inner)) }
    };
    let runtime = Runtime::builder(Store::memory()).concurrency(2).layer(layer("outer")).layer(layer("inner"));
    let runtime = runtime.observer(Arc::new(log.clone())).build().unwrap();
    publish(&runtime, "f", 7).await;
    assert_eq!(call(&runtime, "f@1").await.unwrap(), "7");
    let expected = [
        "start of f@1, resolved: false",
        "outer: f version 1",
        "inner: f version 1",
        "end of f@1, version Some(1): Some(\"ok\")",
    ];
    assert_eq!(log.take(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_function_that_is_not_found_or_not_let_in_has_its_report_too() {
    let log = Log::default();
    let runtime = Runtime::builder(Store::memory()).concurrency(2).admission(0);
    let runtime = runtime.observer(Arc::new(log.clone())).build().unwrap();
    publish(&runtime, "f", 7).await;
    for (function, kind) in [("g", ErrorKind::NotFound), ("f", ErrorKind::Overloaded)] {
        assert_eq!(call(&runtime, function).await, Err(kind));
    }
    let expected = [
        "start of g, resolved: false",
        "end of g, version None: Some(\"not_found\")",
        "start of f, resolved: false",
        "end of f, version Some(1): Some(\"overloaded\")",
    ];
    assert_eq!(log.take(), expected);
}

/// A layer that holds each invocation for a second.
struct Slow(Arc<dyn Invoker>);

#[async_trait]
impl Invoker for Slow {
    async fn invoke(&self, invocation: Invocation) -> Result<Response, InvokeError> {
        sleep(Duration::from_secs(1)).await;
        self.0.invoke(invocation).await
    }
}

#[tokio::test(start_paused = true)]
async fn guests_that_would_have_more_memory_than_all_may_have_wait_and_are_refused() {
    let memory = ByteSize::mib(64);
    let runtime = Runtime::builder(Store::memory()).concurrency(8).guest_memory(ByteSize::mib(150));
    let runtime = runtime.layer(|inner| Arc::new(Slow(inner))).build().unwrap();
    let mut config = FunctionConfig::default();
    config.limits.memory = Some(memory);
    runtime.publish(&name("half"), answer(7)).config(config.clone()).await.unwrap();
    config.limits.memory = Some(memory * 4_u64);
    runtime.publish(&name("all"), answer(8)).config(config).await.unwrap();
    let refused = || Err(ErrorKind::Overloaded);
    let halves = join_all([(); 3].map(|()| call(&runtime, "half"))).await;
    assert_eq!(halves, [Ok("7".into()), Ok("7".into()), refused()]);
    // More memory than all may have together is a limit, and not a reason to refuse the function for ever.
    assert_eq!(join_all([call(&runtime, "all"), call(&runtime, "half")]).await, [Ok("8".into()), refused()]);
    let later = async {
        sleep(Duration::from_millis(600)).await;
        call(&runtime, "all").await
    };
    assert_eq!(tokio::join!(call(&runtime, "half"), later), (Ok("7".into()), Ok("8".into())));
}

#[tokio::test(start_paused = true)]
async fn a_number_of_calls_wait_for_the_store_and_more_are_refused_at_once() {
    let (faulty, store) = Faulty::store().await;
    let runtime = runtime(&store);
    publish(&runtime, "known", 7).await;
    faulty.set(Hangs);
    let names: Vec<_> = (0..WAITING).map(|number| format!("f{number}")).collect();
    let waiting = join_all(names.iter().map(|name| call(&runtime, name)));
    let late = async {
        pass(Duration::from_millis(100)).await;
        assert_eq!(call(&runtime, "known").await.unwrap(), "7");
        let began = Instant::now();
        assert_eq!(call(&runtime, "unknown").await, Err(ErrorKind::Overloaded));
        assert_eq!(began.elapsed(), Duration::ZERO);
    };
    let (seen, ()) = tokio::join!(waiting, late);
    assert!(seen.iter().all(|seen| *seen == Err(ErrorKind::Unavailable)));
}

#[tokio::test(start_paused = true)]
async fn a_call_in_one_line_gives_the_answer_or_says_what_is_wrong() {
    let runtime = runtime(&Store::memory());
    publish(&runtime, "f", 7).await;
    assert_eq!(runtime.call("f", Event::default()).await.unwrap(), "7");
    for (function, kind) in [("F!", ErrorKind::InvalidInput), ("g", ErrorKind::NotFound)] {
        assert_eq!(runtime.call(function, Event::default()).await.unwrap_err().kind(), kind);
    }
}
