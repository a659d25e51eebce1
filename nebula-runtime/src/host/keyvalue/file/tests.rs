//! What processes that share a file, and disks that fail, can show. Other processes are this program, started again.

use std::{
    fs,
    io::{BufRead as _, BufReader, Lines, Read as _, Write as _},
    ops::Bound,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use futures_util::{StreamExt as _, future::join_all, stream};
use redb::{
    Builder, ConcurrencyMode, Database, ReadableDatabase as _, StorageBackend as _, TableDefinition, TableHandle as _,
    backends::FileBackend,
};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use super::FileKeyValue;
use crate::{
    call::with_causes,
    host::{
        failure::{ServiceError, ServiceErrorKind},
        keyvalue::{KeyValue, conformance},
    },
};

fn store(folder: &TempDir) -> FileKeyValue {
    FileKeyValue::new(folder.path().join("data/state.redb"))
}

/// Another process that uses the file. It ends when it is dropped.
struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    fn start(role: &str, folder: &TempDir) -> Self {
        Self::spawn(Command::new(std::env::current_exe().unwrap()), role, folder)
    }

    /// A process whose files may have at most so many KiB, which for it is a full disk.
    fn start_with_files_of(kib: u32, role: &str, folder: &TempDir) -> Self {
        let mut shell = Command::new("bash");
        shell.args(["-c", &format!("trap '' XFSZ; ulimit -f {kib}; exec \"$0\" \"$@\"")]);
        shell.arg(std::env::current_exe().unwrap());
        Self::spawn(shell, role, folder)
    }

    fn spawn(mut command: Command, role: &str, folder: &TempDir) -> Self {
        let mut child = command
            .args(["--exact", "host::keyvalue::file::tests::process", "--ignored", "--nocapture"])
            .env("NEBULA_TEST_ROLE", role)
            .env("NEBULA_TEST_FOLDER", folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The next line that the process says. The test harness writes other lines, and the first one without a line end.
    fn next(&mut self) -> Option<String> {
        self.lines.find_map(|line| Some(line.unwrap().split_once("says: ")?.1.to_owned()))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn say(line: impl std::fmt::Display) {
    println!("says: {line}");
    std::io::stdout().flush().unwrap();
}

/// Until the test ends this process.
fn wait_for_the_test() {
    let _ = std::io::stdin().read(&mut [0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a part of other tests, which start it as a process"]
async fn process() {
    let folder = std::env::var("NEBULA_TEST_FOLDER").unwrap();
    let path = Path::new(&folder).join("data/state.redb");
    let store = Arc::new(FileKeyValue::new(&path));
    match std::env::var("NEBULA_TEST_ROLE").unwrap().as_str() {
        "increment" => {
            let sums = join_all((0..100).map(|_| store.increment("number", 1))).await;
            say(sums.into_iter().filter(Result::is_ok).count());
        }
        "set" => {
            let sets = stream::iter(0..1000).map(|number| {
                let store = Arc::clone(&store);
                async move { store.set(&number.to_string(), value(number)).await.map(|()| number) }
            });
            sets.buffer_unordered(8).for_each(async |set| say(set.unwrap())).await;
        }
        "fill" => {
            for number in 0.. {
                match store.set(&number.to_string(), value(number)).await {
                    Ok(()) => say(number),
                    Err(error) => {
                        say(with_causes(&error));
                        break;
                    }
                }
            }
            say(store.get("0").await.unwrap() == Some(value(0)));
            store.delete("1").await.unwrap();
            say(store.get("1").await.unwrap().is_none());
        }
        "write for ever" => {
            let database = Builder::new().set_concurrency_mode(ConcurrencyMode::MultiWriter).open(&path).unwrap();
            let _transaction = database.begin_write().unwrap();
            say("ready");
            wait_for_the_test();
        }
        "commit for ever" => {
            let file = fs::File::options().read(true).write(true).open(&path).unwrap();
            let file = FileBackend::new(file).unwrap();
            file.lock_range(Bound::Included(0), Bound::Excluded(320)).unwrap();
            say("ready");
            wait_for_the_test();
        }
        role => panic!("no role {role}"),
    }
}

/// 16 KiB that differ for each number.
fn value(number: usize) -> bytes::Bytes {
    number.to_le_bytes().repeat(2048).into()
}

async fn eventually(what: &str, mut look: impl AsyncFnMut() -> bool) {
    for _ in 0..3000 {
        if look().await {
            return;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("{what} did not come");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_in_a_file_keeps_the_contract() {
    let folder = TempDir::new().unwrap();
    conformance::check(Arc::new(store(&folder))).await;
}

#[tokio::test]
async fn a_read_makes_no_file_and_a_change_makes_one_for_its_owner_only() {
    let folder = TempDir::new().unwrap();
    let store = store(&folder);
    assert_eq!(store.get("a").await.unwrap(), None);
    assert_eq!(store.list("", None).await.unwrap().keys, Vec::<String>::new());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    store.set("a", "1".into()).await.unwrap();
    let names: Vec<_> =
        fs::read_dir(folder.path().join("data")).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(names, ["state.redb"]);
    let file = fs::metadata(folder.path().join("data/state.redb")).unwrap();
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn another_handle_sees_each_change_and_values_outlive_the_handles() {
    let folder = TempDir::new().unwrap();
    let stores = [store(&folder), store(&folder)];
    for number in 0..20 {
        let (written, read) = (&stores[number % 2], &stores[(number + 1) % 2]);
        written.set("a", value(number)).await.unwrap();
        assert_eq!(read.get("a").await.unwrap(), Some(value(number)));
    }
    drop(stores);
    assert_eq!(store(&folder).get("a").await.unwrap(), Some(value(19)));
}

#[tokio::test]
async fn increments_of_two_processes_add_up() {
    let folder = TempDir::new().unwrap();
    let mut processes = [Process::start("increment", &folder), Process::start("increment", &folder)];
    for process in &mut processes {
        assert_eq!(process.next().unwrap(), "100");
    }
    assert_eq!(store(&folder).get("number").await.unwrap().unwrap(), "200");
}

#[tokio::test]
async fn what_was_set_before_a_process_was_killed_is_there() {
    let folder = TempDir::new().unwrap();
    let mut process = Process::start("set", &folder);
    let mut numbers: Vec<usize> = (0..100).map(|_| process.next().unwrap().parse().unwrap()).collect();
    process.child.kill().unwrap();
    while let Some(number) = process.next() {
        numbers.push(number.parse().unwrap());
    }
    assert!(numbers.len() < 1000, "the process ended before it was killed");
    let store = store(&folder);
    for number in numbers {
        assert_eq!(store.get(&number.to_string()).await.unwrap(), Some(value(number)), "{number}");
    }
    store.set("after", "1".into()).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_fails_the_change_and_loses_nothing() {
    let folder = TempDir::new().unwrap();
    let mut process = Process::start_with_files_of(4096, "fill", &folder);
    let mut count = 0;
    let error = loop {
        let line = process.next().unwrap();
        match line.parse::<usize>() {
            Ok(number) => assert_eq!(number, std::mem::replace(&mut count, number + 1)),
            Err(_) => break line,
        }
    };
    assert!(error.starts_with("the disk of the key-value store is full, so nothing was stored"), "{error}");
    assert_eq!([process.next().unwrap(), process.next().unwrap()], ["true", "true"]);
    let store = store(&folder);
    for number in (0..count).filter(|number| *number != 1) {
        assert_eq!(store.get(&number.to_string()).await.unwrap(), Some(value(number)), "{number}");
    }
    store.set("after", value(0)).await.unwrap();
}

#[tokio::test]
async fn a_process_that_writes_for_ever_stops_writers_only_and_only_while_it_is_there() {
    let folder = TempDir::new().unwrap();
    let stores = [store(&folder), store(&folder)];
    stores[0].set("a", "1".into()).await.unwrap();
    let mut process = Process::start("write for ever", &folder);
    assert_eq!(process.next().unwrap(), "ready");
    for store in &stores {
        // The first store has the file open for writing, and the second one has not opened it yet.
        let set = timeout(Duration::from_millis(100), store.set("a", "2".into()));
        assert!(set.await.is_err());
        assert_eq!(store.get("a").await.unwrap().unwrap(), "1");
    }
    drop(process);
    for store in &stores {
        assert_eq!(store.get("a").await.unwrap().unwrap(), "1", "a change that was given up was made");
        store.set("a", "1".into()).await.unwrap();
    }
}

#[tokio::test]
async fn a_read_that_has_to_wait_keeps_no_thread() {
    let folder = TempDir::new().unwrap();
    let store = store(&folder);
    store.set("a", "1".into()).await.unwrap();
    assert_eq!(store.get("a").await.unwrap().unwrap(), "1");
    let mut process = Process::start("commit for ever", &folder);
    assert_eq!(process.next().unwrap(), "ready");
    // The timer runs on the thread that the read is on.
    assert!(timeout(Duration::from_millis(100), store.get("a")).await.is_err());
    drop(process);
    assert_eq!(store.get("a").await.unwrap().unwrap(), "1");
}

#[tokio::test]
async fn a_file_that_is_mostly_free_becomes_shorter() {
    let folder = TempDir::new().unwrap();
    let store = store(&folder);
    let keys: Vec<_> = (0..1000).map(|number| number.to_string()).collect();
    store.set_many(keys.iter().map(|key| (key.clone(), value(1))).collect()).await.unwrap();
    let length = || fs::metadata(folder.path().join("data/state.redb")).unwrap().len();
    let full = length();
    store.delete_many(&keys[1..]).await.unwrap();
    eventually("a shorter file", async || length() < full / 8).await;
    assert_eq!(store.get("0").await.unwrap(), Some(value(1)));
    assert_eq!(store.list("", None).await.unwrap().keys, ["0"]);
    store.set("1", value(2)).await.unwrap();
}

/// Why the store can be neither read nor written.
async fn errors(store: &FileKeyValue) -> [ServiceError; 2] {
    [store.get("a").await.unwrap_err(), store.set("a", "1".into()).await.unwrap_err()]
}

#[tokio::test]
async fn a_path_of_something_else_is_refused_with_what_to_do() {
    type Make = fn(&Path);
    let cases: [(Make, &str); 3] = [
        (|path| fs::write(path, "notes").unwrap(), "was not made by Nebula"),
        (|path| fs::write(path, [0; 9000]).unwrap(), "was not made by Nebula"),
        (|path| fs::create_dir(path).unwrap(), "is that of a folder"),
    ];
    for (make, expected) in cases {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("state.redb");
        make(&path);
        let before = fs::read(&path).ok();
        for error in errors(&FileKeyValue::new(&path)).await {
            assert!(error.to_string().contains(expected), "{}", with_causes(&error));
            assert_eq!(error.kind(), ServiceErrorKind::Unavailable);
        }
        assert_eq!(fs::read(&path).ok(), before);
    }
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("data"), "a file").unwrap();
    for error in errors(&store(&folder)).await {
        assert!(error.to_string().contains("leads through a file"), "{}", with_causes(&error));
    }
}

#[tokio::test]
async fn a_database_of_another_program_is_refused_and_keeps_its_tables() {
    const OTHER: TableDefinition<'_, u64, u64> = TableDefinition::new("other");
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("state.redb");
    let database = Database::create(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(OTHER).unwrap().insert(1, 2).unwrap();
    transaction.commit().unwrap();
    drop(database);
    for error in errors(&FileKeyValue::new(&path)).await {
        assert!(error.to_string().contains("was not made by Nebula"), "{}", with_causes(&error));
    }
    let database = Database::open(&path).unwrap();
    let transaction = database.begin_read().unwrap();
    let tables: Vec<_> = transaction.list_tables().unwrap().map(|table| table.name().to_owned()).collect();
    assert_eq!(tables, ["other"]);
    assert_eq!(transaction.open_table(OTHER).unwrap().get(1).unwrap().unwrap().value(), 2);
}

#[tokio::test]
async fn a_damaged_file_is_an_error_and_no_crash() {
    type Damage = fn(&mut Vec<u8>);
    let damages: [Damage; 2] = [|bytes| bytes[4096..].fill(0xff), |bytes| bytes.truncate(bytes.len() / 2)];
    for damage in damages {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("data/state.redb");
        let keys: Vec<_> = (0..100).map(|number| number.to_string()).collect();
        let first = store(&folder);
        first.set_many(keys.iter().map(|key| (key.clone(), value(1))).collect()).await.unwrap();
        drop(first);
        let mut bytes = fs::read(&path).unwrap();
        damage(&mut bytes);
        fs::remove_file(&path).unwrap();
        fs::write(&path, bytes).unwrap();
        let store = store(&folder);
        let read = store.get_many(&keys).await;
        let written = store.set("a", "1".into()).await.and(store.set("b", "1".into()).await);
        let failures: Vec<_> = [read.err(), written.err()].into_iter().flatten().collect();
        assert!(!failures.is_empty());
        for error in failures {
            assert!(error.to_string().contains("is damaged"), "{}", with_causes(&error));
        }
    }
}
