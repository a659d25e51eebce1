//! Answers the arguments and the environment it was given, the variables in the order of their names.

use std::collections::BTreeMap;
use std::env;

fn main() {
    let arguments: Vec<String> = env::args().collect();
    let environment: BTreeMap<String, String> = env::vars().collect();
    println!("{}", serde_json::json!({ "arguments": arguments, "environment": environment }));
}
