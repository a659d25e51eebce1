//! Ends with the exit code that its input says.

use std::io;
use std::process;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let code: i32 = io::read_to_string(io::stdin())?.trim().parse()?;
    eprintln!("exiting with {code}");
    process::exit(code);
}
