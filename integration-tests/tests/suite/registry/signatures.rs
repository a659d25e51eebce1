//! Keys and signatures by the command, and what a store cannot make a team run.

use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};

use nebula_integration_tests::{Server, eventually};

use super::team::{TRUST, Team};

const UNSIGNED: &str =
    "version 1 of function scale is not trusted here: it is not signed; sign it: nebula sign scale@1 --key FILE";

#[test]
fn a_pair_of_keys_is_private_readable_by_openssl_and_never_replaced() {
    let team = Team::new();
    let mode = fs::metadata(team.project.join("team.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    for (name, kind) in [("other", "p256"), ("edwards", "ed25519")] {
        team.text(&["keygen", name, "--kind", kind]);
        let mut openssl = Command::new("openssl");
        openssl.args(["pkey", "-pubout", "-in"]).arg(team.project.join(format!("{name}.key")));
        if let Ok(public) = openssl.output() {
            assert_eq!(String::from_utf8_lossy(&public.stdout), team.read(&format!("{name}.pub")), "{kind}");
        }
    }
    let key = team.read("team.key");
    team.assert_refused(&["keygen"], 2, "team.key exists, and a key is never replaced");
    fs::remove_file(team.project.join("team.key")).unwrap();
    team.assert_refused(&["keygen"], 2, "team.pub exists, and a key is never replaced");
    assert!(!team.project.join("team.key").exists() && !key.is_empty());
}

#[test]
fn a_version_is_run_moved_to_and_packaged_only_when_a_key_of_the_team_has_signed_it() {
    let team = Team::strict();
    team.publish(2, &[]);
    let uses: [&[&str]; 3] =
        [&["run", "scale", "21"], &["alias", "scale", "prod", "1"], &["package", "lambda", "scale", "-o", "app.zip"]];
    let refused = || {
        for arguments in uses {
            // A package also needs a program that is not built here.
            if arguments[0] != "package" {
                team.assert_refused(arguments, 65, UNSIGNED);
            }
        }
    };
    refused();
    let nobody = "FUNCTION  VERSION  SIGNED BY\nscale     1        nobody: it has no signature\n";
    assert_eq!(team.verify(&["scale"]), (77, nobody.to_owned()));

    let signed = team.text(&["sign", "scale@1", "--key", "team.key"]);
    assert!(signed.starts_with("scale version 1 is signed (manifest sha256:"), "{signed}");
    assert_eq!(team.text(&["sign", "scale", "--key", "team.key"]), format!("unchanged: {signed}"));
    assert_eq!(team.verify(&[]), (0, "FUNCTION  VERSION  SIGNED BY\nscale     1        team.pub\n".to_owned()));
    assert_eq!(team.text(uses[0]), "42\n");
    assert_eq!(team.text(uses[1]), "scale@prod: none -> 1\n");
    assert_eq!(team.json(&["inspect", "scale"])["versions"][0]["signatures"].as_array().unwrap().len(), 1);
}

#[test]
fn a_server_serves_signed_versions_only() {
    let team = Team::strict();
    team.publish(2, &[]);
    let server = Server::start(&team.nebula, &team.project, &[]).unwrap();
    let refused = server.get("/api/scale/21");
    assert_eq!(refused.status, 500);
    let text = refused.text();
    assert!(
        text.contains("\"kind\":\"invalid_module\"") && text.contains(UNSIGNED) && !text.contains("team.pub"),
        "{text}"
    );
    team.text(&["sign", "scale", "--key", "team.key", "--form", "bundle"]);
    eventually("an answer", || (server.get("/api/scale/21").text() == "42").then_some(()));
}

#[test]
fn a_signature_of_another_key_or_of_another_function_does_not_count() {
    let team = Team::strict();
    team.publish(2, &[]);
    team.text(&["keygen", "stranger", "--kind", "ed25519"]);
    team.text(&["sign", "scale", "--key", "stranger.key"]);
    team.assert_refused(&["run", "scale", "1"], 65, "its signature does not count");
    assert_eq!(
        team.verify(&["scale", "--key", "stranger.pub"]),
        (0, "FUNCTION  VERSION  SIGNED BY\nscale     1        stranger.pub\n".to_owned())
    );
    team.text(&["sign", "scale", "--key", "team.key"]);
    assert_eq!(team.text(&["run", "scale", "1"]), "2\n");

    // Who can write to the store copies the function, with its signatures, to another name.
    team.project.write("store/functions/other.json", team.read("store/functions/scale.json"));
    team.assert_refused(&["run", "other", "1"], 65, "version 1 of function other is not trusted here");
    let refused = "nobody: it is by none of the keys, or was changed";
    let expected = format!("other     1        {refused}\n{:19}nobody: it is for scale, and not for other\n", "");
    assert_eq!(team.verify(&["other"]), (77, format!("FUNCTION  VERSION  SIGNED BY\n{expected}")));
}

#[test]
fn a_version_below_the_lowest_one_does_not_come_back() {
    let team = Team::strict();
    for factor in [2, 3] {
        team.publish(factor, &[]);
        team.text(&["sign", "scale", "--key", "team.key"]);
    }
    team.project.write("nebula.toml", format!("{TRUST}lowest = {{ scale = 2 }}\n"));
    assert_eq!(team.text(&["run", "scale", "1"]), "3\n");
    team.assert_refused(&["run", "scale@1", "1"], 65, "version 1 of function scale is not trusted here");

    // Who can write to the store gives the first version the number of the second.
    let record: serde_json::Value = serde_json::from_str(&team.read("store/functions/scale.json")).unwrap();
    let mut changed = record.clone();
    changed["versions"]["2"] = record["versions"]["1"].clone();
    team.project.write("store/functions/scale.json", changed.to_string());
    let refused = "it is for version 1, and the lowest that is trusted is 2";
    let (code, table) = team.verify(&["scale"]);
    assert!(code == 77 && table.contains(refused), "{code} {table}");
    team.assert_refused(&["run", "scale", "1"], 65, "version 2 of function scale is not trusted here");
}

#[test]
fn a_manifest_or_a_signature_that_was_changed_in_the_store_is_refused() {
    let team = Team::strict();
    team.publish(2, &[]);
    team.text(&["sign", "scale", "--key", "team.key"]);
    let record: serde_json::Value = serde_json::from_str(&team.read("store/functions/scale.json")).unwrap();
    let version = &record["versions"]["1"];
    for digest in [&version["signatures"][0], &version["manifest"]] {
        let path = format!("store/blobs/sha256/{}", digest.as_str().unwrap().strip_prefix("sha256:").unwrap());
        let whole = team.read(&path);
        team.project.write(&path, whole.replacen("sha256:", "sha256;", 1));
        let ran = team.run(&["run", "scale", "1"]);
        assert!([65, 70].contains(&ran.exit_code) && ran.stderr.contains("is corrupt"), "{ran:#?}");
        team.project.write(&path, whole);
        assert_eq!(team.text(&["run", "scale", "1"]), "2\n");
    }
}

#[test]
fn a_mistake_in_the_configuration_of_trust_is_an_error_and_never_trust() {
    let team = Team::new();
    team.publish(2, &[]);
    team.project.write("empty.pub", "");
    let cases = [
        ("[trust]\nrequire = true\n", ":2: trust.require: signatures are required, and there is no key"),
        ("[trust]\nkeys = [\"gone.pub\"]\n", ":2: trust.keys: failed to read gone.pub: No such file"),
        ("[trust]\nkeys = [\"empty.pub\"]\n", ":2: trust.keys: empty.pub is no public key: it has no public key"),
        ("[trust]\nkeys = [\"team.key\"]\n", ":2: trust.keys: team.key is no public key: it has a private key"),
        ("[trust]\nlowest = { scale = 2 }\n", ":2: trust.lowest: only a signature proves the number of a version"),
        ("[trust]\nrequires = true\n", ":2: unknown key \"requires\"; did you mean \"require\"?"),
        ("[trsut]\n", ":1: unknown key \"trsut\"; did you mean \"trust\"?"),
    ];
    for (text, expected) in cases {
        team.project.write("nebula.toml", text);
        for arguments in [&["run", "scale", "1"], &["alias", "scale", "prod", "1"] as &[&str], &["verify"]] {
            team.assert_refused(arguments, 78, expected);
        }
    }
}

#[test]
fn a_key_that_cannot_sign_is_refused_with_what_to_do() {
    let team = Team::new();
    team.publish(2, &[]);
    team.project.write("cosign.key", "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n");
    let cases = [
        ("team.pub", 65, "team.pub is no key\n  caused by: it has a public key; name the file with the private key"),
        ("cosign.key", 65, "cosign import-key-pair --key team.key"),
        ("gone.key", 66, "failed to read gone.key"),
    ];
    for (key, code, expected) in cases {
        team.assert_refused(&["sign", "scale", "--key", key], code, expected);
    }
    team.assert_refused(&["sign", "scale@7", "--key", "team.key"], 66, "there is no scale@7");
}
