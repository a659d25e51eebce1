//! The file of a server's tokens.
//!
//! ```text
//! {"format":1,"tokens":[{"name":"ci","secret":"sha256:…","rights":["read","publish"],"functions":["shop-*"],
//!   "created_at":"2026-01-31T12:00:00Z","expires_at":"2026-05-01T12:00:00Z"}]}
//! ```

use std::{
    collections::BTreeSet,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use nebula_runtime::Digest;
use serde::{Deserialize, Serialize};
use subtle::ConditionallySelectable as _;

use super::token::{NewToken, Secret, Token, TokenName};

/// The file of a server's tokens.
///
/// - It holds the SHA-256 of each secret, and no secret.
/// - It is replaced as a whole. Several processes may change it at once, and none loses what another wrote.
/// - It belongs to the user of the server, or to root, and nobody else may write to it. Otherwise it is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenFile(PathBuf);

/// The tokens in a file.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub(crate) struct Tokens(Vec<Token>);

/// The tokens as they are written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    format: u64,
    tokens: Vec<Token>,
}

/// The format of the file that this build writes, and the only one that it reads.
const FORMAT: u64 = 1;

/// Why a token file cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum TokenFileError {
    /// The file cannot be read or written.
    #[error("failed to {action} the token file {}", path.display())]
    File {
        /// What was tried: `read`, `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Others can write to the file.
    #[error("the token file {0} is not safe, as others can write to it: chmod 600 {0}, and revoke tokens that are not yours", path.display())]
    Writable {
        /// The file.
        path: PathBuf,
    },
    /// The file belongs to another user.
    #[error("the token file {} belongs to another user: it must belong to the user of the server, or to root", path.display())]
    Owner {
        /// The file.
        path: PathBuf,
    },
    /// The file is damaged, or was changed by hand.
    #[error("the token file {} cannot be understood: repair it, or move it aside and make the tokens again", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// There is a token of this name.
    #[error("there is a token {0} already: choose another name, or revoke it first (nebula token revoke {0})")]
    Taken(TokenName),
    /// There is no token of this name.
    #[error("there is no token {0}: nebula token list shows those there are")]
    Unknown(TokenName),
    /// A token must allow something.
    #[error("a token needs at least one right: read, publish, alias, remove or data")]
    NoRight,
    /// The system has no random numbers.
    #[error("failed to make a secret")]
    Random(#[source] getrandom::Error),
}

impl TokenFile {
    /// The file at this path, which need not exist.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The tokens in the file, in the order in which they were made. Without a file there are none.
    ///
    /// # Errors
    /// If the file cannot be read or understood, or others can write to it.
    pub fn tokens(&self) -> Result<Vec<Token>, TokenFileError> {
        Ok(self.read()?.0)
    }

    /// Makes a token, and returns its secret.
    ///
    /// # Errors
    /// If there is a token of the same name, or it has no right; if the file cannot be changed; and as
    /// [`TokenFile::tokens`].
    pub fn create(&self, new: NewToken) -> Result<Secret, TokenFileError> {
        if new.rights.is_empty() {
            return Err(TokenFileError::NoRight);
        }
        let secret = Secret::random().map_err(TokenFileError::Random)?;
        let token = Token::of(new, &secret);
        self.change(|tokens| {
            if tokens.iter().any(|known| known.name == token.name) {
                return Err(TokenFileError::Taken(token.name));
            }
            tokens.push(token);
            Ok(())
        })?;
        Ok(secret)
    }

    /// Takes a token away. A server that reads the file lets nobody in with it from then on.
    ///
    /// # Errors
    /// If there is no token of this name; if the file cannot be changed; and as [`TokenFile::tokens`].
    pub fn revoke(&self, name: &TokenName) -> Result<(), TokenFileError> {
        self.change(|tokens| {
            let before = tokens.len();
            tokens.retain(|token| token.name != *name);
            if tokens.len() < before { Ok(()) } else { Err(TokenFileError::Unknown(name.clone())) }
        })
    }

    pub(crate) fn read(&self) -> Result<Tokens, TokenFileError> {
        let path = || self.0.clone();
        let failed = |source| TokenFileError::File { action: "read", path: path(), source };
        let file = match File::open(&self.0) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Tokens::default()),
            Err(error) => return Err(failed(error)),
        };
        let metadata = file.metadata().map_err(failed)?;
        if metadata.mode() & 0o022 != 0 {
            return Err(TokenFileError::Writable { path: path() });
        }
        if ![0, rustix::process::geteuid().as_raw()].contains(&metadata.uid()) {
            return Err(TokenFileError::Owner { path: path() });
        }
        let text = io::read_to_string(file).map_err(failed)?;
        serde_json::from_str(&text).map_err(|source| TokenFileError::Malformed { path: path(), source })
    }

    /// Changes the tokens while no other process does.
    fn change(&self, change: impl FnOnce(&mut Vec<Token>) -> Result<(), TokenFileError>) -> Result<(), TokenFileError> {
        let failed = |source| TokenFileError::File { action: "write", path: self.0.clone(), source };
        // A link stays a link.
        let path = fs::canonicalize(&self.0).unwrap_or_else(|_| self.0.clone());
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(failed)?;
        // The lock ends with the handle.
        let lock = File::open(folder).map_err(failed)?;
        lock.lock().map_err(failed)?;
        let mut tokens = self.read()?;
        change(&mut tokens.0)?;
        replace(&path, folder, &tokens).map_err(failed)
    }
}

/// Writes the tokens to a new file, which then takes the place of the old one.
fn replace(path: &Path, folder: &Path, tokens: &Tokens) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = folder.join(name);
    // What is left of a process that was killed may have any mode.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(&serde_json::to_vec_pretty(tokens)?)?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    File::open(folder)?.sync_all()
}

impl Tokens {
    /// The token of this secret. It takes the same time, whichever token it is and whether there is one.
    pub(crate) fn find(&self, secret: &str) -> Option<&Token> {
        let digest = Digest::of(secret.as_bytes());
        let mut found = u64::MAX;
        for (index, token) in (0..).zip(&self.0) {
            found.conditional_assign(&index, token.has_secret(&digest));
        }
        self.0.get(usize::try_from(found).ok()?)
    }
}

impl TryFrom<Written> for Tokens {
    type Error = String;

    fn try_from(Written { format, tokens }: Written) -> Result<Self, String> {
        if format != FORMAT {
            return Err(format!("it has the format {format}, and this Nebula knows the format {FORMAT}"));
        }
        let mut names = BTreeSet::new();
        match tokens.iter().find(|token| !names.insert(&token.name)) {
            Some(twice) => Err(format!("it has two tokens {}", twice.name)),
            None => Ok(Self(tokens)),
        }
    }
}

impl From<Tokens> for Written {
    fn from(Tokens(tokens): Tokens) -> Self {
        Self { format: FORMAT, tokens }
    }
}

#[cfg(test)]
mod tests;
