//! Sleeps for the number of milliseconds that stdin gives. It waits inside the host, where none of its own code can be
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
