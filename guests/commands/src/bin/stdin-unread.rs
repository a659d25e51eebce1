//! Answers without a look at its input, however long that is.

fn main() {
    println!("answered without reading");
}
