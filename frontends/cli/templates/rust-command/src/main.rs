use std::io::{self, Read, Write};

fn main() -> io::Result<()> {
    let mut name = String::new();
    io::stdin().read_to_string(&mut name)?;
    let name = if name.trim().is_empty() { "world" } else { name.trim() };
    writeln!(io::stdout(), "Hello, {name}!")
}
