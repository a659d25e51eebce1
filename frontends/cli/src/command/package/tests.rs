use std::{fs, io::Read as _};

use nebula_runtime::{LimitSettings, test_kit};

use super::*;
use crate::bootstrap::BootstrapError;

/// A program for this machine: the test itself.
fn program() -> Vec<u8> {
    fs::read(std::env::current_exe().unwrap()).unwrap()
}

fn refusal(bytes: &[u8], architecture: Architecture) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bootstrap");
    fs::write(&path, bytes).unwrap();
    Bootstrap::find(Some(&path), architecture).unwrap_err().to_string()
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
    let missing = Bootstrap::find(None, Architecture::Arm64).unwrap_err();
    assert!(matches!(&missing, BootstrapError::Missing { path, .. } if path.ends_with("bootstrap-arm64")), "{missing}");
    assert!(missing.to_string().contains("`just bootstrap arm64`"), "{missing}");
}

async fn archive(architecture: Architecture) -> Archive {
    let wasm = "(module (func (export \"seven\") (result i32) (i32.const 7)))";
    let runtime = test_kit::runtime(["seven", "sieben"].map(|name| (name, wasm))).await.unwrap();
    let functions = ["seven".parse().unwrap(), "sieben@1".parse().unwrap()];
    let limits = LimitSettings::default();
    let package = runtime.package(&functions, architecture, limits, limits).await.unwrap();
    Archive::new(b"the program".to_vec(), package.files)
}

#[tokio::test]
async fn the_same_functions_make_the_same_bytes() {
    for architecture in [Architecture::X86_64, Architecture::Arm64] {
        let (once, again) = (archive(architecture).await.zip().unwrap(), archive(architecture).await.zip().unwrap());
        assert!(once == again, "{architecture}");
    }
}

#[tokio::test]
async fn a_zip_has_the_program_and_each_module_once_with_their_modes() {
    let zip = archive(Architecture::Arm64).await.zip().unwrap();
    let mut zip = zip::ZipArchive::new(io::Cursor::new(zip)).unwrap();
    let mut entries = Vec::new();
    for index in 0..zip.len() {
        let mut entry = zip.by_index(index).unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        entries.push((entry.name().unwrap().into_owned(), entry.unix_mode().unwrap() & 0o777, !bytes.is_empty()));
    }
    let code = entries[1].0.clone();
    assert!(code.starts_with("nebula/code/plain/") && code.ends_with(".cwasm"), "{code}");
    let expected = [("bootstrap", 0o755), (&code, 0o644), ("nebula/package.json", 0o644)];
    assert_eq!(entries, expected.map(|(name, mode)| (name.to_owned(), mode, true)));
}
