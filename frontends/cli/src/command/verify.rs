//! `nebula verify`.

use std::path::PathBuf;

use clap::Args;
use nebula_local::ExitCode;
use nebula_runtime::{
    ByteSize, FunctionName, Progress, Store, StoreError, StoreProblem, Trust, TrustedKey, Verification,
    store::trust::PublicKey,
};
use serde::Serialize;

use crate::{
    failure::Failure,
    global::Global,
    print,
    progress::while_counting,
    signatures::{HEADER, VersionSignatures},
    trust::TrustOptions,
};

const EXAMPLES: &str = "\
Examples:
  nebula verify                        all functions
  nebula verify shop --key team.pub    one function, and who has signed it
  nebula verify --json | jq .problems

Damaged blobs are moved to damaged/ in the store, where nothing reads them.
Publish a version again to repair it. The exit code is 65 if anything is wrong.

If keys are known, each version is shown with those that have signed it. Without
--key, the keys are those of [trust] in nebula.toml. If signatures are required
there, or --key is given, the exit code is 77 if a version is not signed.";

/// Hashes everything in the store again, names what is damaged, and shows who has signed the versions
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Verify {
    /// The functions [default: all]
    #[arg(value_name = "FUNCTION")]
    functions: Vec<FunctionName>,
    /// A file with a public key, instead of the keys that the configuration trusts
    #[arg(long, value_name = "FILE", conflicts_with = "config")]
    key: Vec<PathBuf>,
    #[command(flatten)]
    trust: TrustOptions,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What was found.
#[derive(Debug, Serialize)]
struct Verified {
    #[serde(flatten)]
    store: Verification,
    /// Who has signed each version, where keys are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    signatures: Option<Vec<VersionSignatures>>,
}

impl Verify {
    /// Verifies the store, and prints what is wrong and who has signed the versions.
    pub(crate) async fn execute(self, global: &Global) -> Result<u8, Failure> {
        let trust = self.trust()?;
        let (store, _) = global.places.open_store().await?;
        let progress = Progress::default();
        let verified = while_counting("verifying", &progress, store.verify(&self.functions, &progress)).await;
        let verified = verified.map_err(failure)?;
        let signatures = self.signatures(&store, &trust, &verified).await?;
        let verified = Verified { store: verified, signatures };
        match self.json {
            true => print::json(&verified)?,
            false => print::result(&verified.text())?,
        }
        Ok(verified.exit_code(&trust))
    }

    fn trust(&self) -> Result<Trust, Failure> {
        if self.key.is_empty() {
            return Ok(self.trust.trust()?);
        }
        let keys = self.key.iter().map(|path| {
            let file = std::fs::read(path).map_err(|source| Failure::Read { path: path.clone(), source })?;
            let key = PublicKey::from_pem(&file).map_err(|source| Failure::Key { path: path.clone(), source })?;
            Ok(TrustedKey::new(path.display().to_string(), key))
        });
        let keys = keys.collect::<Result<Vec<_>, Failure>>()?;
        Trust::required(keys, [].into()).map_err(|error| Failure::Usage(error.to_string()))
    }

    /// Who has signed the versions, of all functions whose records can be read.
    async fn signatures(
        &self,
        store: &Store,
        trust: &Trust,
        verified: &Verification,
    ) -> Result<Option<Vec<VersionSignatures>>, Failure> {
        if !trust.has_keys() {
            return Ok(None);
        }
        let mut functions = match self.functions.as_slice() {
            [] => store.names().await?,
            functions => functions.to_vec(),
        };
        let is_damaged = |name: &FunctionName| {
            verified.problems.iter().any(|found| found.version.is_none() && found.function == *name)
        };
        functions.retain(|name| !is_damaged(name));
        Ok(Some(VersionSignatures::check(store, trust, &functions).await?))
    }
}

fn failure(error: StoreError) -> Failure {
    match error {
        StoreError::NotPublished { .. } => Failure::Registry(error.into()),
        error => error.into(),
    }
}

impl Verified {
    fn exit_code(&self, trust: &Trust) -> u8 {
        let all_signed = self.signatures.as_deref().unwrap_or_default().iter().all(VersionSignatures::is_signed);
        match self.store.problems.as_slice() {
            [] if trust.is_required() && !all_signed => ExitCode::FORBIDDEN,
            [] => ExitCode::OK,
            _ => ExitCode::INVALID,
        }
    }

    fn text(&self) -> String {
        let Verification { functions, versions, blobs, module_bytes, problems, .. } = &self.store;
        let verified = format!(
            "verified {}, {}: {} with {} of modules\n",
            print::count(*functions, "function"),
            print::count(*versions, "version"),
            print::count(*blobs, "blob"),
            ByteSize(*module_bytes),
        );
        let found: String = problems.iter().map(problem).collect();
        let integrity = if found.is_empty() { verified + "nothing is damaged\n" } else { found + &verified };
        integrity + &self.signatures.as_deref().map(table).unwrap_or_default()
    }
}

fn table(signatures: &[VersionSignatures]) -> String {
    let rows = signatures.iter().flat_map(VersionSignatures::rows);
    let rows: Vec<_> = std::iter::once(HEADER.map(str::to_owned)).chain(rows).collect();
    format!("\n{}", print::table(&rows))
}

fn problem(StoreProblem { function, version, detail, moved_to, .. }: &StoreProblem) -> String {
    let version = version.map(|version| format!(" version {version}")).unwrap_or_default();
    let moved = moved_to.as_ref().map(|place| format!("; moved to {place}")).unwrap_or_default();
    format!("{function}{version}: {detail}{moved}\n")
}
