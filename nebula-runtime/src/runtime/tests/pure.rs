//! What callers see of functions whose results are kept.

use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use bytesize::ByteSize;
use futures_util::{FutureExt as _, future::join_all};

use super::*;
use crate::{
    call::{Invoker, Outcome, Report, Response, Start},
    function::Caching,
    layers::Observer,
};

/// Functions of one argument: one divides 12 by it, one counts it down, one tells how many pages of memory it can have.
const MODULE: &str = "(module
    (memory 1)
    (func (export \"part\") (param i32) (result i32) (i32.div_s (i32.const 12) (local.get 0)))
    (func (export \"count\") (param i64) (result i64)
        (loop $more
            (local.set 0 (i64.sub (local.get 0) (i64.const 1)))
            (br_if $more (i64.gt_s (local.get 0) (i64.const 0))))
        (local.get 0))
    (func (export \"pages\") (param i32) (result i32)
        (loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
        (memory.size)))";

/// A count that takes several ticks of the clock, so that other tasks run meanwhile.
const LONG: &str = "100000000";

fn pure() -> FunctionConfig {
    FunctionConfig { cache: Some(Caching::Pure), ..FunctionConfig::default() }
}

/// A runtime with the function `f`.
async fn runtime_with(builder: RuntimeBuilder) -> Runtime {
    let runtime = builder.build().unwrap();
    runtime.publish(&name("f"), MODULE).config(pure()).await.unwrap();
    runtime
}

fn builder() -> RuntimeBuilder {
    Runtime::builder(Store::memory()).concurrency(8)
}

fn invocation(function: &str, argument: &str) -> Invocation {
    Invocation::new(function.parse::<FunctionRef>().unwrap(), Event::json(argument.to_owned()))
}

/// What a caller is answered, or the kind of failure, and how the answer came about.
async fn ask(runtime: &dyn Invoker, function: &str, argument: &str) -> (Result<String, ErrorKind>, Start) {
    let invocation = invocation(function, argument);
    let report = invocation.report.clone();
    let answered = runtime.invoke(invocation).await.map_err(|error| error.kind());
    let answered = answered.map(|response| {
        let body = response.body.as_whole().unwrap();
        String::from_utf8(body.to_vec()).unwrap()
    });
    (answered, report.snapshot().start)
}

fn answer_of(text: &str, start: Start) -> (Result<String, ErrorKind>, Start) {
    (Ok(text.to_owned()), start)
}

#[tokio::test]
async fn a_result_is_computed_once_for_all_functions_of_the_module() {
    let runtime = runtime_with(builder()).await;
    runtime.publish(&name("g"), MODULE).config(pure()).await.unwrap();
    assert_eq!(ask(&runtime, "f:part", "4").await, answer_of("3", Start::Warm));
    assert_eq!(ask(&runtime, "f:part", "4").await, answer_of("3", Start::Cached));
    assert_eq!(ask(&runtime, "g:part", " [4] ").await, answer_of("3", Start::Cached));
    assert_eq!(ask(&runtime, "f:part", "6").await, answer_of("2", Start::Warm));
    assert_eq!(ask(&runtime, "f:count", "4").await, answer_of("0", Start::Warm), "another export");
}

#[tokio::test]
async fn a_function_that_does_not_ask_for_it_computes_each_result() {
    let runtime = runtime_with(builder()).await;
    runtime.publish(&name("plain"), MODULE).await.unwrap();
    for _ in 0..2 {
        assert_eq!(ask(&runtime, "plain:part", "4").await, answer_of("3", Start::Warm));
    }
}

#[tokio::test]
async fn failures_are_not_kept() {
    let runtime = runtime_with(builder()).await;
    for _ in 0..2 {
        assert_eq!(ask(&runtime, "f:part", "0").await, (Err(ErrorKind::GuestFault), Start::Warm));
        assert_eq!(ask(&runtime, "f:part", "x").await, (Err(ErrorKind::InvalidInput), Start::Warm));
    }
}

#[tokio::test]
async fn the_memory_that_a_function_may_have_decides_about_its_result() {
    let runtime = runtime_with(builder()).await;
    for (function, pages) in [("small", 2), ("large", 3)] {
        let mut config = pure();
        config.limits.memory = Some(ByteSize(pages * 65_536));
        runtime.publish(&name(function), MODULE).config(config).await.unwrap();
        assert_eq!(ask(&runtime, &format!("{function}:pages"), "0").await, answer_of(&pages.to_string(), Start::Warm));
    }
}

#[tokio::test]
async fn without_room_nothing_is_kept() {
    let runtime = runtime_with(builder().result_cache(Some(ByteSize(1)))).await;
    for _ in 0..2 {
        assert_eq!(ask(&runtime, "f:part", "4").await, answer_of("3", Start::Warm));
    }
}

#[tokio::test]
async fn where_the_memory_of_guests_is_limited_results_take_a_small_part_of_as_much() {
    let limit = |builder: RuntimeBuilder| builder.build().unwrap().resources().results.limit;
    let cases = [
        (builder(), ByteSize::mib(32)),
        (builder().guest_memory(ByteSize::mib(160)), ByteSize::mib(10)),
        (builder().guest_memory(ByteSize::gib(4)), ByteSize::mib(32)),
        (builder().guest_memory(ByteSize::mib(160)).result_cache(Some(ByteSize::mib(64))), ByteSize::mib(64)),
    ];
    for (builder, expected) in cases {
        assert_eq!(limit(builder), expected.as_u64());
    }
}

#[tokio::test]
async fn calls_that_come_while_a_result_is_computed_wait_for_it() {
    let runtime = runtime_with(builder()).await;
    let asked = join_all([(); 6].map(|()| ask(&runtime, "f:count", LONG))).await;
    let count = |start| asked.iter().filter(|asked| **asked == answer_of("0", start)).count();
    assert_eq!((count(Start::Warm), count(Start::Cached)), (1, 5));
}

#[tokio::test]
async fn a_call_that_leaves_lets_the_next_one_compute() {
    let runtime = runtime_with(builder()).await;
    let mut leaves = Box::pin(ask(&runtime, "f:count", LONG));
    let mut waits = Box::pin(ask(&runtime, "f:count", LONG));
    assert!(leaves.as_mut().now_or_never().is_none());
    assert!(waits.as_mut().now_or_never().is_none());
    drop(leaves);
    assert_eq!(waits.await, answer_of("0", Start::Warm));
}

#[tokio::test]
async fn a_call_waits_for_another_one_no_longer_than_its_own_time() {
    let runtime = runtime_with(builder()).await;
    let mut config = pure();
    config.limits.timeout = Some(Duration::from_millis(20));
    runtime.publish(&name("hasty"), MODULE).config(config).await.unwrap();
    let endless = "9223372036854775807";
    let mut computes = Box::pin(ask(&runtime, "f:count", endless));
    assert!(computes.as_mut().now_or_never().is_none());
    let waits = ask(&runtime, "hasty:count", endless);
    tokio::select! {
        _ = computes => panic!("the computation has ended"),
        waited = waits => assert_eq!(waited, (Err(ErrorKind::Timeout), Start::Warm)),
    }
}

#[tokio::test]
async fn a_result_that_is_kept_needs_no_place() {
    let runtime = runtime_with(builder().admission(1)).await;
    assert_eq!(ask(&runtime, "f:part", "4").await, answer_of("3", Start::Warm));
    let mut busy = Box::pin(ask(&runtime, "f:count", "9223372036854775807"));
    assert!(busy.as_mut().now_or_never().is_none());
    assert_eq!(ask(&runtime, "f:part", "4").now_or_never(), Some(answer_of("3", Start::Cached)));
    let computed = async {
        tokio::select! {
            _ = busy => panic!("the computation has ended"),
            asked = ask(&runtime, "f:part", "6") => asked.0,
        }
    };
    assert_eq!(computed.await, Err(ErrorKind::Overloaded));
}

/// Counts the calls that it sees, and refuses none.
struct Counting(Arc<dyn Invoker>, Arc<AtomicUsize>);

#[async_trait]
impl Invoker for Counting {
    async fn invoke(&self, invocation: Invocation) -> Result<Response, InvokeError> {
        self.1.fetch_add(1, SeqCst);
        self.0.invoke(invocation).await
    }
}

#[tokio::test]
async fn layers_observers_and_rates_see_calls_whose_result_is_kept() {
    let (seen, ended) = (Arc::default(), Arc::default());
    let (layer, observer): (Arc<AtomicUsize>, Arc<Mutex<Vec<Outcome>>>) = (Arc::clone(&seen), Arc::clone(&ended));
    let observe: Arc<dyn Observer> = Arc::new(move |report: &Report| observer.lock().unwrap().extend(report.outcome));
    let builder = builder().layer(move |inner| Arc::new(Counting(inner, layer))).admission(4).observer(observe);
    let runtime = runtime_with(builder).await;
    let mut config = pure();
    config.limits.rate = Some("2/h".parse().unwrap());
    runtime.publish(&name("rated"), MODULE).config(config).await.unwrap();
    assert_eq!(ask(&runtime, "rated:part", "4").await, answer_of("3", Start::Warm));
    assert_eq!(ask(&runtime, "rated:part", "4").await, answer_of("3", Start::Cached));
    assert_eq!(ask(&runtime, "rated:part", "4").await.0, Err(ErrorKind::Overloaded));
    assert_eq!(seen.load(SeqCst), 2);
    let outcomes = [Outcome::Ok, Outcome::Ok, Outcome::Failed(ErrorKind::Overloaded)];
    assert_eq!(*ended.lock().unwrap(), outcomes);
}

#[tokio::test]
async fn a_module_that_imports_something_is_refused_and_nothing_is_published() {
    let runtime = runtime_with(builder()).await;
    let module = "(module (import \"wasi_snapshot_preview1\" \"random_get\" (func (param i32 i32) (result i32)))
        (func (export \"f\") (result i32) (i32.const 1)))";
    let refused = runtime.publish(&name("random"), module).config(pure()).await.unwrap_err();
    let detail = "cache = \"pure\" is for core modules that import nothing, and this module imports \"random_get\" from \
                  \"wasi_snapshot_preview1\": leave out the key";
    assert_eq!(refused.detail(), detail);
    assert_eq!(call(&runtime, "random").await, Err(ErrorKind::NotFound));
    runtime.publish(&name("random"), module).await.unwrap();
}

#[tokio::test]
async fn the_engine_of_pure_functions_is_made_for_the_first_of_them() {
    let runtime = builder().build().unwrap();
    let engines = |runtime: &Runtime| {
        let mut engines: Vec<_> = runtime.resources().pools.iter().map(|pool| pool.engine).collect();
        engines.sort_unstable();
        engines
    };
    runtime.publish(&name("plain"), MODULE).await.unwrap();
    assert_eq!(engines(&runtime), ["plain"]);
    runtime.publish(&name("f"), MODULE).config(pure()).await.unwrap();
    assert_eq!(engines(&runtime), ["deterministic", "plain"]);
}
