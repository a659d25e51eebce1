//! A store that hangs, answers late, resets, tears a read, or is gone.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use futures_util::future::join_all;
use tokio::time::sleep;
use tracing::{Event as Logged, Level, Metadata, Subscriber, span};

use super::*;
use crate::store::faulty::{
    Fault::{self, Empties, Gone, Halves, Hangs, Late, Loses, Resets, Tears},
    Faulty,
};

const LATE: Fault = Late(Duration::from_millis(200));
const TOO_LATE: Fault = Late(Duration::from_secs(3));

/// What a caller sees: the answer or the kind of failure, and the milliseconds that it waited.
type Seen = (Result<&'static str, ErrorKind>, u128);

const ANSWER: Seen = (Ok("7"), 0);

async fn see(runtime: &Runtime, function: &str) -> (Result<String, ErrorKind>, u128) {
    let began = Instant::now();
    (call(runtime, function).await, began.elapsed().as_millis())
}

fn assert_seen(seen: (Result<String, ErrorKind>, u128), (expected, waited): Seen, what: &str) {
    assert_eq!(seen, (expected.map(str::to_owned), waited), "{what}");
}

#[tokio::test(start_paused = true)]
async fn whatever_the_store_does_known_functions_answer_and_no_caller_waits_for_long() {
    const INTERNAL: ErrorKind = ErrorKind::Internal;
    const UNAVAILABLE: ErrorKind = ErrorKind::Unavailable;
    const NOT_FOUND: ErrorKind = ErrorKind::NotFound;

    // What a caller sees of a function that was called a minute ago, of one that is published and was never called here, and
    // of one that there is not.
    let cases: [(Fault, Seen, Seen, Seen); 10] = [
        (Fault::None, ANSWER, ANSWER, (Err(NOT_FOUND), 0)),
        // Its record; that, its manifest and its configuration, where the module is another one's, too; its record and the
        // store's marker.
        (LATE, (Ok("7"), 200), (Ok("7"), 600), (Err(NOT_FOUND), 400)),
        (TOO_LATE, (Ok("7"), 900), (Err(UNAVAILABLE), 900), (Err(UNAVAILABLE), 900)),
        (Hangs, (Ok("7"), 900), (Err(UNAVAILABLE), 900), (Err(UNAVAILABLE), 900)),
        (Loses, (Ok("7"), 900), (Err(UNAVAILABLE), 900), (Err(UNAVAILABLE), 900)),
        (Resets, ANSWER, (Err(UNAVAILABLE), 0), (Err(UNAVAILABLE), 0)),
        (Tears, ANSWER, (Err(UNAVAILABLE), 0), (Err(UNAVAILABLE), 0)),
        (Halves, ANSWER, (Err(INTERNAL), 0), (Err(INTERNAL), 0)),
        (Empties, ANSWER, (Err(INTERNAL), 0), (Err(NOT_FOUND), 0)),
        (Gone, ANSWER, (Err(UNAVAILABLE), 0), (Err(UNAVAILABLE), 0)),
    ];
    for (fault, called_before, never_called, never_published) in cases {
        let (faulty, store) = Faulty::store().await;
        let (runtime, other) = (runtime(&store), runtime(&store));
        for function in ["fresh", "aging", "old"] {
            publish(&runtime, function, 7).await;
        }
        publish(&other, "new", 7).await;
        for (function, then) in [("old", 60_000), ("aging", 1_000), ("fresh", 100)] {
            assert_eq!(call(&runtime, function).await.unwrap(), "7");
            pass(Duration::from_millis(then)).await;
        }
        faulty.set(fault);
        assert_seen(see(&runtime, "fresh").await, ANSWER, &format!("{fault:?}: fresh"));
        assert_seen(see(&runtime, "aging").await, ANSWER, &format!("{fault:?}: aging"));
        assert_seen(see(&runtime, "old").await, called_before, &format!("{fault:?}: old"));
        assert_seen(see(&runtime, "new").await, never_called, &format!("{fault:?}: new"));
        assert_seen(see(&runtime, "none").await, never_published, &format!("{fault:?}: none"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_function_is_not_taken_for_removed_where_the_store_comes_back_during_the_look() {
    let (faulty, store) = Faulty::store().await;
    let runtime = runtime(&store);
    publish(&runtime, "known", 7).await;
    assert_eq!(call(&runtime, "known").await.unwrap(), "7");
    pass(Duration::from_secs(60)).await;
    faulty.set(Fault::Returns);
    assert_eq!(call(&runtime, "known").await.unwrap(), "7");
}

#[tokio::test(start_paused = true)]
async fn once_the_store_is_well_a_publish_shows_as_soon_as_ever() {
    for fault in [TOO_LATE, Hangs, Loses, Resets, Tears, Halves, Empties, Gone] {
        let (faulty, store) = Faulty::store().await;
        let (runtime, other) = (runtime(&store), runtime(&store));
        publish(&runtime, "f", 7).await;
        // So that its code is in memory, and needs no time that is not virtual.
        publish(&runtime, "warm", 8).await;
        assert_eq!(call(&runtime, "f").await.unwrap(), "7");
        publish(&other, "f", 8).await;
        faulty.set(fault);
        for _ in 0..100 {
            pass(Duration::from_millis(100)).await;
            assert_seen(see(&runtime, "f").await, ANSWER, &format!("{fault:?}"));
        }
        faulty.set(Fault::None);
        // What the store has lost is given up after 4.5 s; otherwise two seconds are promised.
        let soon = if fault == Loses { 4_500 + 2_000 } else { 2_000 };
        for _ in 0..soon / 100 {
            call(&runtime, "f").await.unwrap();
            pass(Duration::from_millis(100)).await;
        }
        assert_eq!(call(&runtime, "f").await.unwrap(), "8", "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn functions_that_are_called_all_the_time_never_wait_for_a_store_that_hangs_and_seldom_ask_it() {
    const FUNCTIONS: [&str; 5] = ["a", "b", "c", "d", "e"];
    for fault in [Hangs, Loses, TOO_LATE] {
        let (faulty, store) = Faulty::store().await;
        let runtime = runtime(&store);
        for function in FUNCTIONS {
            publish(&runtime, function, 7).await;
            call(&runtime, function).await.unwrap();
        }
        faulty.set(fault);
        faulty.reads("");
        for _ in 0..1_000 {
            pass(Duration::from_millis(10)).await;
            for function in FUNCTIONS {
                assert_seen(see(&runtime, function).await, ANSWER, &format!("{fault:?}: {function}"));
            }
        }
        let reads = faulty.reads("functions/");
        assert!((FUNCTIONS.len()..=FUNCTIONS.len() * 4).contains(&reads), "{fault:?}: {reads} reads in ten seconds");
    }
}

#[tokio::test(start_paused = true)]
async fn reads_that_hang_take_a_bounded_number_of_places() {
    const NAMES: usize = 300;
    let (faulty, store) = Faulty::store().await;
    let runtime = runtime(&store);
    faulty.set(Hangs);
    let names: Vec<_> = (0..NAMES).map(|number| format!("f{number}")).collect();
    for seen in join_all(names.iter().map(|name| see(&runtime, name))).await {
        assert_seen(seen, (Err(ErrorKind::Unavailable), 900), "a name that is not known");
    }
    assert_eq!(faulty.reads("functions/"), 64);
    faulty.set(Fault::None);
    pass(Duration::from_secs(1)).await;
    for seen in join_all(names.iter().map(|name| call(&runtime, name))).await {
        assert_eq!(seen, Err(ErrorKind::NotFound));
    }
}

#[tokio::test(start_paused = true)]
async fn two_hundred_callers_of_a_function_read_it_once() {
    const CALLERS: usize = 200;
    let (faulty, store) = Faulty::store().await;
    let (runtime, other) = (Runtime::builder(store.clone()).concurrency(200).build().unwrap(), runtime(&store));
    publish(&other, "f", 7).await;
    faulty.set(LATE);
    for reads_of_blobs in [3, 0, 0] {
        pass(Duration::from_mins(1)).await;
        faulty.reads("");
        let callers = join_all((0..CALLERS).map(|_| call(&runtime, "f"))).await;
        assert!(callers.iter().all(|seen| seen.as_deref() == Ok("7")), "{callers:?}");
        let reads = faulty.reads_of(["functions/", "blobs/"]);
        assert_eq!(reads, [1, reads_of_blobs]);
    }
}

#[tokio::test(start_paused = true)]
async fn names_that_no_function_has_are_read_once_in_half_a_second() {
    const NAMES: usize = 50;
    let (faulty, store) = Faulty::store().await;
    let runtime = runtime(&store);
    let names: Vec<_> = (0..NAMES).map(|number| format!("f{number}")).collect();
    faulty.set(Late(Duration::from_millis(10)));
    for _ in 0..3 {
        faulty.reads("");
        for _ in 0..5 {
            let at_once = names.iter().chain(&names).map(|name| call(&runtime, name));
            assert!(join_all(at_once).await.iter().all(|seen| *seen == Err(ErrorKind::NotFound)));
        }
        assert_eq!(faulty.reads("functions/"), NAMES);
        pass(Duration::from_millis(500)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_that_no_function_had_is_found_once_it_is_published() {
    let (_, store) = Faulty::store().await;
    let (runtime, other) = (runtime(&store), runtime(&store));
    assert_eq!(call(&runtime, "here").await, Err(ErrorKind::NotFound));
    assert_eq!(call(&runtime, "elsewhere").await, Err(ErrorKind::NotFound));
    publish(&runtime, "here", 7).await;
    assert_eq!(call(&runtime, "here").await.unwrap(), "7");
    publish(&other, "elsewhere", 7).await;
    pass(Duration::from_millis(500)).await;
    assert_eq!(call(&runtime, "elsewhere").await.unwrap(), "7");
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_leaves_does_not_stop_the_read_that_others_wait_for() {
    let (faulty, store) = Faulty::store().await;
    let (runtime, other) = (runtime(&store), runtime(&store));
    publish(&other, "f", 7).await;
    faulty.set(LATE);
    faulty.reads("");
    let leaver = async {
        tokio::select! {
            _ = call(&runtime, "f") => panic!("the store was not late"),
            () = sleep(Duration::from_millis(100)) => {}
        }
    };
    let (seen, ()) = tokio::join!(
        async {
            sleep(Duration::from_millis(50)).await;
            see(&runtime, "f").await
        },
        leaver
    );
    assert_seen(seen, (Ok("7"), 750), "the caller that came later and stayed");
    assert_eq!(faulty.reads("functions/"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_busy_function_moves_to_a_version_only_once_that_can_be_read() {
    let (faulty, store) = Faulty::store().await;
    let (runtime, other) = (runtime(&store), runtime(&store));
    publish(&runtime, "f", 7).await;
    publish(&runtime, "warm", 8).await;
    call(&runtime, "f").await.unwrap();
    publish(&other, "f", 8).await;
    // The record arrives, and nothing after it.
    faulty.set(Late(Duration::from_millis(100)));
    pass(Duration::from_millis(500)).await;
    assert_eq!(call(&runtime, "f").await.unwrap(), "7");
    faulty.set(Hangs);
    for _ in 0..50 {
        pass(Duration::from_millis(100)).await;
        assert_seen(see(&runtime, "f").await, ANSWER, "while the manifest does not come");
    }
    faulty.set(Fault::None);
    pass(Duration::from_secs(2)).await;
    assert_eq!(call(&runtime, "f").await.unwrap(), "8");
}

#[tokio::test(start_paused = true)]
async fn a_module_that_does_not_come_is_given_up_and_asked_for_again() {
    let (faulty, store) = Faulty::store().await;
    let (runtime, other) = (runtime(&store), runtime(&store));
    publish(&other, "f", 7).await;
    runtime.inspect(&name("f").into()).await.unwrap();
    faulty.set(Loses);
    assert_seen(see(&runtime, "f").await, (Err(ErrorKind::Unavailable), 10_000), "a module that does not come");
    faulty.set(Fault::None);
    assert_seen(see(&runtime, "f").await, ANSWER, "once it comes");
}

#[tokio::test(start_paused = true)]
async fn that_a_function_cannot_be_read_is_logged_once() {
    for fault in [Empties, Gone, Hangs] {
        let (faulty, store) = Faulty::store().await;
        let runtime = runtime(&store);
        publish(&runtime, "f", 7).await;
        call(&runtime, "f").await.unwrap();
        let warnings = Arc::new(Warnings::default());
        let logged = tracing::subscriber::set_default(Arc::clone(&warnings));
        faulty.set(fault);
        for _ in 0..100 {
            pass(Duration::from_millis(100)).await;
            assert_eq!(call(&runtime, "f").await.unwrap(), "7");
        }
        drop(logged);
        assert_eq!(warnings.0.load(SeqCst), 1, "{fault:?}");
    }
}

/// Counts warnings.
#[derive(Default)]
pub(super) struct Warnings(pub(super) AtomicUsize);

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, _: &Logged<'_>) {
        self.0.fetch_add(1, SeqCst);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// An embedder's Tokio runtime may end while a task of it reads a function, and another one go on with the same [`Runtime`].
#[test]
fn a_function_is_read_again_after_the_tokio_runtime_that_read_it_has_ended() {
    let tokio = || tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let first = tokio();
    let (faulty, runtime) = first.block_on(async {
        let (faulty, store) = Faulty::store().await;
        let runtime = runtime(&store);
        publish(&runtime, "f", 7).await;
        call(&runtime, "f").await.unwrap();
        pass(Duration::from_secs(1)).await;
        faulty.set(Hangs);
        faulty.reads("");
        assert_seen(see(&runtime, "f").await, ANSWER, "while it is read again");
        pass(Duration::ZERO).await;
        assert_eq!(faulty.reads("functions/"), 1, "it is being read again");
        (faulty, runtime)
    });
    drop(first);
    tokio().block_on(async {
        faulty.set(Fault::None);
        assert_eq!(call(&runtime, "f").await.unwrap(), "7");
        faulty.set(LATE);
        for _ in 0..50 {
            pass(Duration::from_millis(100)).await;
            assert_seen(see(&runtime, "f").await, ANSWER, "it is read again while it is called");
        }
    });
}
