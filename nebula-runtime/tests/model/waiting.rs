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

#[path = "../../src/abi/http/waiting.rs"]
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

/// Looks until nothing is left to look after.
fn look_until_the_end(mut watch: Watch<Thing>) {
    let late = Instant::now() + Duration::from_secs(60);
    while watch.look(late).1.is_some() {}
}

#[test]
fn whatever_is_kept_ends_when_its_time_is_over() {
    let run = || {
        let (waiting, count) = (Arc::new(Waiting::new()), Arc::new(AtomicUsize::new(0)));
        let keepers = [0, 1].map(|_| {
            let (waiting, count) = (Arc::clone(&waiting), Arc::clone(&count));
            thread::spawn(move || {
                for _ in 0..2 {
                    waiting.keep(Thing::new(&count), Instant::now()).into_iter().for_each(look_until_the_end);
                    drop(waiting.take(Instant::now() - Duration::from_secs(1)));
                }
            })
        });
        keepers.into_iter().for_each(|keeper| keeper.join().unwrap());
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
            thread::spawn(move || drop(waiting.keep(Thing::new(&count), Instant::now())))
        });
        keepers.into_iter().for_each(|keeper| keeper.join().unwrap());
        look_until_the_end(waiting.keep(Thing::new(&count), Instant::now()).unwrap());
        assert_eq!(count.load(SeqCst), 0);
    };
    shuttle::check_random(run, RUNS);
}

#[test]
fn there_is_one_watch_at_a_time() {
    let run = || {
        let (waiting, count) = (Arc::new(Waiting::new()), Arc::new(AtomicUsize::new(0)));
        let watches = Arc::new(AtomicUsize::new(0));
        // Their time is not over, so a watch never is, but by being dropped.
        let until = Instant::now() + Duration::from_secs(120);
        let keepers = [0, 1, 2].map(|_| {
            let (waiting, count, watches) = (Arc::clone(&waiting), Arc::clone(&count), Arc::clone(&watches));
            thread::spawn(move || {
                let Some(mut given) = waiting.keep(Thing::new(&count), until) else { return };
                assert_eq!(watches.fetch_add(1, SeqCst), 0);
                assert_eq!(given.look(Instant::now()).1, Some(until));
                watches.fetch_sub(1, SeqCst);
            })
        });
        keepers.into_iter().for_each(|keeper| keeper.join().unwrap());
    };
    shuttle::check_random(run, RUNS);
}
