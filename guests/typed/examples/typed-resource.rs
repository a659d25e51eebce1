//! Exports a resource, which Nebula does not accept: its handles have no meaning outside of the instance.

use std::cell::Cell;

wit_bindgen::generate!({ path: "wit/typed-resource.wit" });

use exports::nebula::typed_resource::counters::{Guest, GuestCounter};

struct Counters;

export!(Counters);

struct Counter(Cell<u32>);

impl Guest for Counters {
    type Counter = Counter;
}

impl GuestCounter for Counter {
    fn new(start: u32) -> Self {
        Self(Cell::new(start))
    }

    fn increment(&self) -> u32 {
        self.0.set(self.0.get() + 1);
        self.0.get()
    }
}
