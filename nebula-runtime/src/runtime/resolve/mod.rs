//! The first step of a call: which version the function's reference means just now, as far as this process knows.

mod choice;
mod deployments;
mod function;
mod held;
mod preparing;
mod reading;
mod step;

#[cfg(all(test, feature = "compiler"))]
pub(crate) use self::step::WAITING;
pub(crate) use self::{deployments::Deployments, step::Resolve};
