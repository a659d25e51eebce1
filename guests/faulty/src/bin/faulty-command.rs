//! Divides the numbers on stdin, and traps if there is nothing to divide by.

use std::io;

fn main() -> io::Result<()> {
    let text = io::read_to_string(io::stdin())?;
    let numbers: Vec<i32> = text.split_whitespace().filter_map(|number| number.parse().ok()).collect();
    println!("{}", faulty::share(numbers.first().copied().unwrap_or(1), numbers.get(1).copied().unwrap_or(0)));
    Ok(())
}
