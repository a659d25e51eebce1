//! `nebula gc`.

use clap::Args;
use nebula_local::ExitCode;
use nebula_runtime::{ByteSize, Garbage, GarbageFate, GcOptions, GcReport, Progress, StoreError, Total};

use crate::{failure::Failure, global::Global, print, progress::while_counting, values::Age};

const EXAMPLES: &str = "\
Examples:
  nebula gc                            show what would be removed
  nebula gc --delete                   remove it
  nebula gc --retention 7d --delete    also versions removed a week ago
  nebula gc --json | jq '.garbage[].digest'

A blob that no version needs is first set aside, in unneeded/ in the store, where
it is still read. A later run removes it, once it has been there for the grace
period. So run nebula gc --delete now and then, for example once a day.
With --grace 0s blobs are removed at once: that is safe only while nobody publishes.";

/// How many blobs are shown: a longer list would fill the screen.
const SHOWN: usize = 20;

/// Removes from the store what no version needs any more
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Gc {
    /// How long the blobs of a version are kept after the version was removed
    #[arg(long, value_name = "TIME", default_value = "90d")]
    retention: Age,
    /// How long a blob that nothing needs stays set aside before it is removed
    #[arg(long, value_name = "TIME", default_value = "24h")]
    grace: Age,
    /// Do it. Without this, the store is not changed
    #[arg(long)]
    delete: bool,
    /// Print JSON, with all blobs
    #[arg(long)]
    json: bool,
}

impl Gc {
    /// Collects the garbage, or prints what would be done.
    pub(crate) async fn execute(self, global: &Global) -> Result<u8, Failure> {
        let (store, _) = global.places.open_store().await?;
        let Self { retention: Age(retention), grace: Age(grace), delete, json } = self;
        let (options, progress) = (GcOptions { retention, grace, delete }, Progress::default());
        let collected = store.collect_garbage(options, &progress);
        let report =
            while_counting("looking for the blobs that are needed", &progress, collected).await.map_err(failure)?;
        match json {
            true => print::json(&report)?,
            false => print::result(&text(&report))?,
        }
        if !delete && !json && (!report.garbage.is_empty() || report.unfinished.blobs > 0) {
            print::note("nothing was changed; this would be done by the same command with --delete");
        }
        Ok(ExitCode::OK)
    }
}

fn failure(error: StoreError) -> Failure {
    match error {
        StoreError::Malformed { .. }
        | StoreError::Missing { .. }
        | StoreError::Corrupt { .. }
        | StoreError::NewerFormat { .. } => Failure::UnknownNeeds(error),
        error => error.into(),
    }
}

fn text(report: &GcReport) -> String {
    let rows: Vec<_> = report.garbage.iter().take(SHOWN).map(|garbage| row(garbage, report.deleted)).collect();
    let more = match report.garbage.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!("and {more} more; --json shows all\n"),
    };
    let fates = [GarbageFate::SetAside, GarbageFate::Removed, GarbageFate::PutBack];
    let fates = fates.map(|fate| (word(fate, report.deleted), report.total(fate), "blob"));
    let totals = [("needed", report.needed, "blob"), ("set aside before", report.waiting, "blob")];
    let unfinished = [("left unfinished by writers", report.unfinished, "file")];
    let lines = totals.into_iter().chain(fates).chain(unfinished);
    let lines = lines.filter(|(what, total, _)| *what == "needed" || total.blobs > 0);
    print::table(&rows) + &more + &lines.map(|(what, total, thing)| line(what, total, thing)).collect::<String>()
}

/// What becomes of a blob, or became of it.
fn word(fate: GarbageFate, is_done: bool) -> &'static str {
    match (fate, is_done) {
        (GarbageFate::SetAside, false) => "to set aside",
        (GarbageFate::SetAside, true) => "set aside",
        (GarbageFate::Removed, false) => "to remove",
        (GarbageFate::Removed, true) => "removed",
        (GarbageFate::PutBack, false) => "to put back",
        (GarbageFate::PutBack, true) => "put back",
        _ => "",
    }
}

fn row(Garbage { digest, size, written, fate, .. }: &Garbage, is_done: bool) -> [String; 4] {
    [word(*fate, is_done).to_owned(), digest.to_string(), ByteSize(*size).to_string(), written.to_string()]
}

fn line(what: &str, Total { blobs, bytes }: Total, thing: &str) -> String {
    format!("{what}: {}, {}\n", print::count(blobs, thing), ByteSize(bytes))
}
