//! How much memory and time compiling a module may take.

use std::{
    fmt::{self, Display, Formatter},
    io,
    time::Duration,
};

use bytesize::ByteSize;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How much memory and time compiling a module may take. The compiled Python of `componentize-py` (24 MB) took 0.4 GiB and
/// 14 s when this was written: an eighth and a fifteenth of what it has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    memory: u64,
    /// In whole seconds, because the system counts these.
    seconds: u64,
}

impl Bounds {
    /// What the smallest module has. An allocator may reserve a GiB at its start.
    const LEAST: Self = Self { memory: 2 << 30, seconds: 30 };

    pub(super) fn of(module: usize) -> Self {
        let module = module as u64;
        Self {
            memory: Self::LEAST.memory.saturating_add(module.saturating_mul(64)),
            seconds: Self::LEAST.seconds.saturating_add(module / 100_000),
        }
    }

    /// Limits this process. At the limit of its time, the system ends it. At the limit of its memory, it ends itself.
    pub(super) fn enforce(self) -> io::Result<()> {
        limit(Resource::Data, self.memory)?;
        limit(Resource::Cpu, self.seconds)
    }
}

/// Sets a limit. If the process has a lower one already, that stays.
fn limit(resource: Resource, most: u64) -> io::Result<()> {
    let most = getrlimit(resource).maximum.map_or(most, |maximum| maximum.min(most));
    Ok(setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?)
}

impl Display for Bounds {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let time = humantime::format_duration(Duration::from_secs(self.seconds));
        write!(f, "{} of memory, or more than {time} of a processor's time", ByteSize(self.memory))
    }
}
