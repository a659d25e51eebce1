//! When the file is compacted.

use std::time::Duration;

use redb::{CompactionError, Database, Error};

use super::shared_file::Turns;

/// When the file is compacted: while nobody writes, if it has at least 8 MiB and is four times as long as its keys and
/// values. redb uses the space of removed values again, so that a file that keeps its size needs no compaction.
///
/// A compaction takes about as long as writing the values that are left. Changes wait meanwhile, in all processes, and so
/// do reads.
#[derive(Debug, Default)]
pub(super) struct Compaction {
    due_in: Option<Duration>,
    /// How many bytes the keys and values had after the last compaction. Another one would gain little until they are
    /// half of that.
    bytes_at_last: Option<u64>,
    bytes: u64,
}

/// The shortest file that is compacted.
const SHORTEST: u64 = 8 << 20;

/// How much longer than its keys and values a file is when it is compacted.
const TIMES: u64 = 4;

/// How long nobody writes before the file is compacted.
const QUIET: Duration = Duration::from_secs(1);

/// The longest pause before the next attempt, after others have read at each attempt before.
const LONGEST: Duration = Duration::from_secs(60);

impl Compaction {
    /// Notes how many bytes the keys and values have after a commit, and how many the file has.
    pub(super) fn note(&mut self, bytes: u64, file_len: u64) {
        self.bytes = bytes;
        let is_gain = self.bytes_at_last.is_none_or(|last| bytes <= last / 2);
        let is_due = is_gain && file_len >= SHORTEST && file_len / TIMES >= bytes;
        self.due_in = is_due.then_some(QUIET);
    }

    /// After how much time without a change the file is compacted, if it is to be.
    pub(super) fn is_due_in(&self) -> Option<Duration> {
        self.due_in
    }

    /// Compacts the file, or tries it again later if another process reads or writes just now.
    pub(super) fn run(&mut self, database: &mut Database, turns: &Turns) -> Result<(), Error> {
        let before = turns.file_len()?;
        match database.compact() {
            Ok(_) => {
                (self.due_in, self.bytes_at_last) = (None, Some(self.bytes));
                tracing::debug!(before, after = turns.file_len()?, "compacted the file of a key-value store");
                Ok(())
            }
            Err(CompactionError::TransactionInProgress | CompactionError::Storage(redb::StorageError::Backend(_))) => {
                self.due_in = self.due_in.map(|pause| (pause * 2).min(LONGEST));
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }
}
