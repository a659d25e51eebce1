//! Pushing to a registry and pulling from it.

use std::{fs, net::TcpListener, process::Command};

use nebula_integration_tests::{Registry, Server};
use nebula_runtime::Digest;
use serde_json::{Value, json};

use super::team::{TRUST, Team, module};

const WASM: &str = "application/wasm";
const CONFIG: &str = "application/vnd.wasm.config.v0+json";

/// The digest of the manifest of a version in a team's store.
fn manifest(team: &Team, version: &str) -> String {
    let record: Value = serde_json::from_str(&team.read("store/functions/scale.json")).unwrap();
    record["versions"][version]["manifest"].as_str().unwrap().to_owned()
}

#[test]
fn a_version_keeps_its_digest_and_its_signatures_from_store_to_registry_to_store() {
    let Some(registry) = Registry::start() else { return };
    let (here, there) = (Team::new(), Team::new());
    here.project.write("limits.toml", "[functions.scale]\nsource = \"scale.wat\"\ntimeout = \"2s\"\n");
    here.publish(2, &["--config", "limits.toml"]);
    for form in ["simple", "bundle"] {
        here.text(&["sign", "scale", "--key", "team.key", "--form", form]);
    }
    let (reference, digest) = (registry.reference("team/scale:1.0"), manifest(&here, "1"));
    let pushed = format!("scale version 1 -> {reference} ({digest}), 2 signatures\n");
    assert_eq!(here.text(&["push", "scale", &reference]), pushed);

    let (_, found) = registry.manifest("team/scale", "1.0");
    let types =
        (&found["config"]["mediaType"], &found["layers"][0]["mediaType"], found["layers"].as_array().unwrap().len());
    assert_eq!(types, (&json!(CONFIG), &json!(WASM), 1));
    let (_, simple) = registry.manifest("team/scale", &format!("{}.sig", digest.replace(':', "-")));
    assert!(simple["layers"][0]["annotations"]["dev.cosignproject.cosign/signature"].is_string(), "{simple}");
    let (_, index) = registry.manifest("team/scale", &digest.replace(':', "-"));
    let bundle = "application/vnd.dev.sigstore.bundle.v0.3+json";
    assert_eq!(index["manifests"][0]["artifactType"], bundle, "{index}");
    let (_, referrer) = registry.manifest("team/scale", index["manifests"][0]["digest"].as_str().unwrap());
    assert_eq!((&referrer["subject"]["digest"], &referrer["layers"][0]["mediaType"]), (&json!(digest), &json!(bundle)));

    assert_eq!(here.text(&["push", "scale", &reference]), pushed);
    let again = registry.manifest("team/scale", &digest.replace(':', "-")).1;
    assert_eq!((index, simple["layers"].as_array().unwrap().len()), (again, 1), "a second push changes nothing");

    there.project.write("team.pub", here.read("team.pub"));
    there.project.write("nebula.toml", TRUST);
    there.text(&["publish", "scale", &reference, "--with-config"]);
    assert_eq!(manifest(&there, "1"), digest);
    assert_eq!(there.text(&["run", "scale", "21"]), "42\n");
    assert_eq!(there.verify(&[]), (0, "FUNCTION  VERSION  SIGNED BY\nscale     1        team.pub\n".to_owned()));
    let origin = json!({ "reference": reference, "digest": digest, "signed_by": "team.pub" });
    assert_eq!(there.json(&["inspect", "scale"])["versions"][0]["origin"], origin);
    let shown = there.text(&["inspect", "scale"]);
    assert!(shown.contains(&format!("origin    {reference} ({digest}), signed there by team.pub\n")), "{shown}");
}

#[test]
fn an_artifact_that_no_key_of_the_team_has_signed_is_not_published() {
    let Some(registry) = Registry::start() else { return };
    let (stranger, team) = (Team::new(), Team::strict());
    stranger.publish(2, &[]);
    let reference = registry.reference("scale");
    stranger.text(&["push", "scale", &reference]);
    team.assert_refused(&["publish", "scale", &reference], 77, "is not trusted: it has no signature in the registry");
    stranger.text(&["sign", "scale", "--key", "team.key"]);
    stranger.text(&["push", "scale", &reference]);
    team.assert_refused(&["publish", "scale", &reference], 77, "is not trusted: it is by none of the keys");
    assert!(!team.project.join("store/functions/scale.json").exists());
    // A team that requires no signatures takes it, and says nothing of a key.
    team.project.write("nebula.toml", "[trust]\nkeys = [\"team.pub\"]\n");
    team.text(&["publish", "scale", &reference]);
    assert_eq!(team.json(&["inspect", "scale"])["versions"][0]["origin"].get("signed_by"), None);
}

#[test]
fn another_name_than_the_signed_one_is_published_and_has_to_be_signed_itself() {
    let Some(registry) = Registry::start() else { return };
    let team = Team::strict();
    team.publish(2, &[]);
    team.text(&["sign", "scale", "--key", "team.key"]);
    let reference = registry.reference("scale:1");
    team.text(&["push", "scale", &reference]);
    team.assert_refused(&["publish", "other", &reference], 77, "it is for scale, and not for other");
}

#[test]
fn settings_leave_and_enter_only_where_that_is_asked_for() {
    let Some(registry) = Registry::start() else { return };
    let (here, there) = (Team::new(), Team::new());
    fs::create_dir(here.project.join("data")).unwrap();
    here.project.write(
        "scale.toml",
        "[functions.scale]\nsource = \"scale.wat\"\ntimeout = \"2s\"\nenv = { TOKEN = \"secret\" }\n\
         dirs = [{ host = \"data\", guest = \"/data\" }]\nallow_hosts = [\"api.example.com\"]\n",
    );
    here.publish(2, &["--config", "scale.toml"]);
    let (reference, data) = (registry.reference("scale:1"), here.project.join("data"));
    let named = format!("folder {} as /data, read, variable TOKEN", data.display());
    here.assert_refused(&["push", "scale", &reference], 2, &named);
    assert_eq!(registry.manifest("scale", "1").0, 404);
    let pushed = here.run(&["push", "scale", &reference, "--with-config"]).expect_success();
    assert!(pushed.stderr.contains(&named) && !pushed.stderr.contains("secret"), "{pushed:#?}");

    let published = there.run(&["publish", "scale", &reference]).expect_success();
    let shown = format!(
        "the artifact brings settings, which are not taken (--with-config takes them):\n  folder {} as /data, read\n  \
         variable TOKEN\n  requests to api.example.com\n  limits\n",
        data.display()
    );
    assert_eq!(published.stderr, shown);
    assert_eq!(there.json(&["inspect", "scale"])["config"], json!({ "limits": {} }));
    let published = there.run(&["publish", "scale", &reference, "--with-config"]).expect_success();
    assert_eq!(published.stderr, "");
    assert_eq!(there.json(&["inspect", "scale"])["config"]["env"], json!({ "TOKEN": "secret" }));
    assert_eq!(manifest(&there, "2"), manifest(&here, "1"));
}

#[test]
fn what_other_tools_pushed_is_pulled_and_what_is_no_function_is_refused() {
    let Some(registry) = Registry::start() else { return };
    let (team, wasm) = (Team::new(), wat::parse_str(module(2)).unwrap());
    let config = registry.put_blob("other", "application/vnd.oci.image.config.v1+json", b"{}");
    let layer = |media_type: &str, bytes: &[u8]| registry.put_blob("other", media_type, bytes);
    for media_type in [
        "application/wasm",
        "application/vnd.wasm.content.layer.v1+wasm",
        "application/vnd.module.wasm.content.layer.v1+wasm",
    ] {
        let readme = layer("text/markdown", b"# scale");
        registry.put_manifest("other", "good", &config, &[readme, layer(media_type, &wasm)]);
        team.text(&["publish", "scale", &registry.reference("other:good")]);
        assert_eq!(team.text(&["run", "scale", "21"]), "42\n");
    }

    let tar = "application/vnd.oci.image.layer.v1.tar+gzip";
    let (one, two) = (layer(WASM, &wasm), layer(WASM, b"\0asm\x01\0\0\0"));
    let mut large = one.clone();
    large["size"] = (2_u64 << 30).into();
    let mut short = one.clone();
    short["size"] = 4.into();
    let cases: [(&str, &[Value], &str); 6] = [
        ("none", &[], "has no WebAssembly: its layers are none, and Nebula reads application/wasm"),
        (
            "image",
            &[layer(tar, b"tar")],
            "has no WebAssembly: its layers are application/vnd.oci.image.layer.v1.tar+gzip",
        ),
        ("several", &[one, two], "has 2 layers with WebAssembly, and a function is one"),
        ("large", &[large], "is 2.0 GiB, and Nebula reads at most 256.0 MiB"),
        ("short", &[short], "is damaged in the registry: its bytes have another digest or size"),
        ("text", &[layer(WASM, b"hello")], "the file is not WebAssembly"),
    ];
    for (tag, layers, expected) in cases {
        registry.put_manifest("other", tag, &config, layers);
        team.assert_refused(&["publish", "scale", &registry.reference(&format!("other:{tag}"))], 65, expected);
    }
    team.assert_refused(&["publish", "scale", &registry.reference("other:gone")], 66, "there is none in registry");
    let absent = format!("{}@sha256:{}", registry.reference("other"), "9f".repeat(32));
    team.assert_refused(&["publish", "scale", &absent], 66, "there is none in registry");
    team.assert_refused(
        &["publish", "scale", &registry.reference("other:good"), "--with-config"],
        65,
        "has no configuration of Nebula, which --with-config takes",
    );
    assert_eq!(team.text(&["run", "scale", "21"]), "42\n", "nothing is lost");
}

#[test]
fn skopeo_reads_what_is_pushed_and_what_it_copies_is_pulled() {
    let Some(registry) = Registry::start() else { return };
    let team = Team::new();
    team.publish(2, &[]);
    team.text(&["push", "scale", &registry.reference("scale:1")]);
    let docker = |at: &str| format!("docker://{}/{at}", registry.address());
    let Ok(raw) = Command::new("skopeo").args(["inspect", "--raw", "--tls-verify=false", &docker("scale:1")]).output()
    else {
        eprintln!("not tested with skopeo: it is not installed");
        return;
    };
    assert_eq!(Digest::of(&raw.stdout).to_string(), manifest(&team, "1"), "{raw:?}");
    let mut copy = Command::new("skopeo");
    copy.args(["--insecure-policy", "copy", "--src-tls-verify=false", "--dest-tls-verify=false"]);
    let copied = copy.args([docker("scale:1"), docker("copy:2")]).output().unwrap();
    assert!(copied.status.success(), "{copied:?}");
    team.text(&["publish", "copy", &registry.reference("copy:2")]);
    assert_eq!(team.text(&["run", "copy:scale", "21"]), "42\n");
}

#[test]
fn a_registry_that_refuses_or_is_away_is_named_with_what_to_do() {
    let team = Team::new();
    team.publish(2, &[]);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let away = format!("oci://127.0.0.1:{port}/scale:1");
    for arguments in [["publish", "scale", &away], ["push", "scale", &away]] {
        team.assert_refused(&arguments, 69, &format!("registry 127.0.0.1:{port} does not answer"));
    }
    for reference in ["oci://scale", "oci://team/scale", "oci://127.0.0.1:1/Scale"] {
        team.assert_refused(&["publish", "scale", reference], 2, "expected oci://REGISTRY/REPOSITORY");
    }
    let Some(registry) = Registry::start_with_password() else { return };
    let (reference, address) = (registry.reference("scale:1"), registry.address());
    for arguments in [["publish", "scale", &reference], ["push", "scale", &reference]] {
        team.assert_refused(&arguments, 77, &format!("refuses it; log in with: docker login {address}"));
    }
    let auth = json!({ "auths": { address: { "auth": "YWRhOnNlY3JldA==" } } });
    team.project.write("docker/config.json", auth.to_string());
    let with_password = |arguments: &[&str]| {
        let mut command = team.command(arguments);
        let ran = command.env("DOCKER_CONFIG", team.project.join("docker")).output().unwrap();
        nebula_integration_tests::ProcessOutput::from(ran).expect_success()
    };
    with_password(&["push", "scale", &reference]);
    with_password(&["publish", "scale", &reference]);
}

#[test]
fn a_server_starts_without_the_registry_on_what_it_has() {
    let Some(registry) = Registry::start() else { return };
    let (publisher, team) = (Team::new(), Team::new());
    publisher.publish(2, &[]);
    let reference = registry.reference("scale:prod");
    publisher.text(&["push", "scale", &reference]);
    team.project.write("nebula.toml", format!("[functions.scale]\nsource = \"{reference}\"\ntimeout = \"2s\"\n"));
    let serve = || Server::start(&team.nebula, &team.project, &[]).unwrap();
    let versions = || team.json(&["inspect", "scale"])["versions"].as_array().unwrap().len();
    for _ in 0..2 {
        assert_eq!(serve().get("/api/scale/21").text(), "42");
        assert_eq!(versions(), 1, "the artifact that is published already is not published again");
    }
    publisher.publish(3, &[]);
    publisher.text(&["push", "scale", &reference]);
    assert_eq!(serve().get("/api/scale/21").text(), "63");
    assert_eq!(versions(), 2);
    drop(registry);
    let server = serve();
    assert_eq!(server.get("/api/scale/21").text(), "63");
    server.wait_for_log("scale stays as it is in the store");
}
