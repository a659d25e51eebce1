//! Layers: invokers around another one.

mod admission;
mod observe;

pub use self::{
    admission::Admission,
    observe::{Observed, Observer},
};
