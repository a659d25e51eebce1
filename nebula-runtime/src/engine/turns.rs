//! Turns of long-running guests: how the processors are shared between functions, and with everything else.
//!
//! A guest that is still running at a tick gives its thread back and asks for another turn. There are as many turns as
//! processors, and the functions take them in rotation, however many guests of each wait. Before its turn, a guest lets
//! the other tasks of its thread run for twice as long as a turn, if there are any. So a hundred spinning guests leave as
//! much time to short calls as a few do. A guest that has met no tick takes no part in turns.

use std::{
    cell::Cell,
    collections::VecDeque,
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
    thread::available_parallelism,
    time::{Duration, Instant},
};

use tokio::{sync::oneshot, task::yield_now};

use crate::{call::Rotation, function::FunctionName};

/// After so long, a turn passes to another guest although it did not end. The task of its guest may not be run any more:
/// a slow reader runs it only when it reads.
const LEASE: Duration = Duration::from_millis(20);

/// How long other tasks run before each turn, which takes a tick. Twice as long, because a guest has run for up to a tick
/// before it needs turns.
const GIVEN_WAY: Duration = Duration::from_millis(2);

/// A thread that comes back to a guest in less time had nothing else to run.
const NOTHING_ELSE: Duration = Duration::from_micros(20);

/// The processors are those of the process, however many runtimes it has.
static TURNS: LazyLock<Turns> = LazyLock::new(|| Turns::new(available_parallelism().map_or(1, usize::from), LEASE));

thread_local! {
    /// The turn of the guest that this thread runs.
    static CURRENT: Cell<Option<Turn>> = const { Cell::new(None) };
}

struct Turns {
    count: usize,
    lease: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The turns that were given, the oldest first: their numbers, and when they were given.
    given: VecDeque<(u64, Instant)>,
    next: u64,
    waiting: Rotation<oneshot::Sender<Turn>>,
}

/// The turn of a guest, until it is dropped.
struct Turn {
    number: u64,
    turns: &'static Turns,
}

/// Ends the turn of a guest of `function`, and waits for its next one. The guest runs when this is ready.
pub(super) async fn next(function: FunctionName) {
    end_current();
    let turn = TURNS.wait(&function).await;
    give_way().await;
    CURRENT.set(Some(turn));
}

/// Ends the turn of the guest that this thread has just run, if it had one.
pub(super) fn end_current() {
    // Taken out first, because dropping it wakes others. A thread that ends has none.
    let turn = CURRENT.try_with(Cell::take);
    drop(turn);
}

/// Gives the turns that were held for too long to others.
pub(super) fn pass_on() {
    TURNS.serve();
}

/// Lets the other tasks of this thread run for [`GIVEN_WAY`], or until there are none.
///
/// Tokio's `yield_now` and not Wasmtime's own way: after Tokio's, the thread serves timers and sockets before the guest
/// runs again. After Wasmtime's, it would serve them only every 61 turns.
async fn give_way() {
    let mut given = Duration::ZERO;
    while given < GIVEN_WAY {
        let left = Instant::now();
        yield_now().await;
        let away = left.elapsed();
        if away < NOTHING_ELSE {
            return;
        }
        given += away;
    }
}

impl Turns {
    fn new(count: usize, lease: Duration) -> Self {
        Self { count, lease, state: Mutex::default() }
    }

    async fn wait(&'static self, function: &FunctionName) -> Turn {
        loop {
            let (sender, turn) = oneshot::channel();
            self.lock().waiting.push(function, sender);
            self.serve();
            // A sender that waits is only dropped by sending: the loop ends here.
            if let Ok(turn) = turn.await {
                return turn;
            }
        }
    }

    /// Gives free turns to guests that wait.
    fn serve(&'static self) {
        // A turn whose guest has just left comes back, and is dropped here, where nothing is locked.
        while let Some((waiting, turn)) = self.give() {
            drop(waiting.send(turn));
        }
    }

    fn give(&'static self) -> Option<(oneshot::Sender<Turn>, Turn)> {
        let mut state = self.lock();
        let now = Instant::now();
        while state.given.front().is_some_and(|(_, since)| now - *since > self.lease) {
            state.given.pop_front();
        }
        if state.given.len() >= self.count {
            return None;
        }
        let waiting = std::iter::from_fn(|| state.waiting.take(|_| true)).find(|waiting| !waiting.is_closed())?;
        let number = state.next;
        state.next += 1;
        state.given.push_back((number, now));
        Some((waiting, Turn { number, turns: self }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change is whole: there is nothing that a panic could break.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.turns.lock().given.retain(|(number, _)| *number != self.number);
        self.turns.serve();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt as _, future::BoxFuture};

    use super::*;

    fn turns(count: usize) -> &'static Turns {
        Box::leak(Box::new(Turns::new(count, Duration::from_hours(1))))
    }

    /// A guest of a function that waits for its turn.
    fn guest(turns: &'static Turns, function: &'static str) -> BoxFuture<'static, Turn> {
        let mut waiting = async move { turns.wait(&function.parse().unwrap()).await }.boxed();
        assert!((&mut waiting).now_or_never().is_none());
        waiting
    }

    #[test]
    fn a_guest_has_a_turn_at_once_while_there_are_some() {
        let turns = turns(2);
        let name: FunctionName = "f".parse().unwrap();
        let first = turns.wait(&name).now_or_never().unwrap();
        let _second = turns.wait(&name).now_or_never().unwrap();
        let third = guest(turns, "f");
        drop(first);
        assert!(third.now_or_never().is_some());
    }

    #[test]
    fn functions_take_turns_however_many_guests_wait_for_them() {
        let turns = turns(1);
        let held = turns.wait(&"f".parse().unwrap()).now_or_never().unwrap();
        let mut flood: Vec<_> = (0..10).map(|_| guest(turns, "flood")).collect();
        let other = guest(turns, "other");
        drop(held);
        let first = flood.remove(0).now_or_never().unwrap();
        drop(first);
        assert!(other.now_or_never().is_some(), "the second turn is the other function's");
    }

    #[test]
    fn the_turn_of_a_guest_that_has_left_goes_to_the_next() {
        let turns = turns(1);
        let held = turns.wait(&"f".parse().unwrap()).now_or_never().unwrap();
        let gone: Vec<_> = (0..100_000).map(|_| guest(turns, "f")).collect();
        drop(gone);
        let given = guest(turns, "f");
        let last = guest(turns, "f");
        drop(held);
        // It got a turn and leaves without having used it.
        drop(given);
        assert!(last.now_or_never().is_some());
    }

    #[test]
    fn a_turn_that_is_kept_for_too_long_passes_to_the_next() {
        let turns = Box::leak(Box::new(Turns::new(1, Duration::ZERO)));
        let kept = turns.wait(&"f".parse().unwrap()).now_or_never().unwrap();
        while turns.wait(&"f".parse().unwrap()).now_or_never().is_none() {}
        drop(kept);
        assert!(turns.lock().given.len() <= 1, "it has lost its turn, and ends no other");
    }
}
