//! Publishers that are killed at any point of their work.

use std::{
    env, fs,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use nebula_integration_tests::{Nebula, Project};
use nebula_runtime::{Digest, Store, StoreUrl};

use crate::support::project;

/// How many publishers are killed, where `NEBULA_TEST_KILLS` does not say.
const KILLS: u32 = 40;

const FUNCTIONS: [&str; 3] = ["one", "two", "three"];

/// A store, and which version of each function was published at least.
struct Published {
    project: Project,
    versions: [u32; FUNCTIONS.len()],
}

#[test]
fn a_killed_publisher_leaves_every_function_in_its_old_or_new_version() {
    let kills = env::var("NEBULA_TEST_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let mut published = Published { project: project(""), versions: [0; FUNCTIONS.len()] };
    let whole = published.publish_all();
    let mut interrupted = 0;
    for kill in 0..kills {
        let (version, function) = (kill + 1, kill as usize % FUNCTIONS.len());
        let mut publisher = published.publisher(function, version).spawn().unwrap();
        // Not waiting for anything: this is the fault itself, spread evenly over the time that a publish takes.
        thread::sleep(whole.mul_f64(spread(kill)));
        let ended = kill_now(&mut publisher);
        interrupted += u32::from(!ended);
        published.check_function(function, version, ended);
        if kill % 20 == 0 || kill + 1 == kills {
            published.check_all();
        }
    }
    assert!(interrupted > 0, "no publisher was killed at its work");
    eprintln!("{kills} publishers, {interrupted} of them killed before they had ended");
}

/// Numbers from 0 to 1.5 that leave no large gap, in no order.
fn spread(index: u32) -> f64 {
    const GOLDEN_RATIO: f64 = 0.618_033_988_749_895;
    1.5 * (f64::from(index) * GOLDEN_RATIO).fract()
}

/// Kills a process; says whether it had already succeeded.
fn kill_now(process: &mut Child) -> bool {
    // One that has ended cannot be killed.
    let _ = process.kill();
    process.wait().unwrap().success()
}

impl Published {
    /// Publishes the first version of each function; gives how long the quickest took: a busy disk holds up others.
    fn publish_all(&self) -> Duration {
        let publish = |function| {
            let began = Instant::now();
            assert!(self.publisher(function, 0).status().unwrap().success());
            began.elapsed()
        };
        (0..FUNCTIONS.len()).map(publish).min().unwrap()
    }

    /// A process that publishes the module that answers `version`. It compiles nothing, as of a module that is known.
    fn publisher(&self, function: usize, version: u32) -> Command {
        let file = format!("{}.wat", FUNCTIONS[function]);
        // The data makes the blob take more than one write.
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

    /// Runs a function: it answers as the version before or as `version`, and as that only if its publisher ended.
    fn check_function(&mut self, function: usize, version: u32, ended: bool) {
        let name = FUNCTIONS[function];
        let ran = Nebula::built().run(&self.project, &["run", name, "--raw"], b"[]");
        assert_eq!(ran.exit_code, 0, "{name}: {}", ran.stderr);
        let answer: u32 = ran.text().trim().parse().unwrap();
        let before = self.versions[function];
        let allowed = if ended { vec![version] } else { vec![before, version] };
        assert!(allowed.contains(&answer), "{name} answers {answer}, of {allowed:?}");
        self.versions[function] = answer;
    }

    /// Reads all that is in the store.
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

/// Every blob's bytes are those it is named by.
fn check_blobs(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        // What was being written has another name until it is whole.
        if name.len() == 64 {
            assert_eq!(Digest::of(&fs::read(&path).unwrap()).hex(), name);
        }
    }
}

/// Every version of every function can be read: its manifest and its module.
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
