//! Slow readers of responses, with a runtime that is embedded in this process.

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

/// A runtime with the layers of a server.
struct LayeredRuntime {
    invoker: Arc<dyn Invoker>,
    /// The outcomes of the invocations, in the order in which they ended.
    outcomes: Arc<Mutex<Vec<Outcome>>>,
}

/// How many invocations admission lets in at once: so few that one function may have all places.
const PLACES: u32 = 3;

/// Each function, its guest, and its key `reuse`.
const FUNCTIONS: [(&str, &str, Option<&str>); 6] = [
    ("command", "stdout-flood", None),
    ("http", "http-events", None),
    ("http3", "http3-trap", None),
    ("one-by-one", "http3-trap", Some("{}")),
    ("sleep", "sleep", None),
    ("treats", "treats", None),
];

/// The functions whose responses never end.
const ENDLESS: [&str; 4] = ["command", "http", "http3", "one-by-one"];

/// The timeout of all functions except `sleep`.
const TIMEOUT: Duration = Duration::from_millis(400);

impl LayeredRuntime {
    async fn new() -> Self {
        let cache = Some(Nebula::built().cache().to_owned());
        // No function writes this much before its timeout.
        let max_response = Some(ByteSize::tib(1));
        let mut ceilings = LimitSettings::default();
        ceilings.max_response = max_response;
        let outcomes = Arc::<Mutex<Vec<_>>>::default();
        let recorded = Arc::clone(&outcomes);
        let observe = move |report: &nebula_runtime::Report| recorded.lock().unwrap().extend(report.outcome);
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

    /// Makes a short call, and checks its result.
    async fn call_treats(&self) {
        let treats = self.call("treats", Event::default().with_arguments(["10"])).await.unwrap();
        assert_eq!(treats.body.collect(10).await.unwrap(), "10");
    }

    /// Waits until every guest is past its timeout.
    async fn wait_past_timeout(&self) {
        let time = (2 * TIMEOUT).as_millis().to_string();
        let response = self.call("sleep", Event::default().with_arguments([time])).await.unwrap();
        assert!(response.body.collect(100).await.is_ok());
    }

    /// Calls an endless function, and reads only the first part of its response.
    async fn begin_reading(&self, function: &str) -> Body {
        let request = Request::get("/flood?count=1000000000&ms=0").body(Body::empty()).unwrap();
        let mut body = self.call(function, Event::http(request)).await.unwrap().body;
        assert!(!body.frame().await.unwrap().unwrap().into_data().unwrap().is_empty());
        body
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_call_takes_the_place_of_a_slow_reader_past_its_timeout() {
    for function in ENDLESS {
        let layers = LayeredRuntime::new().await;
        let mut readers = Vec::new();
        for _ in 0..PLACES {
            readers.push(layers.begin_reading(function).await);
        }
        layers.call_treats().await;
        // The first reader's guest was furthest past its timeout.
        let error = loop {
            if let Err(error) = readers[0].frame().await.unwrap() {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::Timeout, "{function}");
        let why = "the function was past its timeout, waiting for its reader, and another call needed its place";
        assert_eq!(error.detail(), why);
        assert!(readers[0].frame().await.is_none());
        // The other guests keep their places and run on.
        assert!(readers[1].frame().await.unwrap().is_ok());
        assert!(readers[PLACES as usize - 1].frame().await.unwrap().is_ok());
        assert_eq!(*layers.outcomes.lock().unwrap(), [Outcome::Ok, Outcome::Failed(ErrorKind::Timeout)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_may_read_past_the_timeout_while_no_call_needs_its_place() {
    for function in ENDLESS {
        let layers = LayeredRuntime::new().await;
        let mut slow = layers.begin_reading(function).await;
        layers.wait_past_timeout().await;
        // More frames than all buffers hold.
        for _ in 0..100 {
            assert!(slow.frame().await.unwrap().is_ok(), "{function}");
        }
        drop(slow);
        assert_eq!(*layers.outcomes.lock().unwrap(), [Outcome::Ok, Outcome::Cancelled], "{function}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_never_waits_for_its_reader_ends_at_its_timeout() {
    for function in ENDLESS {
        let layers = LayeredRuntime::new().await;
        let mut body = layers.begin_reading(function).await;
        let error = loop {
            if let Err(error) = body.frame().await.unwrap() {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::Timeout, "{function}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_says_timeout_even_if_the_slow_reader_does_not_read_on() {
    let layers = LayeredRuntime::new().await;
    let mut readers = Vec::new();
    for _ in 0..PLACES {
        readers.push(layers.begin_reading("command").await);
    }
    layers.call_treats().await;
    drop(readers);
    let outcomes = layers.outcomes.lock().unwrap();
    let count = |wanted| outcomes.iter().filter(|outcome| **outcome == wanted).count();
    assert_eq!(count(Outcome::Failed(ErrorKind::Timeout)), 1);
    assert_eq!(count(Outcome::Cancelled), PLACES as usize - 1);
}
