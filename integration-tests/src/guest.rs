//! A guest with its functions and cases.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use nebula_runtime::{Digest, Kind};
use serde::Deserialize;

use crate::case::Case;

/// A guest, as its file in `cases/` describes it.
#[derive(Debug, Clone)]
pub struct Guest {
    /// Its name.
    pub name: String,
    /// The file of its module.
    pub path: PathBuf,
    /// Its kind, which decides how it is called.
    pub kind: Kind,
    /// Its functions: one with the guest's name, and the others that its cases need.
    pub functions: Vec<Function>,
    /// The calls of its functions.
    pub cases: Vec<Case>,
    /// Set if the guest cannot be published.
    pub rejection: Option<Rejection>,
}

/// A function: a guest and its configuration.
#[derive(Debug, Clone)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// The file of its module.
    pub source: PathBuf,
    /// The keys of its entry in `nebula.toml`, except the source.
    pub config: toml::Table,
    /// Files in the folder of that `nebula.toml`, with their contents.
    pub files: BTreeMap<PathBuf, String>,
}

/// Why a module cannot be published.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rejection {
    /// A part of the error's message.
    pub detail: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GuestFile {
    kind: Kind,
    #[serde(default)]
    functions: BTreeMap<String, toml::Table>,
    #[serde(default)]
    files: BTreeMap<PathBuf, String>,
    #[serde(default)]
    case: Vec<Case>,
    #[serde(rename = "refused")]
    rejection: Option<Rejection>,
}

/// The folder with one file for each guest.
const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/cases");

impl Guest {
    /// All guests.
    pub fn all() -> Vec<Self> {
        let mut files: Vec<_> = fs::read_dir(CASES).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files.iter().map(|file| Self::read(file)).collect()
    }

    /// The guest with this name, if it exists.
    pub fn named(name: &str) -> Option<Self> {
        let file = Path::new(CASES).join(format!("{name}.toml"));
        file.exists().then(|| Self::read(&file))
    }

    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        let file: GuestFile = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let source = source(&name);
        let mut functions = file.functions;
        if file.rejection.is_none() {
            functions.entry(name.clone()).or_default();
        }
        let function = |(name, config)| Function { name, config, source: source.clone(), files: file.files.clone() };
        Self {
            functions: functions.into_iter().map(function).collect(),
            path: source.clone(),
            kind: file.kind,
            cases: file.case,
            rejection: file.rejection,
            name,
        }
    }

    /// The function that `case` calls. `None` if the case calls a missing function on purpose.
    pub fn function(&self, case: &Case) -> Option<&Function> {
        let name = case.function(&self.name).split([':', '@']).next().unwrap_or_default();
        self.functions.iter().find(|function| function.name == name)
    }
}

impl Function {
    /// The digest of its module. A module in the text format is converted to the binary format first.
    pub fn digest(&self) -> String {
        let module = fs::read(&self.source).unwrap();
        Digest::of(&wat::parse_bytes(&module).unwrap()).to_string()
    }
}

/// The guest's file: its text format, or the binary that `just guests` builds.
fn source(name: &str) -> PathBuf {
    let guests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guests").canonicalize().unwrap();
    let text = guests.join(format!("wat/{name}.wat"));
    if text.exists() { text } else { guests.join(format!("build/{name}.wasm")) }
}
