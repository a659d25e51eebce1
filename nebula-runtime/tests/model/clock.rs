//! The epoch clock's stop: every guest has its ticks, and an idle clock sleeps.

use shuttle::{
    rand::{Rng as _, thread_rng},
    sync::{Arc, Condvar, Mutex},
    thread,
};

use super::RUNS;

#[path = "../../src/engine/clock.rs"]
mod under_test;

use under_test::Clock;

/// How many ticks there were, and a way to wait for the next.
#[derive(Default)]
struct Ticks {
    count: Mutex<usize>,
    ticked: Condvar,
}

impl Ticks {
    fn tick(&self) {
        *self.count.lock().unwrap() += 1;
        self.ticked.notify_all();
    }

    /// Waits for a tick that comes after this call. Where the clock sleeps meanwhile, nobody can go on.
    fn next(&self) {
        let count = self.count.lock().unwrap();
        let before = *count;
        drop(self.ticked.wait_while(count, |count| *count == before).unwrap());
    }
}

fn start() -> (Arc<Clock>, Arc<Ticks>, thread::JoinHandle<()>) {
    let (clock, ticks) = (Arc::new(Clock::default()), Arc::new(Ticks::default()));
    let running = (Arc::clone(&clock), Arc::clone(&ticks));
    let thread = thread::spawn(move || running.0.run(|| running.1.tick()));
    (clock, ticks, thread)
}

/// Ends a clock that may sleep or not. Its end is waited for: a clock that misses it would sleep for ever.
fn end(clock: &Clock, thread: thread::JoinHandle<()>) {
    clock.end(thread.thread());
    thread.join().unwrap();
}

#[test]
fn every_guest_is_met_by_ticks_whenever_it_comes() {
    /// A clock that runs alone has stopped by then, so that guests come before that, meanwhile and after.
    const LONGEST_PAUSE: usize = 40;

    let run = || {
        let (clock, ticks, thread) = start();
        let guests = [0, 1].map(|_| {
            let (clock, ticks, clocks_thread) = (Arc::clone(&clock), Arc::clone(&ticks), thread.thread().clone());
            thread::spawn(move || {
                for _ in 0..2 {
                    let pause = thread_rng().gen_range(0..LONGEST_PAUSE);
                    (0..pause).for_each(|_| thread::yield_now());
                    let mut ticking = clock.tick_for_guest(Some(&clocks_thread));
                    ticks.next();
                    ticking.met();
                    ticks.next();
                }
            })
        });
        guests.into_iter().for_each(|guest| guest.join().unwrap());
        end(&clock, thread);
    };
    shuttle::check_random(run, RUNS);
}

#[test]
fn a_clock_without_guests_sleeps_and_can_be_ended() {
    let run = || {
        let (clock, ticks, thread) = start();
        // It stops in each run: a clock that ticked on would never let go of this loop.
        let mut before = usize::MAX;
        let mut still = 0;
        while still < 50 {
            let count = *ticks.count.lock().unwrap();
            still = if count == before { still + 1 } else { 0 };
            before = count;
            thread::yield_now();
        }
        end(&clock, thread);
    };
    shuttle::check_random(run, RUNS / 10);
}
