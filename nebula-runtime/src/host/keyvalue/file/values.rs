//! The values in a transaction that writes.

use bytes::Bytes;
use redb::{Error, ReadableTable as _, Table, TableDefinition, WriteTransaction};

/// The values, by their keys.
pub(super) const VALUES: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("nebula.values");

/// How many bytes all keys and values have.
const BYTES: TableDefinition<'static, (), u64> = TableDefinition::new("nebula.bytes");

/// The values in a transaction that writes.
pub(super) struct Values<'a> {
    transaction: &'a WriteTransaction,
    table: Table<'a, &'static str, &'static [u8]>,
    is_changed: bool,
    added: u64,
    removed: u64,
}

impl<'a> Values<'a> {
    pub(super) fn open(transaction: &'a WriteTransaction) -> Result<Self, Error> {
        let table = transaction.open_table(VALUES)?;
        Ok(Self { transaction, table, is_changed: false, added: 0, removed: 0 })
    }

    pub(super) fn get(&self, key: &str) -> Result<Option<Bytes>, Error> {
        Ok(self.table.get(key)?.map(|value| Bytes::copy_from_slice(value.value())))
    }

    pub(super) fn set(&mut self, key: &str, value: &[u8]) -> Result<(), Error> {
        let old = self.table.insert(key, value)?;
        self.is_changed = true;
        self.added += size(key, value);
        self.removed += old.map_or(0, |old| size(key, old.value()));
        Ok(())
    }

    pub(super) fn remove(&mut self, key: &str) -> Result<(), Error> {
        let Some(old) = self.table.remove(key)? else { return Ok(()) };
        self.is_changed = true;
        self.removed += size(key, old.value());
        Ok(())
    }

    /// How many bytes all keys and values have now. Nothing if nothing was changed.
    pub(super) fn finish(self) -> Result<Option<u64>, Error> {
        if !self.is_changed {
            return Ok(None);
        }
        let mut table = self.transaction.open_table(BYTES)?;
        let before = table.get(())?.map_or(0, |bytes| bytes.value());
        let bytes = (before + self.added).saturating_sub(self.removed);
        table.insert((), bytes)?;
        Ok(Some(bytes))
    }
}

fn size(key: &str, value: &[u8]) -> u64 {
    (key.len() + value.len()) as u64
}
