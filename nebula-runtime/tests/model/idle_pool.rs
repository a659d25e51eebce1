//! The pool of idle instances: each item that is kept has a reaper, and there is one reaper at a time.

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

#[path = "../../src/guest/idle_pool.rs"]
mod under_test;

use under_test::{IdlePool, Reaper};

/// An item that is counted until it is dropped.
struct Item(Arc<AtomicUsize>);

impl Item {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Item {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

/// How long an item waits. No run takes so long.
const SOON: Duration = Duration::from_mins(1);

fn soon() -> Instant {
    Instant::now() + SOON
}

/// Takes expired items until none is left. The first time, none has expired.
fn reap_until_the_end(mut reaper: Reaper<Item>, reapers: &AtomicUsize) {
    let mut times = [Instant::now()].into_iter().chain(std::iter::repeat(soon() + SOON));
    loop {
        assert_eq!(reapers.fetch_add(1, SeqCst), 0, "there is one reaper at a time");
        thread::yield_now();
        // The last call ends the reaper, and another one may begin.
        reapers.fetch_sub(1, SeqCst);
        if reaper.take_expired(times.next().unwrap()).1.is_none() {
            return;
        }
    }
}

#[test]
fn an_item_that_is_kept_is_dropped_when_its_time_is_over() {
    let run = || {
        let (pool, count) = (Arc::new(IdlePool::new()), Arc::new(AtomicUsize::new(0)));
        let reapers = Arc::new(AtomicUsize::new(0));
        let keepers = [0, 1, 2].map(|_| {
            let (pool, count, reapers) = (Arc::clone(&pool), Arc::clone(&count), Arc::clone(&reapers));
            thread::spawn(move || {
                let reaper = pool.keep(Item::new(&count), soon());
                reaper.into_iter().for_each(|reaper| reap_until_the_end(reaper, &reapers));
            })
        });
        let taken = pool.take(Instant::now());
        keepers.into_iter().for_each(|keeper| keeper.join().unwrap());
        drop(taken);
        assert_eq!(count.load(SeqCst), 0, "no item is left without a reaper");
    };
    shuttle::check_random(run, RUNS);
}

#[test]
fn a_reaper_that_is_dropped_is_replaced() {
    let run = || {
        let (pool, count) = (Arc::new(IdlePool::new()), Arc::new(AtomicUsize::new(0)));
        let keepers = [0, 1].map(|_| {
            let (pool, count) = (Arc::clone(&pool), Arc::clone(&count));
            // A task that ends with its Tokio runtime drops its reaper, too.
            thread::spawn(move || drop(pool.keep(Item::new(&count), soon())))
        });
        keepers.into_iter().for_each(|keeper| keeper.join().unwrap());
        reap_until_the_end(pool.keep(Item::new(&count), soon()).unwrap(), &AtomicUsize::new(0));
        assert_eq!(count.load(SeqCst), 0);
    };
    shuttle::check_random(run, RUNS);
}
