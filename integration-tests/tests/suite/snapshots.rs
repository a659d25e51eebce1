//! Snapshots by the command: publishing, showing, comparing, moving between stores, and serving.

use nebula_integration_tests::{Guest, Nebula, ProcessOutput, Project, Registry, Server, eventually};
use serde_json::{Value, json};

const CONFIG: &str = "[functions.primes]\nsource = \"primes.wasm\"\nsnapshot = true\n";

/// A command whose initialiser keeps a random number, which it writes.
const DICE: &str = r#"(module
    (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "\10\00\00\00\10\00\00\00")
    (func (export "roll") (drop (call $random (i32.const 16) (i32.const 16))))
    (func (export "_start") (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#;

/// A store, and the commands that are run on it.
struct Place {
    nebula: Nebula,
    project: Project,
}

impl Place {
    fn new() -> Self {
        let (nebula, project) = (Nebula::built(), Project::new([]));
        project.write("primes.wasm", std::fs::read(Guest::named("primes").unwrap().path).unwrap());
        project.write("primes.toml", CONFIG);
        project.write("dice.wat", DICE);
        project.write("dice.toml", "[functions.dice]\nsource = \"dice.wat\"\nsnapshot = \"roll\"\n");
        Self { nebula, project }
    }

    fn run(&self, arguments: &[&str], stdin: &str) -> ProcessOutput {
        self.nebula.run(&self.project, arguments, stdin.as_bytes())
    }

    /// What a command prints that succeeds.
    fn text(&self, arguments: &[&str]) -> String {
        self.run(arguments, "").expect_success().text()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.text(&[arguments, &["--json"]].concat())).unwrap()
    }

    fn publish(&self, name: &str) -> String {
        let file = if name == "dice" { "dice.wat" } else { "primes.wasm" };
        self.text(&["publish", name, file, "--config", &format!("{name}.toml")])
    }
}

#[test]
fn a_snapshot_is_shown_compared_verified_and_never_collected() {
    let place = Place::new();
    place.text(&["publish", "primes", "primes.wasm"]);
    place.publish("primes");
    let info = place.json(&["inspect", "primes"]);
    let image = info["snapshot"]["digest"].as_str().unwrap();
    assert_ne!(info["digest"], info["snapshot"]["digest"]);
    let shown = place.text(&["inspect", "primes"]);
    assert!(shown.contains(&format!("\n  snapshot  {image}, ")), "{shown}");
    let differs = place.text(&["diff", "primes@1", "primes@2"]);
    assert!(differs.contains(&format!(" none -> {image}\n")) && differs.contains(" not set -> true\n"), "{differs}");
    place.text(&["gc", "--delete", "--grace", "0s", "--retention", "0s"]);
    place.text(&["gc", "--delete", "--grace", "0s", "--retention", "0s"]);
    place.text(&["verify"]);
    assert_eq!(place.run(&["run", "primes", "--raw"], "5").expect_success().text(), "11, looked up\n");
    assert_eq!(place.run(&["run", "primes@1", "--raw"], "5").expect_success().text(), "11, computed\n");
}

#[test]
fn a_snapshot_keeps_its_digest_and_its_signature_from_store_to_registry_to_store() {
    let Some(registry) = Registry::start() else { return };
    let (here, there) = (Place::new(), Place::new());
    here.text(&["keygen"]);
    here.publish("dice");
    here.text(&["sign", "dice", "--key", "team.key"]);
    let (reference, image) = (registry.reference("team/dice:1.0"), here.json(&["inspect", "dice"])["snapshot"].clone());
    here.text(&["push", "dice", &reference]);
    let layer = &registry.manifest("team/dice", "1.0").1["layers"][1];
    assert_eq!((&layer["digest"], &layer["size"]), (&image["digest"], &image["size"]));

    there.project.write("team.pub", std::fs::read(here.project.join("team.pub")).unwrap());
    there.project.write("nebula.toml", "[trust]\nkeys = [\"team.pub\"]\nrequire = true\n");
    there.text(&["publish", "dice", &reference, "--with-config"]);
    assert_eq!(there.json(&["inspect", "dice"])["snapshot"], image);
    let rolled = |place: &Place| place.run(&["run", "dice", "--raw"], "").expect_success().stdout;
    assert_eq!(rolled(&there), rolled(&here), "the random number is that of the image");
    let verified = there.text(&["verify"]);
    assert!(verified.contains("team.pub"), "{verified}");
    // With other settings it is another version, whose image is made here.
    there.text(&["publish", "dice", &reference, "--config", "dice.toml"]);
    assert_eq!(there.json(&["inspect", "dice"])["snapshot"], image);
    there
        .project
        .write("dice.toml", "[functions.dice]\nsource = \"dice.wat\"\nsnapshot = \"roll\"\ntimeout = \"2s\"\n");
    there.text(&["publish", "dice", &reference, "--config", "dice.toml"]);
    assert_ne!(there.json(&["inspect", "dice"])["snapshot"], image);
}

#[test]
fn a_server_that_starts_again_keeps_the_image_that_it_has_made() {
    let place = Place::new();
    place.project.write("nebula.toml", "[functions.dice]\nsource = \"dice.wat\"\nsnapshot = \"roll\"\n");
    let rolled = || {
        let server = Server::start(&place.nebula, &place.project, &["--config", "nebula.toml"]).unwrap();
        let response = server.get("/api/dice");
        assert_eq!(response.status, 200);
        response.body
    };
    assert_eq!(rolled(), rolled());
    assert_eq!(place.json(&["inspect", "dice"])["version"], json!(1));
}

#[test]
fn a_version_whose_initialiser_fails_is_not_published_and_the_earlier_one_stays() {
    let place = Place::new();
    let server = Server::start(&place.nebula, &place.project, &[]).unwrap();
    place.publish("primes");
    place.project.write("primes.toml", CONFIG.replace("true", "\"_start\""));
    let refused = place.run(&["publish", "primes", "primes.wasm", "--config", "primes.toml"], "");
    assert_eq!(refused.exit_code, 65, "{refused:#?}");
    let why = "the initialiser \"_start\" failed: the function exited with code 2";
    let output = "its output ends with: expected a number from 1 to 20000";
    assert!(refused.stderr.contains(why) && refused.stderr.contains(output), "{refused:#?}");
    eventually("the version that was published is served", || {
        let response = server.get("/api/primes/10");
        (response.status == 200).then(|| assert_eq!(response.text(), "29, looked up\n"))
    });
}
