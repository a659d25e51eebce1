use std::{
    fs,
    io::{self, Read as _},
    path::Path,
};

use nebula_runtime::{Architecture, AzureConfig, FunctionConfig, NewPackage, PackageSettings, test_kit};
use serde_json::{Value, json};

use super::{archive::Archive, azure, image};
use crate::{
    bootstrap::{Bootstrap, BootstrapError, Build},
    program::Program,
};

/// A program for this machine: the test itself.
fn program() -> Vec<u8> {
    fs::read(std::env::current_exe().unwrap()).unwrap()
}

fn refusal(bytes: &[u8], architecture: Architecture) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bootstrap");
    fs::write(&path, bytes).unwrap();
    Bootstrap::find(Some(&path), Build { architecture, with_services: false }).unwrap_err().to_string()
}

/// A program in which this version of glibc, `GLIBC_2.99`, replaces one that it really needs.
fn needing(glibc: &[u8; 10]) -> Vec<u8> {
    let mut bytes = program();
    let is_version = |name: &[u8]| name.starts_with(b"\0GLIBC_2.") && name.ends_with(b"\0");
    let at = bytes.windows(glibc.len() + 2).position(is_version).unwrap() + 1;
    bytes[at..at + glibc.len()].copy_from_slice(glibc);
    bytes
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn a_bootstrap_for_another_processor_system_or_glibc_is_refused_and_the_error_says_how_to_build_it() {
    let build = "`just bootstrap arm64` in Nebula's repository builds target/lambda/bootstrap-arm64";
    let cases = [
        (program(), Architecture::Arm64, "is not for arm64", build),
        (b"#!/bin/sh\n".to_vec(), Architecture::Arm64, "is not a program for Linux on arm64", build),
        (
            needing(b"GLIBC_2.99"),
            Architecture::X86_64,
            "needs glibc 2.99, and AWS Lambda has 2.34",
            "bootstrap x86_64`",
        ),
    ];
    for (bytes, architecture, expected, build) in cases {
        let refusal = refusal(&bytes, architecture);
        assert!(refusal.contains(expected) && refusal.contains(build), "{refusal}");
    }
}

#[test]
fn the_error_for_a_missing_bootstrap_says_how_to_build_it() {
    for (with_services, name) in [(false, "bootstrap"), (true, "bootstrap-services")] {
        let build = Build { architecture: Architecture::Arm64, with_services };
        let missing = Bootstrap::find(None, build).unwrap_err();
        let file = format!("{name}-arm64");
        assert!(matches!(&missing, BootstrapError::Missing { path, .. } if path.ends_with(file)), "{missing}");
        assert!(missing.to_string().contains(&format!("`just {name} arm64`")), "{missing}");
    }
}

async fn package(architecture: Architecture) -> NewPackage {
    let wasm = "(module (func (export \"seven\") (result i32) (i32.const 7)))";
    let runtime = test_kit::runtime(["seven", "sieben"].map(|name| (name, wasm))).await.unwrap();
    let mut config = FunctionConfig::default();
    let timer = [("type", "queueTrigger"), ("direction", "in"), ("name", "item")];
    config.azure = Some(AzureConfig::new(vec![timer.map(|(key, value)| (key.to_owned(), value.into())).into()]));
    runtime.publish(&"sieben".parse().unwrap(), wasm).config(config).await.unwrap();
    let functions = ["seven".parse().unwrap(), "sieben@2".parse().unwrap()];
    runtime.package(&functions, architecture, PackageSettings::default()).await.unwrap()
}

fn nebula() -> Program {
    Program {
        bytes: "the program".into(),
        loader: Some("lib64/ld-linux.so".into()),
        libraries: ["lib64/ld-linux.so", "lib/libc.so.6"].map(|path| (path.into(), "a library".into())).into(),
        certificates: "the certificates".into(),
    }
}

async fn lambda_zip(architecture: Architecture) -> Vec<u8> {
    let mut archive = Archive::default();
    archive.add_program("bootstrap", "the program");
    archive.add_package(&package(architecture).await);
    archive.zip(Path::new("app.zip")).unwrap()
}

async fn azure_zip(architecture: Architecture) -> Vec<u8> {
    let (archive, _) = azure::archive(nebula(), &package(architecture).await).unwrap();
    archive.zip(Path::new("app.zip")).unwrap()
}

async fn image_tar(architecture: Architecture) -> Vec<u8> {
    let mut tar = Vec::new();
    image::image(architecture, nebula(), &package(architecture).await).unwrap().write(&mut tar).unwrap();
    tar
}

#[tokio::test]
async fn the_same_functions_make_the_same_bytes() {
    for architecture in [Architecture::X86_64, Architecture::Arm64] {
        let once = [lambda_zip(architecture).await, azure_zip(architecture).await, image_tar(architecture).await];
        let again = [lambda_zip(architecture).await, azure_zip(architecture).await, image_tar(architecture).await];
        assert!(once == again, "{architecture}");
    }
}

/// The entries of a zip file: their names, modes and bytes.
fn entries(zip: Vec<u8>) -> Vec<(String, u32, Vec<u8>)> {
    let mut zip = zip::ZipArchive::new(io::Cursor::new(zip)).unwrap();
    let mut entries = Vec::new();
    for index in 0..zip.len() {
        let mut entry = zip.by_index(index).unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        entries.push((entry.name().unwrap().into_owned(), entry.unix_mode().unwrap() & 0o777, bytes));
    }
    entries
}

#[tokio::test]
async fn a_zip_has_the_program_and_each_module_once_with_their_modes() {
    let entries = entries(lambda_zip(Architecture::Arm64).await);
    let entries: Vec<_> = entries.into_iter().map(|(name, mode, bytes)| (name, mode, !bytes.is_empty())).collect();
    let code = entries[1].0.clone();
    assert!(code.starts_with("nebula/code/plain/") && code.ends_with(".cwasm"), "{code}");
    let expected = [("bootstrap", 0o755), (&code, 0o644), ("nebula/package.json", 0o644)];
    assert_eq!(entries, expected.map(|(name, mode)| (name.to_owned(), mode, true)));
}

#[tokio::test]
async fn a_package_for_azure_has_the_files_that_its_host_reads() {
    let entries = entries(azure_zip(Architecture::X86_64).await);
    let names: Vec<_> = entries.iter().map(|(name, mode, _)| (name.as_str(), *mode)).collect();
    let code = names[5].0;
    let expected = [
        ("bin/nebula", 0o755),
        ("host.json", 0o644),
        ("lib/ld-linux.so", 0o755),
        ("lib/libc.so.6", 0o755),
        ("local.settings.json", 0o644),
        (code, 0o644),
        ("nebula/package.json", 0o644),
        ("seven/function.json", 0o644),
        ("sieben/function.json", 0o644),
    ];
    assert_eq!(names, expected);
    let json = |name: &str| -> Value {
        serde_json::from_slice(&entries.iter().find(|entry| entry.0 == name).unwrap().2).unwrap()
    };
    let arguments = ["--library-path", "lib", "bin/nebula", "start", "azure", "."];
    let description = json!({ "defaultExecutablePath": "lib/ld-linux.so", "arguments": arguments });
    let handler = json!({ "enableForwardingHttpRequest": true, "description": description });
    let bundle = json!({ "id": "Microsoft.Azure.Functions.ExtensionBundle", "version": "[4.*, 5.0.0)" });
    assert_eq!(json("host.json"), json!({ "version": "2.0", "customHandler": handler, "extensionBundle": bundle }));
    let request = json!({ "type": "httpTrigger", "direction": "in", "name": "req", "authLevel": "anonymous",
        "route": "seven/{*path}" });
    let response = json!({ "type": "http", "direction": "out", "name": "res" });
    assert_eq!(json("seven/function.json"), json!({ "bindings": [request, response] }));
    let queue = json!({ "type": "queueTrigger", "direction": "in", "name": "item" });
    assert_eq!(json("sieben/function.json"), json!({ "bindings": [queue] }));
}

/// The files of a tar: their names, modes and owners.
fn files(tar: impl io::Read) -> Vec<(String, u32, u64)> {
    let mut tar = tar::Archive::new(tar);
    let entries = tar.entries().unwrap().map(Result::unwrap);
    let file = |entry: tar::Entry<'_, _>| {
        let (path, header) = (entry.path().unwrap().display().to_string(), entry.header());
        assert_eq!(header.mtime().unwrap(), 0);
        (path, header.mode().unwrap(), header.uid().unwrap())
    };
    entries.map(file).collect()
}

#[tokio::test]
async fn an_image_has_a_layer_for_the_program_and_one_for_the_functions() {
    let image = image::image(Architecture::X86_64, nebula(), &package(Architecture::X86_64).await).unwrap();
    let layer = |index: usize| image.layers[index].0.blob.reader().unwrap();
    let [program, functions] = [0, 1].map(|index| files(flate2::read::GzDecoder::new(layer(index))));
    for expected in [
        ("dev", 0o755),
        ("etc/ssl/certs/ca-certificates.crt", 0o644),
        ("functions", 0o755),
        ("lib/libc.so.6", 0o755),
        ("lib64/ld-linux.so", 0o755),
        ("tmp", 0o1777),
        ("usr/bin/nebula", 0o755),
    ] {
        assert!(program.contains(&(expected.0.to_owned(), expected.1, 0)), "{expected:?} is not in {program:?}");
    }
    let names: Vec<_> = functions.iter().map(|(name, ..)| name.as_str()).collect();
    let code = names[4];
    assert_eq!(
        names,
        [
            "functions",
            "functions/nebula",
            "functions/nebula/code",
            "functions/nebula/code/plain",
            code,
            "functions/nebula/package.json"
        ]
    );
}
