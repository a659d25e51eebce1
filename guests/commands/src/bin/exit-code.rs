//! Exits with the code that stdin gives.

use std::io;
use std::process;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let code: i32 = io::read_to_string(io::stdin())?.trim().parse()?;
    eprintln!("exiting with {code}");
    process::exit(code);
}
