//! A version that is about to be used.

#[cfg(feature = "compiler")]
use crate::store::VersionEntry;
use crate::{
    function::{Digest, FunctionName},
    store::FunctionRecord,
};

/// A version that is about to be used, as the record of its function has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) name: FunctionName,
    pub(crate) number: u64,
    pub(crate) manifest: Digest,
    /// The blobs of its signatures.
    pub(crate) signatures: Vec<Digest>,
}

impl Candidate {
    #[cfg(feature = "compiler")]
    pub(crate) fn of(name: &FunctionName, number: u64, entry: &VersionEntry) -> Self {
        Self { name: name.clone(), number, manifest: entry.manifest, signatures: entry.signatures.clone() }
    }

    /// The version with this number and manifest. It has no signatures where the record has another version of that
    /// number.
    pub(crate) fn in_record(record: &FunctionRecord, name: &FunctionName, number: u64, manifest: Digest) -> Self {
        let entry = record.version(number).map(|(_, entry)| entry).filter(|entry| entry.manifest == manifest);
        let signatures = entry.map(|entry| entry.signatures.clone()).unwrap_or_default();
        Self { name: name.clone(), number, manifest, signatures }
    }
}
