//! The snapshot of a command: its initialiser runs once, and the memory and the globals that it leaves become a module of
//! their own, the image.

mod image;
mod initialise;
mod state;

pub(crate) use initialise::Uninitialised;
