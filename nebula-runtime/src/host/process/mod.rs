//! The process that guests run in: its core dumps, its stderr, and the start of its Tokio runtime.

mod core_dumps;
pub mod stderr;
pub mod tokio_start;

pub use self::core_dumps::turn_off_core_dumps;
