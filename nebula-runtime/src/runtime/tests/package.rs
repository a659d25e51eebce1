//! Packages: made, written, opened and run.

use std::{fs, io, path::Path};

use super::*;
use crate::{
    engine::WASMTIME,
    function::LimitSettings,
    registry::{Architecture, CODE, DESCRIPTION, NewPackage, Package, PackageSettings},
};

const TREATS: &str = r#"(module
    (func (export "treats") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2))))"#;

/// The smallest component that only an engine for async functions compiles.
const LATER: &str = r#"(component
    (core module $m (func (export "run") (result i32) i32.const 7))
    (core instance $i (instantiate $m))
    (func (export "later") async (result u32) (canon lift (core func $i "run"))))"#;

async fn package(architecture: Architecture, limits: LimitSettings) -> NewPackage {
    let runtime = Runtime::builder(Store::memory()).concurrency(1).build().unwrap();
    for (name, wasm) in [("treats", TREATS), ("later", LATER)] {
        let name: FunctionName = name.parse().unwrap();
        runtime.publish(&name, wasm).await.unwrap();
    }
    let functions = ["treats", "later"].map(|name| name.parse().unwrap());
    runtime.package(&functions, architecture, PackageSettings { limits, ..PackageSettings::default() }).await.unwrap()
}

async fn opened(package: &NewPackage) -> (tempfile::TempDir, Package) {
    let folder = tempfile::tempdir().unwrap();
    package.write(folder.path()).unwrap();
    let package = Package::open(folder.path()).await.unwrap();
    (folder, package)
}

async fn call(runtime: &Runtime, function: &str, event: &'static str) -> Result<String, InvokeError> {
    let response =
        runtime.invoke(Invocation::new(function.parse::<FunctionName>().unwrap(), Event::json(event))).await?;
    Ok(String::from_utf8(response.body.collect(1024).await?.to_vec()).unwrap())
}

fn here() -> Architecture {
    Architecture::HOST.unwrap()
}

fn other() -> Architecture {
    if here() == Architecture::Arm64 { Architecture::X86_64 } else { Architecture::Arm64 }
}

#[tokio::test]
async fn a_package_runs_its_functions_from_their_compiled_code_alone() {
    let (_folder, package) = opened(&package(here(), LimitSettings::default()).await).await;
    assert_eq!(package.functions().iter().map(FunctionName::as_str).collect::<Vec<_>>(), ["later", "treats"]);
    let runtime = Runtime::of_package(&package).concurrency(1).build().unwrap();
    assert_eq!(call(&runtime, "treats", "21").await.unwrap(), "42");
    assert_eq!(call(&runtime, "later", "[]").await.unwrap(), "7");
    assert_eq!(call(&runtime, "other", "1").await.unwrap_err().kind(), crate::call::ErrorKind::NotFound);
}

#[tokio::test]
async fn a_package_is_run_under_the_limits_that_it_was_made_with() {
    let limits = LimitSettings { max_request: Some(bytesize::ByteSize(2)), ..LimitSettings::default() };
    let (_folder, package) = opened(&package(here(), limits).await).await;
    let runtime = Runtime::of_package(&package).concurrency(1).build().unwrap();
    assert_eq!(call(&runtime, "treats", "21").await.unwrap(), "42");
    assert_eq!(call(&runtime, "treats", "210").await.unwrap_err().kind(), crate::call::ErrorKind::PayloadTooLarge);
}

#[tokio::test]
async fn code_that_is_gone_or_for_another_processor_is_never_run_nor_compiled() {
    let (ours, theirs) =
        (package(here(), LimitSettings::default()).await, package(other(), LimitSettings::default()).await);
    let (folder, package) = opened(&ours).await;
    for (path, bytes) in theirs.files.iter().filter(|(path, _)| path.starts_with(CODE)) {
        let path = folder.path().join(path);
        for damage in [&|path: &Path| fs::write(path, bytes), &|path: &Path| fs::remove_file(path)]
            as [&dyn Fn(&Path) -> io::Result<()>; 2]
        {
            damage(&path).unwrap();
            let runtime = Runtime::of_package(&package).concurrency(1).build().unwrap();
            let function = if path.iter().any(|part| part == "plain") { "treats" } else { "later" };
            assert_eq!(call(&runtime, function, "21").await.unwrap_err().kind(), crate::call::ErrorKind::Internal);
        }
    }
}

#[tokio::test]
async fn code_is_refused_with_the_reason_where_address_space_is_too_short_for_it() {
    let (_folder, package) = opened(&package(here(), LimitSettings::default()).await).await;
    // No machine has the address space for so many.
    let runtime = Runtime::of_package(&package).concurrency(u32::MAX).build().unwrap();
    let error = call(&runtime, "treats", "21").await.unwrap_err();
    assert_eq!(error.kind(), crate::call::ErrorKind::Internal);
    assert!(error.detail().contains("address space, which is short here"), "{error}");
}

#[tokio::test]
async fn a_package_for_another_program_is_refused_with_the_command_that_mends_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut refusals = vec![Package::open(folder.path()).await.unwrap_err().to_string()];
    package(other(), LimitSettings::default()).await.write(folder.path()).unwrap();
    refusals.push(Package::open(folder.path()).await.unwrap_err().to_string());
    let path = folder.path().join(DESCRIPTION);
    let description = fs::read_to_string(&path).unwrap();
    for (found, instead) in [("\"wasmtime\": \"", "\"wasmtime\": \"1"), ("\"format\": ", "\"format\": 1"), ("{", "")] {
        fs::write(&path, description.replacen(found, instead, 1)).unwrap();
        refusals.push(Package::open(folder.path()).await.unwrap_err().to_string());
    }
    let expected = [
        "failed to read the package ".to_owned(),
        format!("the package was compiled for {}, and this processor is {}", other(), here()),
        "the package was compiled by Wasmtime 1".to_owned(),
        "the package has format 12".to_owned(),
        "the package ".to_owned(),
    ];
    for (refusal, expected) in refusals.iter().zip(expected) {
        assert!(refusal.starts_with(&expected) && refusal.contains("nebula package"), "{refusal}");
    }
    assert!(refusals[1].contains(&format!("--arch {}", here())), "{}", refusals[1]);
}

#[tokio::test]
async fn code_names_the_version_of_wasmtime_as_packages_do() {
    let package = package(here(), LimitSettings::default()).await;
    let code = package.files.iter().find(|(path, _)| path.starts_with(CODE)).unwrap().1;
    // The beginning of its section about the engine: a version byte, a length, the version.
    let expected = [&[0, WASMTIME.len() as u8], WASMTIME.as_bytes()].concat();
    assert!(code.windows(expected.len()).any(|window| window == expected));
}
