//! `nebula verify`.

use clap::Args;
use nebula_local::ExitCode;
use nebula_runtime::{ByteSize, FunctionName, Progress, StoreError, StoreProblem, Verification};

use crate::{failure::Failure, global::Global, print, progress::while_counting};

const EXAMPLES: &str = "\
Examples:
  nebula verify
  nebula verify treats resize
  nebula verify --json | jq .problems

Damaged blobs are moved to damaged/ in the store, where nothing reads them.
Publish a version again to repair it. The exit code is 65 if anything is wrong.";

/// Hashes everything in the store again, and names what is damaged
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Verify {
    /// The functions [default: all]
    #[arg(value_name = "FUNCTION")]
    functions: Vec<FunctionName>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Verify {
    /// Verifies the store, and prints what is wrong.
    pub(crate) async fn execute(self, global: &Global) -> Result<u8, Failure> {
        let (store, _) = global.places.open_store().await?;
        let progress = Progress::default();
        let verified = while_counting("verifying", &progress, store.verify(&self.functions, &progress)).await;
        let verified = verified.map_err(failure)?;
        match self.json {
            true => print::json(&verified)?,
            false => print::result(&text(&verified))?,
        }
        Ok(if verified.problems.is_empty() { ExitCode::OK } else { ExitCode::INVALID })
    }
}

fn failure(error: StoreError) -> Failure {
    match error {
        StoreError::NotPublished { .. } => Failure::Registry(error.into()),
        error => error.into(),
    }
}

fn text(verified: &Verification) -> String {
    let Verification { functions, versions, blobs, module_bytes, problems, .. } = verified;
    let problems: String = problems.iter().map(problem).collect();
    let size = ByteSize(*module_bytes);
    let verified = format!(
        "verified {}, {}: {} with {size} of modules\n",
        print::count(*functions, "function"),
        print::count(*versions, "version"),
        print::count(*blobs, "blob"),
    );
    match problems.as_str() {
        "" => format!("{verified}nothing is wrong\n"),
        problems => problems.to_owned() + &verified,
    }
}

fn problem(StoreProblem { function, version, detail, moved_to, .. }: &StoreProblem) -> String {
    let version = version.map(|version| format!(" version {version}")).unwrap_or_default();
    let moved = moved_to.as_ref().map(|place| format!("; moved to {place}")).unwrap_or_default();
    format!("{function}{version}: {detail}{moved}\n")
}
