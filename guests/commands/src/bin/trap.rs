//! Answers its input, as a good command would, and then panics: what was written does not make it a success.

use std::io::{self, Write};

fn main() -> io::Result<()> {
    io::copy(&mut io::stdin(), &mut io::stdout())?;
    io::stdout().flush()?;
    panic!("this guest always panics");
}
