//! The epoch clock's stop: every guest has its ticks, and an idle clock sleeps.

use shuttle::{
    rand::{Rng as _, thread_rng},
    sync::{Arc, Condvar, Mutex, mpsc::channel},
    thread,
};

use super::{RUNS, sync::thread as clocks};

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

/// A clock that runs.
struct Running {
    clock: Arc<Clock>,
    ticks: Arc<Ticks>,
    thread: clocks::Thread,
    run: thread::JoinHandle<()>,
}

impl Running {
    fn start() -> Self {
        let (clock, ticks) = (Arc::new(Clock::default()), Arc::new(Ticks::default()));
        let (running, ticking) = (Arc::clone(&clock), Arc::clone(&ticks));
        let (tell, told) = channel();
        let run = thread::spawn(move || {
            tell.send(clocks::current()).unwrap();
            running.run(|| ticking.tick());
        });
        Self { clock, ticks, thread: told.recv().unwrap(), run }
    }

    /// Ends the clock, which may sleep or not. Its end is waited for: a clock that missed it would sleep for ever.
    fn end(self) {
        self.clock.end(&self.thread);
        self.run.join().unwrap();
    }
}

#[test]
fn every_guest_is_met_by_ticks_whenever_it_comes() {
    /// A clock that runs alone has stopped by then, so that guests come before that, meanwhile and after.
    const LONGEST_PAUSE: usize = 200;

    let run = || {
        let running = Running::start();
        let (clock, ticks, thread) = (&running.clock, &running.ticks, &running.thread);
        for _ in 0..2 {
            let pause = thread_rng().gen_range(0..LONGEST_PAUSE);
            (0..pause).for_each(|_| thread::yield_now());
            let mut ticking = clock.tick_for_guest(Some(thread));
            ticks.next();
            assert!(!ticking.has_other_guests());
            ticking.note_tick();
            ticks.next();
        }
        running.end();
    };
    shuttle::check_random(run, RUNS);
}

#[test]
fn guests_at_once_are_all_met_by_ticks() {
    let run = || {
        let running = Running::start();
        let guests = [0, 1].map(|_| {
            let (clock, ticks) = (Arc::clone(&running.clock), Arc::clone(&running.ticks));
            let clocks_thread = running.thread.clone();
            thread::spawn(move || {
                let _ticking = clock.tick_for_guest(Some(&clocks_thread));
                ticks.next();
            })
        });
        guests.into_iter().for_each(|guest| guest.join().unwrap());
        running.end();
    };
    shuttle::check_random(run, RUNS);
}

#[test]
fn a_clock_without_guests_sleeps_and_can_be_ended() {
    let run = || {
        let running = Running::start();
        // A clock that ticked on would never let go of this loop.
        let (mut before, mut still) = (usize::MAX, 0);
        while still < 50 {
            let count = *running.ticks.count.lock().unwrap();
            still = if count == before { still + 1 } else { 0 };
            before = count;
            thread::yield_now();
        }
        running.end();
    };
    shuttle::check_random(run, RUNS / 10);
}
