//! Fills the log without end, until a write is refused.

use std::io::{self, Write};

fn main() -> io::Result<()> {
    loop {
        writeln!(io::stderr(), "{}", "x".repeat(100))?;
    }
}
