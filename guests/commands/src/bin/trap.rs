//! Writes its stdin to stdout, and then panics. Its output must not count as a success.

use std::io::{self, Write};

fn main() -> io::Result<()> {
    io::copy(&mut io::stdin(), &mut io::stdout())?;
    io::stdout().flush()?;
    panic!("this guest always panics");
}
