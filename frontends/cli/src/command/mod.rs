//! The subcommands, a file each.

pub(crate) mod alias;
pub(crate) mod blobs;
pub(crate) mod completions;
pub(crate) mod diff;
pub(crate) mod gc;
pub(crate) mod history;
pub(crate) mod inspect;
pub(crate) mod keygen;
pub(crate) mod kv;
pub(crate) mod list;
pub(crate) mod man;
pub(crate) mod new;
pub(crate) mod package;
pub(crate) mod precompile;
pub(crate) mod profile;
pub(crate) mod publish;
pub(crate) mod push;
pub(crate) mod rm;
pub(crate) mod rollback;
pub(crate) mod run;
pub(crate) mod serve;
pub(crate) mod sign;
pub(crate) mod start;
pub(crate) mod token;
pub(crate) mod top;
pub(crate) mod verify;
