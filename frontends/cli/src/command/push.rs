//! `nebula push`.

use clap::Args;
use nebula_local::ExitCode;
use nebula_runtime::{Digest, FunctionConfig, FunctionName, FunctionRef, Grant};
use serde::Serialize;

use crate::{
    failure::Failure,
    global::Global,
    oci::{OciReference, push},
    print,
    progress::while_working,
    versions::version_of,
};

const EXAMPLES: &str = "\
Examples:
  nebula push shop oci://registry.example.com/team/shop:1.0
  nebula push shop@3 oci://ghcr.io/team/shop --with-config
  nebula publish shop oci://registry.example.com/team/shop:1.0
                                       on another machine

The signatures of the version go with it, to where cosign looks for them. The
credentials are those of docker login. The same version is always the same artifact.";

/// Pushes a version of a function, with its signatures, to a registry
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Push {
    /// The function, such as shop, shop@3 or shop@prod. Without a version, the latest is pushed
    function: FunctionRef,
    /// Where to: oci://REGISTRY/REPOSITORY:TAG
    #[arg(value_name = "oci://REFERENCE")]
    reference: OciReference,
    /// Push it although everyone who can pull it then sees the values of its variables, and the paths of its folders
    #[arg(long)]
    with_config: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What the command prints.
#[derive(Serialize)]
struct Pushed {
    name: FunctionName,
    version: u64,
    reference: String,
    digest: Digest,
    signatures: usize,
}

impl Push {
    /// Pushes the version, and prints its digest.
    pub(crate) async fn execute(self, global: &Global) -> Result<u8, Failure> {
        let store = global.places.open_store_of(&self.function).await?;
        let (version, entry) = version_of(&store, &self.function).await?;
        self.check_config(version, &store.manifest(&entry.manifest).await?.config)?;
        let (blobs, mut signatures) = (store.blobs(&entry.manifest).await?, Vec::new());
        for signature in &entry.signatures {
            signatures.push(store.signature(signature).await?);
        }
        let pushing = push(&self.reference, blobs, &signatures);
        let digest = while_working(format!("pushing to {}", self.reference), pushing).await?;
        let (name, reference, signatures) =
            (self.function.name().clone(), self.reference.to_string(), signatures.len());
        let pushed = Pushed { name, version, reference, digest, signatures };
        match self.json {
            true => print::json(&pushed)?,
            false => print::result(&pushed.text())?,
        }
        Ok(ExitCode::OK)
    }

    /// Names what a registry should perhaps not have. A version without its configuration would be another one, without the
    /// signatures of this one.
    fn check_config(&self, version: u64, config: &FunctionConfig) -> Result<(), Failure> {
        let is_private = |grant: &Grant| matches!(grant, Grant::Folder(_) | Grant::Variable(_));
        let private: Vec<_> = config.grants().into_iter().filter(is_private).map(|grant| grant.to_string()).collect();
        if private.is_empty() {
            return Ok(());
        }
        let (name, private) = (self.function.name(), private.join(", "));
        if self.with_config {
            print::note(format_args!("the registry gets the settings of {name} version {version}: {private}"));
            return Ok(());
        }
        Err(Failure::Usage(format!(
            "everyone who can pull {} would see the settings of {name} version {version}: {private}. Push it with \
             --with-config if they may, or publish {name} without these settings",
            self.reference
        )))
    }
}

impl Pushed {
    fn text(&self) -> String {
        let Self { name, version, reference, digest, signatures } = self;
        let plural = if *signatures == 1 { "" } else { "s" };
        format!("{name} version {version} -> {reference} ({digest}), {signatures} signature{plural}\n")
    }
}
