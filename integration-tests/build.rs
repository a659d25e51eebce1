//! Fails the build if a guest has no case, or if a case has no guest. An untested guest may be broken.

use std::{
    collections::BTreeSet,
    error::Error,
    fs, io,
    path::{Path, PathBuf},
};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=cases");
    println!("cargo::rerun-if-changed=../guests/Cargo.toml");
    let (guests, cases) = (guests(Path::new("../guests"))?, stems(Path::new("cases"), "toml")?);
    for guest in guests.difference(&cases) {
        println!("cargo::error=the guest {guest} has no case: add integration-tests/cases/{guest}.toml");
    }
    for case in cases.difference(&guests) {
        println!("cargo::error=integration-tests/cases/{case}.toml has no guest: guests/ has no source of that name");
    }
    for case in cases.intersection(&guests) {
        let path = format!("cases/{case}.toml");
        if !fs::read_to_string(&path)?.lines().any(|line| matches!(line, "[[case]]" | "[refused]")) {
            println!("cargo::error=integration-tests/{path} has no [[case]]");
        }
    }
    Ok(())
}

/// The names of all guests, found by their source files.
fn guests(folder: &Path) -> Result<BTreeSet<String>, Box<dyn Error>> {
    let mut guests = stems(&folder.join("wat"), "wat")?;
    for package in packages(folder)? {
        guests.extend(guests_of(&package)?);
    }
    guests.extend(components(&folder.join("build.sh"))?.into_iter().map(|name| name + "-component"));
    Ok(guests)
}

fn packages(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let folders = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    Ok(folders.into_iter().filter(|folder| folder.join("Cargo.toml").exists()).collect())
}

/// The guests in a package: its binaries and its examples. A package without any of these is one guest itself.
fn guests_of(package: &Path) -> io::Result<BTreeSet<String>> {
    let mut guests = stems(&package.join("src/bin"), "rs")?;
    guests.append(&mut stems(&package.join("examples"), "rs")?);
    if guests.is_empty() || package.join("src/main.rs").exists() {
        guests.extend(package.file_name().map(|name| name.to_string_lossy().into_owned()));
    }
    Ok(guests)
}

/// The commands that `guests/build.sh` builds as components too.
fn components(script: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    println!("cargo::rerun-if-changed={}", script.display());
    let text = fs::read_to_string(script)?;
    let list = text.lines().find_map(|line| line.strip_prefix("components=(")?.strip_suffix(')'));
    let list = list.ok_or("guests/build.sh has no line components=(…)")?;
    Ok(list.split_whitespace().map(str::to_owned).collect())
}

/// The names, without extension, of the files in `folder` whose extension is `extension`. A missing folder has none.
fn stems(folder: &Path, extension: &str) -> io::Result<BTreeSet<String>> {
    if !folder.exists() {
        return Ok(BTreeSet::new());
    }
    println!("cargo::rerun-if-changed={}", folder.display());
    let paths = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    let matching = paths.iter().filter(|path| path.extension().is_some_and(|found| found == extension));
    Ok(matching.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect())
}
