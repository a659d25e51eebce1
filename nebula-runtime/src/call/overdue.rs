//! The invocations of one gate that may lose their place, because they wait for their readers beyond their time.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

/// A guest that can be ended while nobody runs it.
pub(crate) trait Evictable: Send + Sync {
    /// Ends the guest and gives its places back. Returns false where its reader runs it just now: the reader ends it
    /// then.
    fn evict(&self) -> bool;
}

/// Guests by when their time is over. It costs only those that wait for their readers, and those that wait for a place.
#[derive(Default)]
pub(crate) struct OverdueGuests {
    guests: Mutex<Guests>,
    changed: Notify,
}

/// Two of the same time are told apart by their address.
type Guests = BTreeMap<(Instant, usize), Weak<dyn Evictable>>;

/// What to do about the first of the guests.
enum First {
    /// End it: its time is over.
    End(Weak<dyn Evictable>),
    /// Wait until then.
    WaitUntil(Instant),
    /// There is no guest.
    Nobody,
}

impl OverdueGuests {
    /// Adds a guest whose time is over at `due`.
    pub(crate) fn insert(&self, due: Instant, guest: &Arc<dyn Evictable>) {
        self.lock().insert((due, address(guest)), Arc::downgrade(guest));
        self.changed.notify_waiters();
    }

    /// Removes a guest that has ended.
    pub(crate) fn remove(&self, due: Instant, guest: &Arc<dyn Evictable>) {
        self.lock().remove(&(due, address(guest)));
        self.changed.notify_waiters();
    }

    /// Ends the guest that is furthest past its time, once there is one, and waits until then.
    pub(crate) async fn end_one(&self) {
        loop {
            // Made before the look, so that no change between the look and the wait is missed.
            let changed = self.changed.notified();
            match self.first(Instant::now()) {
                First::End(guest) => match guest.upgrade() {
                    Some(guest) if guest.evict() => return,
                    // Its registration is dropped when its reader has seen that.
                    Some(_) => changed.await,
                    None => {}
                },
                // Either way it is time for another look.
                First::WaitUntil(due) => drop(timeout_at(due, changed).await),
                First::Nobody => changed.await,
            }
        }
    }

    fn first(&self, now: Instant) -> First {
        let mut guests = self.lock();
        match guests.first_entry() {
            Some(first) if first.key().0 <= now => First::End(first.remove()),
            Some(first) => First::WaitUntil(first.key().0),
            None => First::Nobody,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Guests> {
        // Every change is whole: there is nothing that a panic could break.
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn address(guest: &Arc<dyn Evictable>) -> usize {
    Arc::as_ptr(guest).cast::<()>().addr()
}
