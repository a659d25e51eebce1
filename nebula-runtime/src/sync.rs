//! What threads and tasks share their work with, for the files that the model checker runs as well.
//!
//! `tests/model` compiles those files once more, under a `crate::sync` of its own: there a scheduler decides at each of these
//! steps who goes on.

pub(crate) use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak, atomic},
    thread,
};

pub(crate) use tokio::spawn;
