//! Instances that wait: whatever is kept is looked after, by one watch at a time.

use std::time::Duration;

use shuttle::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};
use tokio::time::Instant;

use super::RUNS;

#[path = "../../src/guest/waiting.rs"]
mod under_test;

use under_test::{Waiting, Watch};

/// Something that is counted as long as it is there.
struct Thing(Arc<AtomicUsize>);

impl Thing {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Thing {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

/// When the time of what waits is over. No run takes so long.
const SOON: Duration = Duration::from_mins(1);

fn soon() -> Instant {
    Instant::now() + SOON
}

/// Looks until nothing is left to look after, at first before its time.
fn look_until_the_end(mut watch: Watch<Thing>, watches: &AtomicUsize) {
    let mut times = [Instant::now()].into_iter().chain(std::iter::repeat(soon() + SOON));
    loop {
        assert_eq!(watches.fetch_add(1, SeqCst), 0, "there is one watch at a time");
        thread::yield_now();
        // With the last look the watch ends, and another one may begin.
        watches.fetch_sub(1, SeqCst);
        if watch.look(times.next().unwrap()).1.is_none() {
            return;
        }
    }
}

#[test]
fn whatever_is_kept_ends_when_its_time_is_over() {
    let run = || {
        let (waiting, count) = (Arc::new(Waiting::new()), Arc::new(AtomicUsize::new(0)));
        let watches = Arc::new(AtomicUsize::new(0));
        let keepers = [0, 1, 2].map(|_| {
            let (waiting, count, watches) = (Arc::clone(&waiting), Arc::clone(&count), Arc::clone(&watches));
            thread::spawn(move || {
                let given = waiting.keep(Thing::new(&count), soon());
                given.into_iter().for_each(|watch| look_until_the_end(watch, &watches));
            })
        });
        let taken = waiting.take(Instant::now());
        keepers.into_iter().for_each(|keeper| keeper.join().unwrap());
        drop(taken);
        assert_eq!(count.load(SeqCst), 0, "nothing is left without a watch");
    };
    shuttle::check_random(run, RUNS);
}

#[test]
fn a_watch_that_is_dropped_is_given_anew() {
    let run = || {
        let (waiting, count) = (Arc::new(Waiting::new()), Arc::new(AtomicUsize::new(0)));
        let keepers = [0, 1].map(|_| {
            let (waiting, count) = (Arc::clone(&waiting), Arc::clone(&count));
            // As by a task that ends with its Tokio runtime.
            thread::spawn(move || drop(waiting.keep(Thing::new(&count), soon())))
        });
        keepers.into_iter().for_each(|keeper| keeper.join().unwrap());
        look_until_the_end(waiting.keep(Thing::new(&count), soon()).unwrap(), &AtomicUsize::new(0));
        assert_eq!(count.load(SeqCst), 0);
    };
    shuttle::check_random(run, RUNS);
}
