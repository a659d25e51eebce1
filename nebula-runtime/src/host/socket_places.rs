//! How many sockets guests have at once.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use rustix::process::{Resource, getrlimit};

/// How many sockets one instance may have at once.
const MOST_OF_AN_INSTANCE: usize = 64;

/// The sockets of all guests of the process. Each is one of the process's file descriptors.
static OPEN: AtomicUsize = AtomicUsize::new(0);

/// The sockets that one instance has, by their handles.
#[derive(Default)]
pub(super) struct SocketPlaces {
    open: Arc<()>,
    of_handles: HashMap<u32, SocketPlace>,
}

/// The right to have one socket. Clones are of the same socket: a stream may live longer than the handle of its socket.
pub(super) type SocketPlace = Arc<Place>;

/// One socket among those of its instance and of the process.
pub(super) struct Place {
    _of_instance: Arc<()>,
}

impl SocketPlaces {
    /// A place for one more socket, unless the instance or the process has as many as it may have.
    pub(super) fn take(&self) -> Option<SocketPlace> {
        if Arc::strong_count(&self.open) > MOST_OF_AN_INSTANCE {
            return None;
        }
        let most = most_of_process();
        let taken = |open| (open < most).then_some(open + 1);
        OPEN.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken).ok()?;
        Some(Arc::new(Place { _of_instance: Arc::clone(&self.open) }))
    }

    /// Keeps the place of a socket for as long as the guest has its handle.
    pub(super) fn keep(&mut self, handle: u32, place: SocketPlace) {
        self.of_handles.insert(handle, place);
    }

    pub(super) fn of(&self, handle: u32) -> Option<SocketPlace> {
        self.of_handles.get(&handle).cloned()
    }

    /// The guest has dropped the handle.
    pub(super) fn release(&mut self, handle: u32) {
        self.of_handles.remove(&handle);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        OPEN.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A quarter of the process's file descriptors: the others are for clients, files and services.
fn most_of_process() -> usize {
    let limit = getrlimit(Resource::Nofile).current;
    limit.map_or(usize::MAX, |limit| usize::try_from(limit / 4).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_has_a_bounded_number_of_sockets_until_it_drops_one() {
        let mut places = SocketPlaces::default();
        for handle in 0..MOST_OF_AN_INSTANCE {
            places.keep(u32::try_from(handle).unwrap(), places.take().unwrap());
        }
        let stream = places.of(3);
        assert!(stream.is_some() && places.take().is_none());
        places.release(3);
        assert!(places.take().is_none(), "a stream still has the socket");
        drop(stream);
        assert!(places.take().is_some());
        // Not one more at once: a quarter of the descriptors may be as many.
        assert!(SocketPlaces::default().take().is_some(), "another instance has its own");
    }
}
