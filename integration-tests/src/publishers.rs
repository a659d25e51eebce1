//! Publishers on one store, some of which are killed.

use std::{
    collections::BTreeSet,
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use nebula_runtime::{Digest, Store, StoreAccess, StoreUrl};

use crate::{nebula::Nebula, project::Project};

/// How many publish at once.
const PUBLISHERS: u32 = 4;

/// Each fourth publish of the first publisher is killed.
const KILLED: u32 = 4;

const FUNCTION: &str = "contended";

/// Publishers of one function on one store: `nebula` says in its environment where that is.
pub struct Publishers<'a> {
    /// The command.
    pub nebula: &'a Nebula,
    /// The folder with the files.
    pub project: &'a Project,
    /// The store.
    pub url: StoreUrl,
    /// How the store is reached.
    pub access: StoreAccess,
}

/// What became of the publishes.
#[derive(Debug, PartialEq, Eq)]
pub struct Publishes {
    /// How many were acknowledged.
    pub acknowledged: usize,
    /// How many were killed at work.
    pub killed: usize,
    /// How many versions there are: also publishes that were killed may have made one.
    pub versions: usize,
}

impl Publishers<'_> {
    /// Lets four publishers publish so many versions in all, and kills some publishes of the first one with SIGKILL. Then it
    /// checks that nothing is lost: every version that was acknowledged is there, and every version is whole.
    ///
    /// # Panics
    /// Something is lost.
    pub fn publish(&self, versions: u32) -> Publishes {
        let began = Instant::now();
        let (first, mut acknowledged) = (self.start(PUBLISHERS, 0).1, BTreeSet::new());
        assert!(first.wait_with_output().is_ok_and(|output| output.status.success()), "the store can be published to");
        let whole = began.elapsed();
        let each = versions / PUBLISHERS;
        let published: Vec<_> = thread::scope(|scope| {
            let publishers: Vec<_> =
                (0..PUBLISHERS).map(|publisher| scope.spawn(move || self.run(publisher, each, whole))).collect();
            publishers.into_iter().flat_map(|publisher| publisher.join().unwrap()).collect()
        });
        let killed = published.iter().filter(|(_, acknowledged)| !acknowledged).count();
        acknowledged.extend(published.into_iter().filter_map(|(digest, acknowledged)| acknowledged.then_some(digest)));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let versions = runtime.block_on(self.check(&acknowledged));
        Publishes { acknowledged: acknowledged.len(), killed, versions }
    }

    /// Publishes one version after the other; gives their modules, and whether each publish was acknowledged.
    fn run(&self, publisher: u32, versions: u32, whole: Duration) -> Vec<(Digest, bool)> {
        let publish = |version| {
            let (digest, mut process) = self.start(publisher, version);
            if publisher == 0 && version % KILLED == 0 {
                // Not waiting for anything: this is the fault itself, at another time of each publish.
                thread::sleep(whole.mul_f64(f64::from(version % 16) / 16.0));
                let _ = process.kill();
            }
            let ended = process.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&ended.stderr).into_owned();
            let is_killed = ended.status.code().is_none();
            assert!(ended.status.success() || is_killed, "publisher {publisher}, version {version}: {said}");
            (digest, !is_killed)
        };
        (0..versions).map(publish).collect()
    }

    /// A process that publishes a module of its own, and the digest of that module.
    fn start(&self, publisher: u32, version: u32) -> (Digest, Child) {
        let (file, value) = (format!("{publisher}.wat"), u64::from(publisher) << 32 | u64::from(version));
        let text = format!("(module (func (export \"answer\") (result i64) (i64.const {value})))");
        self.project.write(&file, &text);
        let mut command = self.nebula.command(self.project, ["publish", FUNCTION, &file, "--alias", "prod"]);
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        (Digest::of(&wat::parse_str(text).unwrap()), process)
    }

    /// Checks that the store has these modules, and that all that it has is whole; gives how many versions it has.
    async fn check(&self, acknowledged: &BTreeSet<Digest>) -> usize {
        let store = Store::open_existing(&self.url, &self.access).await.unwrap();
        let record = store.record(&FUNCTION.parse().unwrap()).await.unwrap().unwrap();
        let numbers: Vec<_> = record.versions().map(|(number, _)| number).collect();
        assert_eq!(numbers, (1..record.next_number()).collect::<Vec<_>>());
        let modules: BTreeSet<_> = record.versions().map(|(_, version)| version.module).collect();
        let lost: Vec<_> = acknowledged.difference(&modules).collect();
        assert!(lost.is_empty(), "{} versions are lost: {lost:?}", lost.len());
        for (_, version) in record.versions() {
            let manifest = store.manifest(&version.manifest).await.unwrap();
            store.module(&manifest.module).await.unwrap();
        }
        numbers.len()
    }
}
