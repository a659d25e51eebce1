//! Counts the lines, words and bytes of stdin, as `wc` does. It holds at most one line in memory.

use std::io::{self, BufRead};

fn main() -> io::Result<()> {
    let mut stdin = io::stdin().lock();
    let (mut lines, mut words, mut bytes, mut line) = (0_u64, 0_u64, 0_u64, Vec::new());
    while stdin.read_until(b'\n', &mut line)? > 0 {
        lines += u64::from(line.ends_with(b"\n"));
        words += line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).count() as u64;
        bytes += line.len() as u64;
        line.clear();
    }
    println!("{}", serde_json::json!({ "lines": lines, "words": words, "bytes": bytes }));
    Ok(())
}
