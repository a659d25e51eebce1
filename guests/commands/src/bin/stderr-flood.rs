//! Writes to stderr until a write fails.

use std::io::{self, Write};

fn main() -> io::Result<()> {
    loop {
        writeln!(io::stderr(), "{}", "x".repeat(100))?;
    }
}
