//! Layers: invokers around another one.

mod admission;
mod cross_origin;
mod memory;
mod observe;
mod rate;
mod traced;

pub use self::{
    admission::Admission,
    memory::MemoryAdmission,
    observe::{Observed, Observer},
};
pub(crate) use self::{
    cross_origin::CrossOrigin,
    memory::most_for_one,
    rate::RateAdmission,
    traced::{StatusOf, Traced},
};
