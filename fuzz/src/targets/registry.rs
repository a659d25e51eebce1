//! Any answer of a registry.

use nebula::test_kit::{read_manifest, read_manifest_config, read_reference};

/// Any bytes are a manifest or a configuration of an artifact, or a reference of a registry, or they are refused. A
/// reference is displayed as a text that means the same.
pub fn registry(input: &[u8]) {
    let refused = [read_manifest(input).err(), read_manifest_config(input).err()];
    assert!(refused.into_iter().flatten().all(|message| !message.is_empty()));
    let Ok(text) = str::from_utf8(input) else { return };
    if let Ok(displayed) = read_reference(text) {
        assert_eq!(read_reference(&displayed).as_ref(), Ok(&displayed), "{text}");
    }
}
