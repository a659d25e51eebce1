//! What publishers and callers see of commands that are initialised when they are published.

use super::*;
use crate::{
    function::{FunctionInfo, LimitSettings, RegistryErrorKind, Snapshot},
    registry::Published,
    store::{
        Progress,
        trust::{KeyKind, SigningKey, Trust, TrustedKey},
    },
};

/// A command that writes `cold`, or after an initialiser `warm` or `late`. Other initialisers fail, or keep a random number.
const COMMAND: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environment (param i32 i32) (result i32)))
    (memory (export "memory") 2)
    (global $text (mut i32) (i32.const 16))
    (data (i32.const 0) "\10\00\00\00\04\00\00\00cold....coldwarmlate")
    (func $print (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
    (func (export "_start") (i32.store (i32.const 0) (global.get $text)) (call $print))
    (func (export "wizer-initialize") (global.set $text (i32.const 20)))
    (func (export "late") (i32.store (i32.const 16) (i32.load (i32.const 24))))
    (func (export "roll") (drop (call $random (i32.const 65536) (i32.const 4096))))
    (func $divide (param i32) (result i32) (i32.div_s (i32.const 1) (local.get 0)))
    (func (export "trap") (call $print) (drop (call $divide (i32.const 0))))
    (func (export "leave") (call $exit (i32.const 3)))
    (func (export "spin") (loop (br 0)))
    (func (export "hoard") (loop (br_if 0 (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) unreachable)
    (func (export "look") (drop (call $environment (i32.const 0) (i32.const 4)))
        (if (i32.load (i32.const 0)) (then unreachable)))
    (func (export "ask") (param i32)))"#;

fn by(initialiser: &str) -> FunctionConfig {
    FunctionConfig { snapshot: Snapshot::By(initialiser.to_owned()), ..FunctionConfig::default() }
}

fn on() -> FunctionConfig {
    FunctionConfig { snapshot: Snapshot::On, ..FunctionConfig::default() }
}

async fn published(runtime: &Runtime, config: FunctionConfig) -> Published {
    runtime.publish(&name("f"), COMMAND).config(config).await.unwrap()
}

async fn refusal(module: impl Into<Bytes>, config: FunctionConfig) -> String {
    let runtime = runtime(&Store::memory());
    let refused = runtime.publish(&name("f"), module).config(config).await.unwrap_err();
    assert_eq!(refused.kind(), RegistryErrorKind::Invalid, "{refused}");
    assert_eq!(runtime.store().names().await.unwrap(), [], "a refused publish stores nothing");
    refused.detail().to_owned()
}

async fn image(runtime: &Runtime, info: &FunctionInfo) -> Bytes {
    runtime.store().module(&info.snapshot.unwrap().digest).await.unwrap()
}

#[tokio::test]
async fn a_call_starts_from_the_state_that_the_initialiser_has_left() {
    let runtime = runtime(&Store::memory());
    for (config, expected) in [(FunctionConfig::default(), "cold"), (on(), "warm"), (by("late"), "late")] {
        let info = published(&runtime, config.clone()).await.info;
        for _ in 0..2 {
            assert_eq!(call(&runtime, "f").await.unwrap(), expected);
        }
        assert_eq!(info.snapshot.is_none(), config.snapshot.is_off());
        assert_eq!((info.digest, info.size), (Digest::of(&wasm()), wasm().len() as u64), "the module stays as it is");
        assert_eq!(runtime.store().module(&info.digest).await.unwrap(), wasm());
    }
}

fn wasm() -> Bytes {
    wat::parse_str(COMMAND).unwrap().into()
}

#[tokio::test]
async fn an_initialiser_has_no_variables_and_an_image_has_no_initialiser() {
    let runtime = runtime(&Store::memory());
    let env = [("SECRET".to_owned(), "s3cret".into())].into();
    let info = published(&runtime, FunctionConfig { env, ..by("look") }).await.info;
    assert!(info.exports.iter().all(|export| export.name != "look"), "{:?}", info.exports);
    assert!(info.exports.iter().any(|export| export.name == "late"), "{:?}", info.exports);
}

#[tokio::test]
async fn publishing_again_uses_the_image_that_is_there_whatever_the_initialiser_would_do() {
    let runtime = runtime(&Store::memory());
    let first = published(&runtime, by("roll")).await;
    let again = published(&runtime, by("roll")).await;
    assert_eq!((again.info.version, again.info.snapshot, again.changed), (1, first.info.snapshot, false));
    let precondition = crate::store::Precondition::Published;
    let again = runtime.publish(&name("f"), COMMAND).config(by("roll")).only_if(precondition).await.unwrap();
    assert_eq!((again.info.version, again.changed), (1, false), "also where every publish goes to the end");
    assert_eq!(published(&runtime, on()).await.info.version, 2);
    let third = published(&runtime, by("roll")).await.info;
    assert_eq!((third.version, third.snapshot), (3, first.info.snapshot));
    let image = image(&runtime, &third).await;
    assert!(image.len() > wasm().len() + 4_000, "the random bytes are in it");
}

#[tokio::test]
async fn an_image_that_comes_with_the_module_is_the_one_that_runs() {
    let (here, there) = (runtime(&Store::memory()), runtime(&Store::memory()));
    let made = published(&here, by("roll")).await.info;
    let brought = image(&here, &made).await;
    let publish = async || there.publish(&name("f"), COMMAND).config(by("roll")).image(brought.clone()).await.unwrap();
    assert_eq!(publish().await.info.snapshot, made.snapshot);
    assert!(!publish().await.changed);
    assert_eq!(call(&there, "f").await.unwrap(), "cold");
}

#[tokio::test]
async fn a_command_that_is_initialised_starts_by_its_own_export_for_that() {
    let command =
        COMMAND.replace("(export \"late\")", "(export \"wizer.resume\")").replace("16) (i32.load", "20) (i32.load");
    let runtime = runtime(&Store::memory());
    let info = runtime.publish(&name("f"), command).config(on()).await.unwrap().info;
    assert!(info.exports.is_empty() || info.exports.iter().all(|export| export.name != "wizer.resume"));
    assert_eq!(call(&runtime, "f").await.unwrap(), "", "it starts by the export that writes nothing");
}

#[tokio::test]
async fn a_module_that_cannot_have_a_snapshot_is_refused_with_the_reason() {
    let start = "(func (export \"_start\"))";
    let cases = [
        ("(component)".to_owned(), on(), "this is a component"),
        (
            "(module (func (export \"wizer-initialize\")))".to_owned(),
            on(),
            "the module does not export _start; leave out the key",
        ),
        (format!("(module {start})"), on(), "exports no function wizer-initialize or wizer.initialize"),
        (format!("(module {start})"), by("warm"), "exports no function warm"),
        (
            format!("(module (import \"a\" \"b\" (memory 1)) {start})"),
            on(),
            "the module imports \"b\" from \"a\", which is no function",
        ),
        (COMMAND.to_owned(), by("ask"), "it must be a function without arguments and results"),
        (
            format!(
                "(module (table $t 1 funcref) {start} (func (export \"wizer-initialize\")
                (table.set $t (i32.const 0) (ref.null func))))"
            ),
            on(),
            "the module cannot have a snapshot: unsupported `table.set` instruction",
        ),
    ];
    for (module, config, expected) in cases {
        let refused = refusal(module, config).await;
        assert!(refused.contains(expected), "{expected}: {refused}");
    }
}

#[tokio::test]
async fn an_initialiser_that_fails_refuses_the_publish_with_its_stack_and_its_output() {
    let trapped = refusal(COMMAND, by("trap")).await;
    let first =
        "the snapshot cannot be made: the initialiser \"trap\" failed: the function trapped: integer divide by zero";
    assert!(trapped.starts_with(first) && trapped.contains("\n    at divide ("), "{trapped}");
    assert!(trapped.ends_with("\n    its output ends with: cold"), "{trapped}");
    let left = refusal(COMMAND, by("leave")).await;
    assert!(left.contains("the initialiser \"leave\" failed: the function exited with code 3"), "{left}");
    let limits = LimitSettings { memory: Some(bytesize::ByteSize::mib(1)), ..LimitSettings::default() };
    let hoarded = refusal(COMMAND, FunctionConfig { limits, ..by("hoard") }).await;
    assert!(hoarded.contains("the function exceeded its memory limit"), "{hoarded}");
}

#[tokio::test(start_paused = true)]
async fn an_initialiser_that_does_not_end_is_stopped() {
    let later = async {
        // Time passes while the initialiser spins, and not while a thread compiles it.
        loop {
            pass(Duration::from_secs(10)).await;
        }
    };
    let refused = tokio::select! {
        refused = refusal(COMMAND, by("spin")) => refused,
        () = later => unreachable!(),
    };
    assert!(refused.contains("the initialiser \"spin\" failed: it did not end within 1m"), "{refused}");
}

#[tokio::test]
async fn an_image_that_is_not_trusted_is_not_used_again() {
    let store = Store::memory();
    let first = published(&runtime(&store), by("roll")).await.info;
    let key = SigningKey::from_pem(SigningKey::generate(KeyKind::Ed25519).unwrap().as_bytes()).unwrap();
    let trust = Trust::required(vec![TrustedKey::new("team.pub", key.public())], [].into()).unwrap();
    let team = Runtime::builder(store.clone()).concurrency(2).trust(trust).build().unwrap();
    let second = published(&team, by("roll")).await.info;
    assert_ne!(second.snapshot, first.snapshot);
}

#[tokio::test]
async fn an_image_that_is_lost_is_made_again_and_verifying_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&crate::store::StoreUrl::folder(folder.path()).unwrap()).await.unwrap();
    let first = published(&runtime(&store), on()).await.info.snapshot.unwrap();
    std::fs::remove_file(folder.path().join("blobs/sha256").join(first.digest.hex())).unwrap();
    let verified = store.verify(&[], &Progress::default()).await.unwrap();
    assert_eq!(verified.problems.len(), 1, "{verified:?}");
    let again = published(&runtime(&store), on()).await;
    assert_eq!((again.info.snapshot.map(|image| image.digest), again.changed), (Some(first.digest), false));
    assert_eq!(store.verify(&[], &Progress::default()).await.unwrap().problems, []);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_package_runs_the_image() {
    use crate::registry::{Architecture, Package, PackageSettings};

    let runtime = runtime(&Store::memory());
    published(&runtime, on()).await;
    let (functions, folder) = ([name("f").into()], tempfile::tempdir().unwrap());
    let packing = runtime.package(&functions, Architecture::HOST.unwrap(), PackageSettings::default());
    packing.await.unwrap().write(folder.path()).unwrap();
    let package = Package::open(folder.path()).await.unwrap();
    assert_eq!(call(&Runtime::of_package(&package).concurrency(1).build().unwrap(), "f").await.unwrap(), "warm");
}
