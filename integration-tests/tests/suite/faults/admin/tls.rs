//! TLS of the admin API: certificates made by openssl, replaced while the server runs.

use std::{fs, io};

use nebula_integration_tests::{Nebula, Project, Server};

use super::Admin;
use crate::faults::support::tls::{self, issue, openssl};

/// A project with a certificate and its key, and a `nebula.toml` that names them.
fn project() -> Project {
    let project = Project::new([]);
    project.write("nebula.toml", "[admin]\ntls = { cert = \"cert.pem\", key = \"key.pem\" }\n");
    issue(&project, "cert.pem", "key.pem", 30);
    project
}

/// Sends a GET to the admin API, as a client that trusts only this certificate. Returns the answer.
fn get(admin: &Admin, certificate: &str, path: &str) -> io::Result<String> {
    tls::get(&admin.address, &admin.project.join(certificate), path)
}

/// A server that does not start: its exit code and what it says.
fn failure(project: &Project, listen: &str) -> (i32, String) {
    let output = Server::start(&Nebula::built(), project, &["--admin", listen]).err().unwrap();
    (output.exit_code, output.stderr)
}

#[test]
fn a_certificate_is_replaced_while_the_server_runs_and_a_bad_one_changes_nothing() {
    let admin = Admin::of(project(), "127.0.0.1:0");
    assert!(admin.server.log().contains("the admin API is at https://"), "{}", admin.server.log());
    let answer = get(&admin, "cert.pem", "/healthz").unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nok"), "{answer}");
    let refused = get(&admin, "cert.pem", "/functions").unwrap();
    assert!(refused.starts_with("HTTP/1.1 401 "), "{refused}");
    fs::copy(admin.project.join("cert.pem"), admin.project.join("old.pem")).unwrap();
    admin.project.write("cert.pem", "no certificate");
    assert!(get(&admin, "old.pem", "/healthz").is_ok(), "the old certificate stays");
    admin.server.wait_for_log("the new certificate cannot be used, and the old one stays");
    assert!(admin.server.log().contains("cert.pem has no certificate"), "{}", admin.server.log());
    issue(&admin.project, "cert.pem", "key.pem", 30);
    assert!(get(&admin, "old.pem", "/healthz").is_err(), "the new certificate is used");
    assert!(get(&admin, "cert.pem", "/healthz").is_ok());
    admin.server.wait_for_log("the certificate was replaced");
    let warnings = admin.server.log().matches("the old one stays").count();
    assert!(warnings >= 1, "{warnings}");
}

#[test]
fn an_expired_certificate_is_named_at_the_start() {
    let project = project();
    issue(&project, "cert.pem", "key.pem", -1);
    let admin = Admin::of(project, "127.0.0.1:0");
    let log = admin.server.log();
    assert!(log.contains("the certificate has expired: clients will refuse it") && log.contains("cert.pem"), "{log}");
    assert!(get(&admin, "cert.pem", "/healthz").unwrap_err().to_string().contains("xpired"));
}

#[test]
fn what_is_no_certificate_or_not_its_key_is_an_error_that_says_what_to_do() {
    let project = project();
    issue(&project, "other-cert.pem", "other-key.pem", 30);
    let encrypted = ["pkey", "-in", "key.pem", "-aes256", "-passout", "pass:secret", "-out", "encrypted.pem"];
    openssl(&project, &encrypted);
    let cases = [
        (
            "cert.pem",
            "other-key.pem",
            "the private key in other-key.pem does not belong to the certificate in cert.pem",
        ),
        ("key.pem", "key.pem", "key.pem has no certificate: it must have one in PEM"),
        ("cert.pem", "cert.pem", "cert.pem has no private key"),
        ("cert.pem", "encrypted.pem", "is encrypted: decrypt it with `openssl pkey -in encrypted.pem -out FILE`"),
        ("gone.pem", "key.pem", "failed to read gone.pem"),
    ];
    for (certificate, key, expected) in cases {
        project.write("nebula.toml", format!("[admin]\ntls = {{ cert = {certificate:?}, key = {key:?} }}\n"));
        let (code, said) = failure(&project, "127.0.0.1:0");
        assert!(code == 78 && said.contains(expected), "{expected}: {code} {said}");
    }
}

#[test]
fn an_address_that_other_machines_reach_needs_a_certificate() {
    let open = Project::new([]);
    let (code, said) = failure(&open, "0.0.0.0:0");
    assert!(code == 2 && said.contains("tokens would be sent there unencrypted: set tls = {"), "{code} {said}");
    let admin = Admin::of(project(), "0.0.0.0:0");
    assert!(admin.address.starts_with("0.0.0.0:"), "{}", admin.address);
}
