//! The binary format of a module that somebody wants to publish.

use bytes::Bytes;

use crate::function::{RegistryError, RegistryErrorKind, shortened, without_byte_order_mark};

/// The binary that a module stands for: itself, or what its text says.
pub(super) fn binary(module: Bytes) -> Result<Bytes, RegistryError> {
    if module.starts_with(b"\0asm") {
        return Ok(module);
    }
    if module.is_empty() {
        return Err(invalid("the module is empty"));
    }
    if let Some((what, advice)) = packing(&module) {
        return Err(invalid(format!("the file is not WebAssembly but {what}: {advice}")));
    }
    let Ok(text) = std::str::from_utf8(without_byte_order_mark(&module)) else {
        return Err(invalid("the file is not WebAssembly: it is neither the binary format nor text"));
    };
    let parsed = wat::parse_str(text)
        .map_err(|error| invalid(format!("the file is not WebAssembly, nor its text format: {}", legible(&error))));
    parsed.map(Bytes::from)
}

/// The message of the parser, which shows the whole line with the error. A file that is no text may be one long line.
fn legible(error: &wat::Error) -> String {
    const SHOWN: usize = 200;

    error.to_string().lines().map(|line| shortened(line, SHOWN)).collect::<Vec<_>>().join("\n")
}

fn invalid(detail: impl Into<String>) -> RegistryError {
    RegistryError::new(RegistryErrorKind::Invalid, detail.into())
}

/// What a file is that a module may be packed in, by the bytes that it begins with, and what unpacks it.
fn packing(file: &[u8]) -> Option<(&'static str, &'static str)> {
    const PACKINGS: [(&[u8], &str, &str); 9] = [
        (b"\x1f\x8b", "compressed with gzip", "decompress it first, with `gzip -d`"),
        (b"\x1f\x9d", "compressed with compress", "decompress it first, with `gzip -d`"),
        (b"\x28\xb5\x2f\xfd", "compressed with zstd", "decompress it first, with `zstd -d`"),
        (b"\xfd7zXZ\0", "compressed with xz", "decompress it first, with `xz -d`"),
        (b"BZh", "compressed with bzip2", "decompress it first, with `bzip2 -d`"),
        (b"\x04\x22\x4d\x18", "compressed with lz4", "decompress it first, with `lz4 -d`"),
        (b"PK\x03\x04", "a zip archive", "unpack it first, with `unzip`, and give the module that is in it"),
        (b"PK\x05\x06", "an empty zip archive", "give a module"),
        (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it first, and give the module that is in it"),
    ];
    /// Where a tar archive says that it is one ("ustar", POSIX.1-2017, pax).
    const TAR: std::ops::Range<usize> = 257..262;

    if file.get(TAR) == Some(b"ustar") {
        return Some(("a tar archive", "unpack it first, with `tar -x`, and give the module that is in it"));
    }
    let packed = PACKINGS.iter().find(|(magic, ..)| file.starts_with(magic));
    packed.map(|(_, what, advice)| (*what, *advice))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(file: &[u8]) -> String {
        binary(Bytes::copy_from_slice(file)).unwrap_err().detail().to_owned()
    }

    #[test]
    fn text_is_the_binary_that_it_stands_for_also_behind_a_byte_order_mark() {
        let expected = b"\0asm\x01\0\0\0";
        for module in [&expected[..], b"(module)", b"\xef\xbb\xbf(module)\n"] {
            assert_eq!(binary(Bytes::copy_from_slice(module)).unwrap(), &expected[..]);
        }
    }

    #[test]
    fn the_error_shows_only_the_beginning_of_a_long_line() {
        let refused = refused(&[0; 1 << 20]);
        assert!(refused.contains("--> <anon>:1:1") && refused.len() < 1_000, "{refused}");
    }

    #[test]
    fn a_packed_module_is_named_as_such_with_what_unpacks_it() {
        let tar = [&b"f.wasm"[..], &[0; 251], b"ustar\x0000"].concat();
        let cases: [(&[u8], &str); 8] = [
            (b"\x1f\x8b\x08\0", "compressed with gzip: decompress it first, with `gzip -d`"),
            (b"\x28\xb5\x2f\xfd\x04", "compressed with zstd: decompress it first, with `zstd -d`"),
            (b"\xfd7zXZ\0\0", "compressed with xz: decompress it first, with `xz -d`"),
            (b"BZh91AY&SY", "compressed with bzip2: decompress it first, with `bzip2 -d`"),
            (b"\x04\x22\x4d\x18\x64", "compressed with lz4: decompress it first, with `lz4 -d`"),
            (b"PK\x03\x04\x14", "a zip archive: unpack it first, with `unzip`, and give the module that is in it"),
            (b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it first, and give the module that is in it"),
            (&tar, "a tar archive: unpack it first, with `tar -x`, and give the module that is in it"),
        ];
        for (file, expected) in cases {
            assert_eq!(refused(file), format!("the file is not WebAssembly but {expected}"));
        }
    }
}
