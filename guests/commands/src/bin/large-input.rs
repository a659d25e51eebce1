//! Reads all of stdin with a small, fixed buffer. Writes its length and its FNV-1a checksum of 32 bits.

use std::io::{self, Read};

fn main() -> io::Result<()> {
    let mut stdin = io::stdin().lock();
    let mut piece = vec![0; 64 * 1024];
    let (mut bytes, mut checksum) = (0_u64, 0x811c_9dc5_u32);
    loop {
        let length = stdin.read(&mut piece)?;
        if length == 0 {
            break;
        }
        bytes += length as u64;
        checksum =
            piece[..length].iter().fold(checksum, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    }
    println!("{}", serde_json::json!({ "bytes": bytes, "checksum": checksum }));
    Ok(())
}
