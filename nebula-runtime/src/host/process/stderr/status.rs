//! A line at the end of a terminal that says how far the work is. Everything else that is written takes its place.

use std::{
    io,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

/// What a status begins with: the terminal goes to the start of the line, and clears it.
const CLEAR: &[u8] = b"\r\x1b[K";

/// Where the terminal is. Only the thread that writes stderr changes it.
pub(super) struct Status {
    /// Whether a status is in the queue. Another one would come too soon.
    is_queued: AtomicBool,
    /// Whether the last line of the terminal is a status.
    is_shown: AtomicBool,
    /// Whether the last line of the terminal is an unfinished line of something else.
    is_in_line: AtomicBool,
}

impl Status {
    pub(super) const fn new() -> Self {
        Self { is_queued: AtomicBool::new(false), is_shown: AtomicBool::new(false), is_in_line: AtomicBool::new(false) }
    }

    /// The bytes that show `line`, unless the last status is not written yet. If `line` is empty, nothing is shown any
    /// more.
    pub(super) fn next(&self, line: &str) -> Option<Vec<u8>> {
        let waits = self.is_queued.swap(true, Relaxed) && !line.is_empty();
        (!waits).then(|| [CLEAR, line.as_bytes()].concat())
    }

    /// Writes bytes of the queue by `write`, as [`io::Write::write`] does.
    pub(super) fn write(&self, bytes: &[u8], write: impl Fn(&[u8]) -> io::Result<usize>) -> io::Result<usize> {
        if let Some(line) = bytes.strip_prefix(CLEAR).filter(|_| self.is_queued.swap(false, Relaxed)) {
            return self.write_status(bytes, line.is_empty(), write);
        }
        if self.is_shown.swap(false, Relaxed) {
            write(CLEAR)?;
        }
        let written = write(bytes)?;
        let last = bytes.get(..written).and_then(<[u8]>::last);
        self.is_in_line.store(last.is_some_and(|last| *last != b'\n'), Relaxed);
        Ok(written)
    }

    /// Writes a status. It is left out where it would overwrite an unfinished line, and where there is none to clear.
    fn write_status(
        &self,
        bytes: &[u8],
        is_empty: bool,
        write: impl Fn(&[u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let was_shown = self.is_shown.swap(false, Relaxed);
        if self.is_in_line.load(Relaxed) || (is_empty && !was_shown) {
            return Ok(bytes.len());
        }
        // If only a part is written, the rest is not worth it: the next status comes soon.
        write(bytes)?;
        self.is_shown.store(!is_empty, Relaxed);
        Ok(bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    /// What a terminal is sent for these writes. A write that begins with `>` is a status.
    fn sent(writes: &[&str]) -> String {
        let (status, terminal) = (Status::new(), RefCell::new(Vec::new()));
        for text in writes {
            let bytes = match text.strip_prefix('>') {
                Some(line) => status.next(line).unwrap(),
                None => text.as_bytes().to_vec(),
            };
            let write = |bytes: &[u8]| {
                terminal.borrow_mut().extend_from_slice(bytes);
                Ok(bytes.len())
            };
            assert_eq!(status.write(&bytes, write).unwrap(), bytes.len());
        }
        String::from_utf8(terminal.into_inner()).unwrap().replace("\r\x1b[K", "<")
    }

    #[test]
    fn a_status_gives_way_to_everything_else_and_never_overwrites_it() {
        let cases: [(&[&str], &str); 6] = [
            (&[">1 event", ">2 events", ">"], "<1 event<2 events<"),
            (&[">1 event", "a guest's line\n", ">2 events"], "<1 event<a guest's line\n<2 events"),
            (&[">1 event", "half ", ">2 events", "a line\n", ">3 events"], "<1 event<half a line\n<3 events"),
            (&["log\n", ">"], "log\n"),
            (&["half", ">"], "half"),
            (&["\r\x1b[Kof a guest\n"], "<of a guest\n"),
        ];
        for (writes, expected) in cases {
            assert_eq!(sent(writes), expected, "{writes:?}");
        }
    }

    #[test]
    fn a_status_is_left_out_while_the_last_one_waits_but_for_the_end() {
        let status = Status::new();
        assert!(status.next("1 event").is_some());
        assert_eq!(status.next("2 events"), None);
        assert!(status.next("").is_some());
    }
}
