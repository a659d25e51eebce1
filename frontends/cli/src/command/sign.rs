//! `nebula sign`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use nebula_local::ExitCode;
use nebula_runtime::{
    Digest, FunctionName, FunctionRef, Store, TrustedKey,
    store::{
        VersionEntry,
        trust::{Claim, Signature, SignatureForm, SigningKey},
    },
};
use serde::Serialize;

use crate::{failure::Failure, global::Global, print, versions::version_of};

const EXAMPLES: &str = "\
Examples:
  nebula sign shop@3 --key team.key
  nebula sign shop@prod --key team.key --form bundle
  nebula verify shop --key team.pub

The signature covers the name of the function, the number of the version, and the
digest of its manifest, which stands for its code and its settings. nebula push
copies it to a registry, where cosign finds it.";

/// Signs a version of a function
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Sign {
    /// The function, such as shop, shop@3 or shop@prod. Without a version, the latest is signed
    function: FunctionRef,
    /// The file with the private key, as nebula keygen or openssl writes it
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The form of the signature
    #[arg(long, value_name = "FORM", value_enum, default_value_t)]
    form: Form,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The forms of signatures.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Form {
    /// Simple signing, which every cosign reads
    #[default]
    Simple,
    /// A Sigstore bundle, which cosign reads since version 3
    Bundle,
}

/// What the command prints.
#[derive(Serialize)]
struct Signed {
    name: FunctionName,
    version: u64,
    manifest: Digest,
    signature: Digest,
    changed: bool,
}

impl Sign {
    /// Signs the version, and prints which it is.
    pub(crate) async fn execute(self, global: &Global) -> Result<u8, Failure> {
        let failed = |source| Failure::Read { path: self.key.clone(), source };
        let file = tokio::fs::read(&self.key).await.map_err(failed)?;
        let key = SigningKey::from_pem(&file).map_err(|source| Failure::Key { path: self.key.clone(), source })?;
        let store = global.places.open_store_of(&self.function).await?;
        let (version, entry) = version_of(&store, &self.function).await?;
        let claim = Claim::new(self.function.name(), entry.manifest, version);
        let (signature, changed) = match self.known(&store, &entry, &claim, &key).await? {
            Some(blob) => (blob, false),
            None => {
                let signature = Signature::new(&claim, self.form.into(), &key)?;
                let added = store.add_signature(self.function.name(), (version, entry.manifest), &signature).await?;
                (added.blob, added.changed)
            }
        };
        let name = self.function.name().clone();
        let signed = Signed { name, version, manifest: entry.manifest, signature, changed };
        match self.json {
            true => print::json(&signed)?,
            false => print::result(&signed.text())?,
        }
        Ok(ExitCode::OK)
    }

    /// The signature that says the same already, by the same key and in the same form.
    async fn known(
        &self,
        store: &Store,
        entry: &VersionEntry,
        claim: &Claim,
        key: &SigningKey,
    ) -> Result<Option<Digest>, Failure> {
        let keys = [TrustedKey::new("", key.public())];
        for blob in &entry.signatures {
            // A signature that is lost or damaged is made anew.
            let Ok(signature) = store.signature(blob).await else { continue };
            let is_same = signature.verify(&keys).is_ok_and(|(found, _)| found == *claim);
            if is_same && signature.form() == self.form.into() {
                return Ok(Some(*blob));
            }
        }
        Ok(None)
    }
}

impl Signed {
    fn text(&self) -> String {
        let Self { name, version, manifest, changed, .. } = self;
        let unchanged = if *changed { "" } else { "unchanged: " };
        format!("{unchanged}{name} version {version} is signed (manifest {manifest})\n")
    }
}

impl From<Form> for SignatureForm {
    fn from(form: Form) -> Self {
        match form {
            Form::Simple => Self::Simple,
            Form::Bundle => Self::Bundle,
        }
    }
}
