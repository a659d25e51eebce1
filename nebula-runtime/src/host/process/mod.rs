//! The process that guests run in: its stderr, and the start of its Tokio runtime.

pub mod stderr;
pub mod tokio_start;
