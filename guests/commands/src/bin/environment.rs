//! Writes its arguments and its environment variables as JSON. The variables are sorted by name.

use std::collections::BTreeMap;
use std::env;

fn main() {
    let arguments: Vec<String> = env::args().collect();
    let environment: BTreeMap<String, String> = env::vars().collect();
    println!("{}", serde_json::json!({ "arguments": arguments, "environment": environment }));
}
