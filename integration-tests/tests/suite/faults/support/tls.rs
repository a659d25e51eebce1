//! Certificates made by openssl, and clients that trust them.

use std::{
    io::{self, Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::Command,
    sync::Arc,
};

use nebula_integration_tests::Project;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};

use super::PATIENCE;

/// Makes a certificate that is valid for so many days, and its key.
pub(crate) fn issue(project: &Project, certificate: &str, key: &str, days: i32) {
    let (request, extensions, days) = ("request.pem", "extensions", days.to_string());
    project.write(extensions, "subjectAltName = IP:127.0.0.1\n");
    let new_key =
        ["req", "-new", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/CN=nebula"];
    openssl(project, &[&new_key[..], &["-keyout", key, "-out", request]].concat());
    let signed = ["x509", "-req", "-in", request, "-signkey", key, "-days", &days, "-extfile", extensions];
    openssl(project, &[&signed[..], &["-out", certificate]].concat());
}

/// Runs openssl in the folder of `project`.
pub(crate) fn openssl(project: &Project, arguments: &[&str]) {
    let made = Command::new("openssl").args(arguments).current_dir(project.path()).output();
    let made = made.unwrap_or_else(|error| panic!("openssl, which makes certificates for this test: {error}"));
    assert!(made.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&made.stderr));
}

/// Sends a GET over TLS, as a client that trusts only this certificate. Returns the answer.
pub(crate) fn get(address: &str, certificate: &Path, path: &str) -> io::Result<String> {
    let name = ServerName::try_from("127.0.0.1").map_err(io::Error::other)?;
    let socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let config = Arc::new(trusting(certificate, &[])?);
    let mut stream = StreamOwned::new(ClientConnection::new(config, name).map_err(io::Error::other)?, socket);
    write!(stream, "GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// The settings of a client that trusts only this certificate, and offers these protocols.
pub(crate) fn trusting(certificate: &Path, protocols: &[&str]) -> io::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate).map_err(io::Error::other)?).map_err(io::Error::other)?;
    let versions = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = versions.with_safe_default_protocol_versions().map_err(io::Error::other)?;
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    Ok(config)
}
