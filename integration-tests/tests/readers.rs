//! Readers who take their time, of an invoker in a program of one's own.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use http::Request;
use http_body_util::BodyExt as _;
use nebula_integration_tests::{Guest, Nebula};
use nebula_runtime::{
    Body, ByteSize, ErrorKind, Event, FunctionConfig, FunctionName, Invocation, InvokeError, Invoker, LimitSettings,
    Outcome, Response, Runtime, Store,
};

/// A server's layers, without a server.
struct Layers {
    invoker: Arc<dyn Invoker>,
    /// How the invocations ended, in the order in which they did.
    outcomes: Arc<Mutex<Vec<Outcome>>>,
}

/// How many places there are.
const PLACES: u32 = 256;

/// Each with its guest and how the instances of that are used again.
const FUNCTIONS: [(&str, &str, Option<&str>); 6] = [
    ("command", "stdout-flood", None),
    ("http", "http-events", None),
    ("http3", "http3-trap", None),
    ("one-by-one", "http3-trap", Some("{}")),
    ("sleep", "sleep", None),
    ("treats", "treats", None),
];

/// Those whose responses have no end.
const ENDLESS: [&str; 4] = ["command", "http", "http3", "one-by-one"];

/// The timeout of all of them but `sleep`.
const TIMEOUT: Duration = Duration::from_millis(400);

impl Layers {
    async fn new() -> Self {
        let cache = Some(Nebula::built().cache().to_owned());
        // More than any of them writes within its time.
        let max_response = Some(ByteSize::tib(1));
        let mut ceilings = LimitSettings::default();
        ceilings.max_response = max_response;
        let outcomes = Arc::<Mutex<Vec<_>>>::default();
        let seen = Arc::clone(&outcomes);
        let observe = move |report: &nebula_runtime::Report| seen.lock().unwrap().extend(report.outcome);
        let runtime = Runtime::builder(Store::memory()).ceilings(ceilings).code_cache(cache);
        let runtime = runtime.admission(PLACES).observer(Arc::new(observe)).build().unwrap();
        for (function, guest, reuse) in FUNCTIONS {
            let module = std::fs::read(Guest::named(guest).unwrap().path).unwrap();
            let mut config = FunctionConfig::default();
            config.reuse = reuse.map(|reuse| serde_json::from_str(reuse).unwrap());
            config.limits.timeout = Some(TIMEOUT).filter(|_| function != "sleep");
            config.limits.max_response = max_response;
            config.limits.concurrency = Some(2 * PLACES);
            runtime.publish(&function.parse().unwrap(), module).config(config).await.unwrap();
        }
        Self { invoker: Arc::new(runtime), outcomes }
    }

    async fn call(&self, function: &str, event: Event) -> Result<Response, InvokeError> {
        self.invoker.invoke(Invocation::new(function.parse::<FunctionName>().unwrap(), event)).await
    }

    /// A call that is answered.
    async fn ten_treats(&self) {
        let treats = self.call("treats", Event::default().with_arguments(["10"])).await.unwrap();
        assert_eq!(treats.body.collect(10).await.unwrap(), "10");
    }

    /// Lets the time of every guest pass.
    async fn outlast(&self) {
        let time = (2 * TIMEOUT).as_millis().to_string();
        let slept = self.call("sleep", Event::default().with_arguments([time])).await.unwrap();
        assert!(slept.body.collect(100).await.is_ok());
    }

    /// A response without end, of which the first part is read.
    async fn slow(&self, function: &str) -> Body {
        let request = Request::get("/flood?count=1000000000&ms=0").body(Body::empty()).unwrap();
        let mut body = self.call(function, Event::http(request)).await.unwrap().body;
        assert!(!body.frame().await.unwrap().unwrap().into_data().unwrap().is_empty());
        body
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_readers_that_have_every_place_leave_one_to_a_new_call() {
    for function in ENDLESS {
        let layers = Layers::new().await;
        let mut readers = Vec::new();
        for _ in 0..PLACES {
            readers.push(layers.slow(function).await);
        }
        layers.ten_treats().await;
        // The first of them was furthest past its time.
        let ended = loop {
            if let Err(ended) = readers[0].frame().await.unwrap() {
                break ended;
            }
        };
        assert_eq!(ended.kind(), ErrorKind::Timeout, "{function}");
        let why = "the function was past its timeout, waiting for its reader, and another call needed its place";
        assert_eq!(ended.detail(), why);
        assert!(readers[0].frame().await.is_none());
        // The others keep their places, and go on.
        assert!(readers[1].frame().await.unwrap().is_ok());
        assert!(readers[PLACES as usize - 1].frame().await.unwrap().is_ok());
        assert_eq!(*layers.outcomes.lock().unwrap(), [Outcome::Ok, Outcome::Failed(ErrorKind::Timeout)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_whose_place_nobody_needs_may_read_on_beyond_the_timeout() {
    for function in ENDLESS {
        let layers = Layers::new().await;
        let mut slow = layers.slow(function).await;
        layers.outlast().await;
        // More than anything on the way holds ready.
        for _ in 0..100 {
            assert!(slow.frame().await.unwrap().is_ok(), "{function}");
        }
        drop(slow);
        assert_eq!(*layers.outcomes.lock().unwrap(), [Outcome::Ok, Outcome::Cancelled], "{function}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_never_waits_for_its_reader_has_its_timeout_and_no_more() {
    for function in ENDLESS {
        let layers = Layers::new().await;
        let mut body = layers.slow(function).await;
        let ended = loop {
            if let Err(ended) = body.frame().await.unwrap() {
                break ended;
            }
        };
        assert_eq!(ended.kind(), ErrorKind::Timeout, "{function}: {ended}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_whose_place_was_needed_need_not_come_back_for_the_report_to_say_so() {
    let layers = Layers::new().await;
    let mut readers = Vec::new();
    for _ in 0..PLACES {
        readers.push(layers.slow("command").await);
    }
    layers.ten_treats().await;
    drop(readers);
    let outcomes = layers.outcomes.lock().unwrap();
    let count = |wanted| outcomes.iter().filter(|outcome| **outcome == wanted).count();
    assert_eq!(count(Outcome::Failed(ErrorKind::Timeout)), 1);
    assert_eq!(count(Outcome::Cancelled), PLACES as usize - 1);
}
