//! Writes the n-th prime. Its initialiser makes the table of primes that the calls look in, and with a snapshot it runs
//! once, when the command is published. Without one, each call makes the table.

use std::{io, sync::OnceLock};

/// How many primes the table has.
const COUNT: usize = 20_000;

static PRIMES: OnceLock<Vec<u32>> = OnceLock::new();

/// Called by the host before it takes the snapshot.
#[unsafe(export_name = "wizer-initialize")]
extern "C" fn initialize() {
    PRIMES.get_or_init(table);
}

fn main() -> io::Result<()> {
    let has_table = PRIMES.get().is_some();
    let text = io::read_to_string(io::stdin())?;
    let number = text.trim().parse::<usize>().ok().and_then(|number| number.checked_sub(1));
    match number.and_then(|index| PRIMES.get_or_init(table).get(index)) {
        Some(prime) if has_table => println!("{prime}, looked up"),
        Some(prime) => println!("{prime}, computed"),
        None => {
            eprintln!("expected a number from 1 to {COUNT}");
            std::process::exit(2);
        }
    }
    Ok(())
}

/// The first primes. Each number is divided by the primes up to its square root.
fn table() -> Vec<u32> {
    let mut primes: Vec<u32> = Vec::with_capacity(COUNT);
    let mut number = 2;
    while primes.len() < COUNT {
        let mut small = primes.iter().take_while(|prime| *prime * *prime <= number);
        if small.all(|prime| number % prime != 0) {
            primes.push(number);
        }
        number += 1;
    }
    primes
}
