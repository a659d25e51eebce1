//! Writes a result without reading stdin.

fn main() {
    println!("answered without reading");
}
