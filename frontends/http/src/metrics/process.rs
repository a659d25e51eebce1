//! Metrics of the process itself, under the names that Prometheus' own clients use. Linux alone shows them.

use super::reading::Reading;

/// The unit of times in `/proc`: Linux has it on all processors.
const TICKS_IN_A_SECOND: f64 = 100.0;

/// What `/proc` tells about this process; nothing where there is no `/proc`.
pub(super) fn readings() -> Vec<Reading> {
    [memory(), times(), descriptors()].into_iter().flatten().flatten().collect()
}

/// From `/proc/self/status`, whose sizes are in KiB.
fn memory() -> Option<Vec<Reading>> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim_start_matches(':').split_whitespace().next()?.parse::<u64>().ok()
    };
    let bytes = |name| Some(field(name)? * 1_024);
    Some(vec![
        Reading::gauge("process_resident_memory_bytes", "Memory of the process that is resident", bytes("VmRSS")?),
        Reading::gauge("process_virtual_memory_bytes", "Address space of the process", bytes("VmSize")?),
        Reading::gauge("process_threads", "Threads of the process", field("Threads")?),
    ])
}

/// From `/proc/self/stat`, whose fields are counted from the end of the program's name (proc_pid_stat(5)).
fn times() -> Option<Vec<Reading>> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let seconds = |index: usize| Some(fields.get(index)?.parse::<f64>().ok()? / TICKS_IN_A_SECOND);
    // `utime`, `stime` and `starttime`.
    let (user, system, since_boot) = (seconds(11)?, seconds(12)?, seconds(19)?);
    let boot = std::fs::read_to_string("/proc/stat").ok()?;
    let boot = boot.lines().find_map(|line| line.strip_prefix("btime "))?.parse::<f64>().ok()?;
    Some(vec![
        Reading::counter("process_cpu_seconds", "Time of processors that the process has used", user + system),
        Reading::gauge("process_start_time_seconds", "When the process started, since 1970", boot + since_boot),
    ])
}

fn descriptors() -> Option<Vec<Reading>> {
    let open = std::fs::read_dir("/proc/self/fd").ok()?.count() as u64;
    let (most, _) = rlimit::Resource::NOFILE.get().ok()?;
    Some(vec![
        Reading::gauge("process_open_fds", "File descriptors that are open", open),
        Reading::gauge("process_max_fds", "File descriptors that may be open", most),
    ])
}
