//! Images that `nebula package image` pushes.

use std::{fs, path::Path, process::Command};

use nebula_integration_tests::Registry;
use nebula_runtime::Digest;
use serde_json::{Value, json};

use super::team::Team;

/// Packages `scale` with a small program.
const PACKAGE: &[&str] = &["package", "image", "scale", "--binary", "/bin/true"];

/// The same with these options. Returns what it prints.
fn package(team: &Team, options: &[&str]) -> String {
    team.text(&[PACKAGE, options].concat())
}

fn run(tool: &str, arguments: &[&str], folder: &Path) -> Vec<u8> {
    let output = Command::new(tool).args(arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{tool} {arguments:?}: {output:?}");
    output.stdout
}

#[test]
fn an_image_in_a_registry_is_that_of_the_file() {
    let Some(registry) = Registry::start() else { return };
    let team = Team::new();
    team.publish(2, &[]);
    let in_file = package(&team, &["-o", "app.tar"]);
    let reference = registry.reference("team/app:1");
    let pushed = package(&team, &["-o", &reference]);
    assert_eq!(pushed, in_file.replace("app.tar", &reference));
    let digest = pushed.trim_end().rsplit('\n').next().unwrap();
    assert_eq!(package(&team, &["-o", &reference]), pushed, "a second push changes nothing");

    let manifest = registry.manifest("team/app", digest).1;
    assert_eq!(registry.manifest("team/app", "1").1, manifest);
    let layers = manifest["layers"].as_array().unwrap();
    let printed: Value = serde_json::from_str(&package(&team, &["-o", &reference, "--json"])).unwrap();
    let expected = json!({
        "reference": reference, "digest": digest,
        "layers": layers.iter().map(|layer| layer["digest"].clone()).collect::<Vec<_>>(),
    });
    let layers: Vec<_> = printed["layers"].as_array().unwrap().iter().map(|layer| layer["digest"].clone()).collect();
    assert_eq!(json!({ "reference": printed["reference"], "digest": printed["digest"], "layers": layers }), expected);
    let all = layers_and_config(&manifest);
    let sizes: u64 = all.iter().map(|blob| blob["size"].as_u64().unwrap()).sum();
    assert!(printed["size"].as_u64().unwrap() > sizes && printed.get("file").is_none(), "{printed}");
}

fn layers_and_config(manifest: &Value) -> Vec<Value> {
    [manifest["layers"].as_array().unwrap().as_slice(), &[manifest["config"].clone()]].concat()
}

#[test]
fn skopeo_reads_the_image_that_was_pushed() {
    let Some(registry) = Registry::start() else { return };
    if Command::new("skopeo").arg("--version").output().is_err() {
        eprintln!("not tested with skopeo: it is not installed");
        return;
    }
    let team = Team::new();
    team.publish(2, &[]);
    let pushed = package(&team, &["-o", &registry.reference("app:1")]);
    let digest = pushed.trim_end().rsplit('\n').next().unwrap();
    let (folder, source) = (team.project.path(), format!("docker://{}/app:1", registry.address()));
    let raw = run("skopeo", &["inspect", "--raw", "--tls-verify=false", &source], folder);
    assert_eq!(Digest::of(&raw).to_string(), digest);
    let config = run("skopeo", &["inspect", "--config", "--tls-verify=false", &source], folder);
    let config: Value = serde_json::from_slice(&config).unwrap();
    assert_eq!(config["config"]["Entrypoint"], json!(["/usr/bin/nebula", "start", "image", "/functions"]));
    let copy = ["--insecure-policy", "copy", "--quiet", "--src-tls-verify=false", &source, "oci:copy:app"];
    run("skopeo", &copy, folder);
    let index: Value = serde_json::from_str(&team.read("copy/index.json")).unwrap();
    assert_eq!(index["manifests"][0]["digest"], digest);
    // skopeo checks the bytes of each layer against its digest, and so does this.
    for blob in layers_and_config(&serde_json::from_slice(&raw).unwrap()) {
        let digest = blob["digest"].as_str().unwrap();
        let bytes = fs::read(team.project.join(format!("copy/blobs/{}", digest.replace(':', "/")))).unwrap();
        assert_eq!(Digest::of(&bytes).to_string(), digest);
    }
}

#[test]
fn a_place_where_no_image_can_be_pushed_is_named_with_what_to_do() {
    let team = Team::new();
    team.publish(2, &[]);
    let refused = |reference: &str, code: i32, expected: &str| {
        team.assert_refused(&[PACKAGE, &["-o", reference]].concat(), code, expected);
    };
    let pinned = format!("oci://127.0.0.1:1/app@sha256:{}", "9f".repeat(32));
    refused(&pinned, 2, "has a digest, which follows from what is pushed: name a tag instead");
    refused("oci://app", 2, "expected oci://REGISTRY/REPOSITORY");
    refused("oci://127.0.0.1:1/app:1", 69, "registry 127.0.0.1:1 does not answer");
    let Some(registry) = Registry::start_with_password() else { return };
    let login = format!("refuses it; log in with: docker login {}", registry.address());
    refused(&registry.reference("app:1"), 77, &login);
}
