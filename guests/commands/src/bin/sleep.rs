//! Sleeps for as many milliseconds as its input says: it waits inside its host, where no code of its own can be
//! interrupted.

use std::io;
use std::thread;
use std::time::Duration;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let milliseconds = io::read_to_string(io::stdin())?.trim().parse()?;
    thread::sleep(Duration::from_millis(milliseconds));
    println!("slept for {milliseconds} ms");
    Ok(())
}
