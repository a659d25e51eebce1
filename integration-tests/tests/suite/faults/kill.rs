//! Publishers that are killed while they publish.

use std::{
    env, fs,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use nebula_integration_tests::{Nebula, Project};
use nebula_runtime::{Digest, Store, StoreUrl};

use crate::faults::support::project;

/// How many publishers are killed, if `NEBULA_TEST_KILLS` is not set.
const KILLS: u32 = 40;

const FUNCTIONS: [&str; 3] = ["one", "two", "three"];

/// A store, and the last version of each function that a call has returned.
struct PublishedFunctions {
    project: Project,
    versions: [u32; FUNCTIONS.len()],
}

#[test]
fn a_killed_publisher_leaves_every_function_in_its_old_or_new_version() {
    let kills = env::var("NEBULA_TEST_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let mut published = PublishedFunctions { project: project(""), versions: [0; FUNCTIONS.len()] };
    let quickest = published.publish_all();
    let mut interrupted = 0;
    for kill in 0..kills {
        let (version, function) = (kill + 1, kill as usize % FUNCTIONS.len());
        let mut publisher = published.publisher(function, version).spawn().unwrap();
        // The test waits for nothing here. The moment of the kill is spread evenly over the time of a publish.
        thread::sleep(quickest.mul_f64(spread(kill)));
        let succeeded = kill_now(&mut publisher);
        interrupted += u32::from(!succeeded);
        published.check_function(function, version, succeeded);
        if kill % 20 == 0 || kill + 1 == kills {
            published.check_all();
        }
    }
    assert!(interrupted > 0, "every publisher ended before it was killed");
    eprintln!("{kills} publishers, {interrupted} of them were killed before they ended");
}

/// A number from 0 to 1.5. The numbers of all indices are spread evenly, in no order.
fn spread(index: u32) -> f64 {
    const GOLDEN_RATIO: f64 = 0.618_033_988_749_895;
    1.5 * (f64::from(index) * GOLDEN_RATIO).fract()
}

/// Kills a process. Returns whether it had already succeeded.
fn kill_now(process: &mut Child) -> bool {
    // An error means that the process has ended already.
    let _ = process.kill();
    process.wait().unwrap().success()
}

impl PublishedFunctions {
    /// Publishes the first version of each function. Returns the time of the quickest: a busy disk may delay the
    /// others.
    fn publish_all(&self) -> Duration {
        let publish = |function| {
            let began = Instant::now();
            assert!(self.publisher(function, 0).status().unwrap().success());
            began.elapsed()
        };
        (0..FUNCTIONS.len()).map(publish).min().unwrap()
    }

    /// A command that publishes a module whose function returns `version`.
    fn publisher(&self, function: usize, version: u32) -> Command {
        let file = format!("{}.wat", FUNCTIONS[function]);
        // With this data, the blob needs more than one write.
        let text = "0123456789abcdef".repeat(4 * 1024);
        let module = format!(
            "(module (memory 5) (data (i32.const 0) \"{text}\")
               (func (export \"answer\") (result i32) (i32.const {version})))"
        );
        self.project.write(&file, module);
        let mut command =
            Nebula::built().command(&self.project, ["publish", FUNCTIONS[function], &file, "--alias", "prod"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Runs a function, which must return the version before or `version`. If the publisher succeeded, it must be
    /// `version`.
    fn check_function(&mut self, function: usize, version: u32, succeeded: bool) {
        let name = FUNCTIONS[function];
        let output = Nebula::built().run(&self.project, &["run", name, "--raw"], b"[]");
        assert_eq!(output.exit_code, 0, "{name}: {}", output.stderr);
        let answer: u32 = output.text().trim().parse().unwrap();
        let before = self.versions[function];
        let allowed = if succeeded { vec![version] } else { vec![before, version] };
        assert!(allowed.contains(&answer), "{name} returned {answer}, expected one of {allowed:?}");
        self.versions[function] = answer;
    }

    /// Checks every blob and every record of the store.
    fn check_all(&self) {
        let folder = self.project.join("store");
        check_blobs(&folder.join("blobs/sha256"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let functions = runtime.block_on(check_records(&folder));
        assert_eq!(functions, ["one", "three", "two"]);
        let listed = Nebula::built().run(&self.project, &["list", "--json"], b"");
        assert_eq!(listed.exit_code, 0, "{}", listed.stderr);
    }
}

/// Checks that the name of each blob is its digest.
fn check_blobs(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        // An unfinished blob has another kind of name.
        if name.len() == 64 {
            assert_eq!(Digest::of(&fs::read(&path).unwrap()).hex(), name);
        }
    }
}

/// Checks that the manifest and the module of every version can be read. Returns the names of the functions.
async fn check_records(folder: &Path) -> Vec<String> {
    let store = Store::open(&StoreUrl::folder(folder).unwrap()).await.unwrap();
    let names = store.names().await.unwrap();
    for name in &names {
        let record = store.record(name).await.unwrap().unwrap();
        let numbers: Vec<_> = record.versions().map(|(number, _)| number).collect();
        assert_eq!(numbers, (1..record.next_number()).collect::<Vec<_>>(), "{name}");
        for (_, version) in record.versions() {
            let manifest = store.manifest(&version.manifest).await.unwrap();
            store.module(&manifest.module).await.unwrap();
        }
    }
    names.iter().map(ToString::to_string).collect()
}
