//! A guest: its file, its functions, and the cases of them.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use nebula_runtime::{Digest, Kind};
use serde::Deserialize;

use crate::case::Case;

/// A guest, with all that its file in `cases/` says.
#[derive(Debug, Clone)]
pub struct Guest {
    /// Its name.
    pub name: String,
    /// Its module.
    pub path: PathBuf,
    /// How it is called.
    pub kind: Kind,
    /// Its functions: one of its own name, and those that its cases need besides.
    pub functions: Vec<Function>,
    /// Calls of its functions.
    pub cases: Vec<Case>,
    /// Why it cannot be published.
    pub refused: Option<Refused>,
}

/// A function: a guest and how it is run.
#[derive(Debug, Clone)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Its module.
    pub source: PathBuf,
    /// What its entry in `nebula.toml` says besides the source.
    pub config: toml::Table,
    /// Files beside that `nebula.toml`, and what is in them.
    pub files: BTreeMap<PathBuf, String>,
}

/// A module that cannot be published.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refused {
    /// A part of what is said about it.
    pub detail: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    kind: Kind,
    #[serde(default)]
    functions: BTreeMap<String, toml::Table>,
    #[serde(default)]
    files: BTreeMap<PathBuf, String>,
    #[serde(default)]
    case: Vec<Case>,
    refused: Option<Refused>,
}

/// A file for each guest.
const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/cases");

impl Guest {
    /// All guests.
    pub fn all() -> Vec<Self> {
        let mut files: Vec<_> = fs::read_dir(CASES).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files.iter().map(|file| Self::read(file)).collect()
    }

    /// One guest, if there is one of that name.
    pub fn named(name: &str) -> Option<Self> {
        let file = Path::new(CASES).join(format!("{name}.toml"));
        file.exists().then(|| Self::read(&file))
    }

    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        let file: File = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let source = source(&name);
        let mut functions = file.functions;
        if file.refused.is_none() {
            functions.entry(name.clone()).or_default();
        }
        let function = |(name, config)| Function { name, config, source: source.clone(), files: file.files.clone() };
        Self {
            functions: functions.into_iter().map(function).collect(),
            path: source.clone(),
            kind: file.kind,
            cases: file.case,
            refused: file.refused,
            name,
        }
    }

    /// The function that `case` calls, unless there is none on purpose.
    pub fn function(&self, case: &Case) -> Option<&Function> {
        let name = case.function(&self.name).split([':', '@']).next().unwrap_or_default();
        self.functions.iter().find(|function| function.name == name)
    }
}

impl Function {
    /// The digest of its module: of the binary, where the module is in the text format.
    pub fn digest(&self) -> String {
        let module = fs::read(&self.source).unwrap();
        Digest::of(&wat::parse_bytes(&module).unwrap()).to_string()
    }
}

/// A guest's file: its text, or what `just guests` makes of its source.
fn source(name: &str) -> PathBuf {
    let guests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guests").canonicalize().unwrap();
    let text = guests.join(format!("wat/{name}.wat"));
    if text.exists() { text } else { guests.join(format!("build/{name}.wasm")) }
}
