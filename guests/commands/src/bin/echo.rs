//! Writes its stdin to stdout, piece by piece as it arrives.

use std::io::{self, Read, Write};

fn main() -> io::Result<()> {
    let (mut stdin, mut stdout) = (io::stdin().lock(), io::stdout().lock());
    let mut piece = vec![0; 64 * 1024];
    loop {
        let length = stdin.read(&mut piece)?;
        if length == 0 {
            return Ok(());
        }
        stdout.write_all(&piece[..length])?;
        stdout.flush()?;
    }
}
