//! `nebula keygen`.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use nebula_local::ExitCode;
use nebula_runtime::store::trust::{KeyKind, SigningKey};

use crate::{failure::Failure, print};

const EXAMPLES: &str = "\
Examples:
  nebula keygen                        writes team.key and team.pub
  nebula keygen release --kind ed25519
                                       writes release.key and release.pub
  nebula sign shop@3 --key team.key

Keep the private key (team.key) secret: everyone who has it can sign. Name the public key
(team.pub) in [trust] of nebula.toml. cosign uses the same keys after
cosign import-key-pair --key team.key.";

/// Makes a pair of keys that versions are signed and checked with
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Keygen {
    /// The files, without .key and .pub. Files that exist are not replaced
    #[arg(value_name = "NAME", default_value = "team")]
    name: PathBuf,
    /// The kind of the keys
    #[arg(long, value_name = "KIND", value_enum, default_value_t)]
    kind: Kind,
}

/// The kinds of keys.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Kind {
    /// ECDSA on the curve P-256, which cosign makes too
    #[default]
    P256,
    /// Ed25519
    Ed25519,
}

impl Keygen {
    /// Makes the keys, and prints where they are.
    pub(crate) fn execute(self) -> Result<u8, Failure> {
        let (private, public) = (with_ending(&self.name, "key"), with_ending(&self.name, "pub"));
        let kind = match self.kind {
            Kind::P256 => KeyKind::P256,
            Kind::Ed25519 => KeyKind::Ed25519,
        };
        let pem = SigningKey::generate(kind)?;
        let key =
            SigningKey::from_pem(pem.as_bytes()).map_err(|source| Failure::Key { path: private.clone(), source })?;
        write_new(&private, 0o600, &pem)?;
        // A private key alone is of no use, and in the way of the next attempt.
        write_new(&public, 0o644, &key.public().to_pem()).inspect_err(|_| drop(fs::remove_file(&private)))?;
        print::result(&format!("{}: keep it secret\n{}: name it in [trust]\n", private.display(), public.display()))?;
        Ok(ExitCode::OK)
    }
}

fn with_ending(name: &Path, ending: &str) -> PathBuf {
    let mut path = name.as_os_str().to_owned();
    path.push(".");
    path.push(ending);
    path.into()
}

fn write_new(path: &Path, mode: u32, text: &str) -> Result<(), Failure> {
    let written = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(text.as_bytes())
    };
    written().map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => Failure::Usage(format!(
            "{} exists, and a key is never replaced: nebula keygen NAME makes NAME.key and NAME.pub",
            path.display()
        )),
        _ => Failure::Write { path: path.to_owned(), source },
    })
}
