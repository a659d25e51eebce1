//! Layers: invokers around another one.

mod admission;
mod memory;
mod observe;

pub(crate) use self::memory::most_for_one;
pub use self::{
    admission::Admission,
    memory::MemoryAdmission,
    observe::{Observed, Observer},
};
