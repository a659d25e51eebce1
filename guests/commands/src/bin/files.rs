//! Lists, reads or writes files. Stdin says which: `["list", FOLDER]`, `["read", FILE]` or `["write", FILE, TEXT]`. The
//! result, or the error of the host, is JSON.

use serde_json::{Value, json};
use std::{fs, io};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let request: Vec<String> = serde_json::from_reader(io::stdin())?;
    let request: Vec<&str> = request.iter().map(String::as_str).collect();
    println!("{}", perform(&request).unwrap_or_else(|error| json!({ "error": error.to_string() })));
    Ok(())
}

fn perform(request: &[&str]) -> io::Result<Value> {
    match request {
        ["list", folder] => Ok(json!({ "entries": names(folder)? })),
        ["read", file] => Ok(json!({ "text": fs::read_to_string(file)? })),
        ["write", file, text] => fs::write(file, text).map(|()| json!({ "written": text.len() })),
        _ => Err(io::Error::other("there are list, read and write")),
    }
}

fn names(folder: &str) -> io::Result<Vec<String>> {
    let names = fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let mut names = names.collect::<io::Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}
