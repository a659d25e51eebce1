//! The subcommands, a file each.

pub(crate) mod completions;
pub(crate) mod inspect;
pub(crate) mod list;
pub(crate) mod man;
pub(crate) mod new;
pub(crate) mod package;
pub(crate) mod publish;
pub(crate) mod run;
pub(crate) mod serve;
