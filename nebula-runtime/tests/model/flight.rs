//! The single flight: work is done once, its failures are forgotten, and nobody waits in vain.

use shuttle::{
    future::block_on,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

use super::{RUNS, sync::while_shut_down};

#[path = "../../src/store/flight.rs"]
mod under_test;

use under_test::{Flight, SingleFlight};

const CALLERS: usize = 3;

/// Some work that keeps its result, and fails the first few times.
struct Work {
    flights: SingleFlight<&'static str, Result<usize, usize>>,
    kept: Arc<Mutex<Option<usize>>>,
    begun: Arc<AtomicUsize>,
    under_way: Arc<AtomicUsize>,
    failures: usize,
}

impl Work {
    fn that_fails(failures: usize) -> Arc<Self> {
        let (kept, begun, under_way) = Default::default();
        Arc::new(Self { flights: SingleFlight::new(), kept, begun, under_way, failures })
    }

    fn start(&self) -> Flight<Result<usize, usize>> {
        self.start_unless(|| self.kept.lock().unwrap().map(Ok))
    }

    fn start_unless(&self, kept_is: impl FnOnce() -> Option<Result<usize, usize>>) -> Flight<Result<usize, usize>> {
        let (kept, begun, under_way) = (Arc::clone(&self.kept), Arc::clone(&self.begun), Arc::clone(&self.under_way));
        let failures = self.failures;
        self.flights.start(&"key", kept_is, async move {
            assert_eq!(under_way.fetch_add(1, SeqCst), 0, "it is done by one task at a time");
            let number = begun.fetch_add(1, SeqCst) + 1;
            thread::yield_now();
            let done = if number <= failures { Err(number) } else { Ok(number) };
            *kept.lock().unwrap() = done.ok();
            under_way.fetch_sub(1, SeqCst);
            done
        })
    }

    /// The result of work that has not begun yet.
    fn call_anew(&self) -> usize {
        if let Some(under_way) = self.flights.under_way(&"key") {
            drop(block_on(under_way));
        }
        block_on(self.start_unless(|| None)).unwrap().unwrap()
    }

    fn call(&self) -> Result<usize, usize> {
        block_on(self.start()).unwrap()
    }
}

fn at_once<T: Send + 'static>(work: &Arc<Work>, call: impl Fn(&Work) -> T + Clone + Send + 'static) -> Vec<T> {
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (work, call) = (Arc::clone(work), call.clone());
            thread::spawn(move || call(&work))
        })
        .collect();
    callers.into_iter().map(|caller| caller.join().unwrap()).collect()
}

#[test]
fn work_that_succeeds_is_done_once_however_callers_come_and_leave() {
    let run = || {
        let work = Work::that_fails(0);
        let leaver = Arc::clone(&work);
        let leaver = thread::spawn(move || drop(leaver.start()));
        assert_eq!(at_once(&work, Work::call), vec![Ok(1); CALLERS]);
        leaver.join().unwrap();
        assert_eq!((work.call(), work.begun.load(SeqCst)), (Ok(1), 1));
    };
    shuttle::check_random(run, RUNS);
}

#[test]
fn a_caller_that_was_told_a_failure_and_tries_again_is_told_something_new() {
    let run = || {
        let work = Work::that_fails(2);
        let told = at_once(&work, |work| [work.call(), work.call(), work.call()]);
        for [first, second, third] in told {
            let tries = [first, second, third].map(|told| told.unwrap_or_else(|failure| failure));
            assert!(tries[0] < tries[1] || first.is_ok(), "{tries:?}");
            assert!(tries[1] < tries[2] || second.is_ok(), "{tries:?}");
            assert_eq!(third, Ok(3));
        }
    };
    shuttle::check_random(run, RUNS);
}

#[test]
fn a_caller_that_wants_new_work_is_told_nothing_old() {
    let run = || {
        let work = Work::that_fails(0);
        let told = at_once(&work, |work| (work.begun.load(SeqCst), work.call_anew()));
        told.into_iter().for_each(|(before, number)| assert!(number > before, "{number} had begun"));
    };
    shuttle::check_random(run, RUNS);
}

#[test]
fn work_whose_executor_is_shut_down_holds_nobody_up() {
    let run = || {
        let work = Work::that_fails(0);
        let stopping = Arc::clone(&work);
        let stopping = thread::spawn(move || drop(while_shut_down(|| stopping.start())));
        let told = at_once(&work, |work| block_on(work.start()));
        stopping.join().unwrap();
        for told in told {
            // It had joined the work that was dropped, or it had its own.
            assert!(told.is_err() || told == Ok(Ok(1)), "{told:?}");
        }
        assert_eq!(work.call(), Ok(1));
    };
    shuttle::check_random(run, RUNS);
}
