//! Values that are kept until an invocation's guest has ended.

use std::fmt;

use super::places::Place;

/// Values that are dropped when an invocation's guest has ended; see [`Invocation::attach`](crate::Invocation::attach).
///
/// - Dropping this drops them, the one that was attached last first.
/// - Each value is one allocation. Without values there is none.
#[derive(Default)]
pub struct Guards {
    /// The value that was attached last, if that is a place: a call through a server's layers then allocates nothing
    /// for it.
    place: Option<Place>,
    others: Option<Box<dyn Guard>>,
}

/// A value, and those that were attached before it.
trait Guard: Send {
    /// Shows each of them that is a place.
    fn each_place(&self, look: &mut dyn FnMut(&Place));
}

struct Kept<T> {
    /// Only to be dropped, before the others.
    _value: T,
    others: Guards,
}

impl Guards {
    /// Adds a value.
    pub fn add(&mut self, value: impl Send + 'static) {
        let others = std::mem::take(self);
        self.others = Some(Box::new(Kept { _value: value, others }));
    }

    /// Adds a place, which the guest may lose to another invocation when it is past its time.
    pub(crate) fn add_place(&mut self, place: Place) {
        if self.place.is_some() {
            // Moves the place that is there behind the new one.
            self.add(());
        }
        self.place = Some(place);
    }

    /// Shows the places among them.
    pub(crate) fn each_place(&self, look: &mut dyn FnMut(&Place)) {
        self.place.iter().for_each(&mut *look);
        if let Some(others) = &self.others {
            others.each_place(look);
        }
    }
}

impl<T: Send> Guard for Kept<T> {
    fn each_place(&self, look: &mut dyn FnMut(&Place)) {
        self.others.each_place(look);
    }
}

impl fmt::Debug for Guards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_empty = self.place.is_none() && self.others.is_none();
        f.write_str(if is_empty { "Guards(none)" } else { "Guards(some)" })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::call::{error::Overload, gate::Gate};

    /// Notes its name when it is dropped.
    struct Noted(&'static str, Arc<Mutex<Vec<&'static str>>>);

    impl Drop for Noted {
        fn drop(&mut self) {
            self.1.lock().unwrap().push(self.0);
        }
    }

    #[test]
    fn values_are_dropped_from_the_last_to_the_first_and_places_are_found_among_them() {
        let gates = [(); 3].map(|()| Gate::new(1, Overload::Server));
        let dropped = Arc::<Mutex<Vec<_>>>::default();
        let mut guards = Guards::default();
        for (name, gate) in ["first", "second", "third"].into_iter().zip(&gates) {
            guards.add(Noted(name, Arc::clone(&dropped)));
            guards.add_place(gate.try_enter().unwrap());
        }
        guards.add_place(Gate::new(1, Overload::Function).try_enter().unwrap());
        let mut places = 0;
        guards.each_place(&mut |_| places += 1);
        assert_eq!((places, dropped.lock().unwrap().len()), (4, 0));
        assert!(gates.iter().all(|gate| gate.try_enter().is_none()));
        drop(guards);
        assert_eq!(*dropped.lock().unwrap(), ["third", "second", "first"]);
        assert!(gates.iter().all(|gate| gate.try_enter().is_some()));
    }
}
