//! Hashes what is written.

use std::io::{self, Write};

use nebula_runtime::Digest;
use sha2::{Digest as _, Sha256};

/// A writer that knows the digest and the size of what it has passed on.
pub(super) struct Hashed<W> {
    writer: W,
    hasher: Sha256,
    size: u64,
}

impl<W> Hashed<W> {
    pub(super) fn new(writer: W) -> Self {
        Self { writer, hasher: Sha256::new(), size: 0 }
    }

    /// The writer, and the digest and the size of what was written.
    pub(super) fn finish(self) -> (W, Digest, u64) {
        let hash: [u8; 32] = self.hasher.finalize().into();
        (self.writer, hash.into(), self.size)
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.writer.write(bytes)?;
        self.hasher.update(bytes.get(..written).unwrap_or_default());
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}
