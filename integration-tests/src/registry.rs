//! A real registry on loopback, for tests: Debian's docker-registry, in a process that ends with the test's.

use std::{
    env,
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    thread,
};

use http::{Request, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use ureq::Agent;

/// The registry. It ends when this is dropped. It has no referrers API.
pub struct Registry {
    process: Child,
    address: String,
    agent: Agent,
    _folder: TempDir,
}

impl Registry {
    /// Starts it; `None` where docker-registry is not installed. In CI on Linux it has to be.
    pub fn start() -> Option<Self> {
        Self::start_for(None)
    }

    /// The same for the user `ada` with the password `secret` alone.
    pub fn start_with_password() -> Option<Self> {
        // htpasswd -nbB ada secret
        Self::start_for(Some("ada:$2b$05$CCCCCCCCCCCCCCCCCCCCC.pIKrLVkBX9/OvQMSygY1pWEVn72t6na\n"))
    }

    fn start_for(users: Option<&str>) -> Option<Self> {
        // It reads stdin to its end, so that the registry ends with this process however that ends.
        const SCRIPT: &str = "command -v docker-registry >/dev/null || exit 1\n\
            docker-registry serve \"$1\" <&- & cat; kill $!";
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("config.yml");
        let mut written = json!({
            "version": "0.1",
            "log": { "formatter": "json", "level": "info" },
            "storage": { "filesystem": { "rootdirectory": folder.path() } },
            "http": { "addr": "127.0.0.1:0" },
        });
        if let Some(users) = users {
            let path = folder.path().join("users");
            std::fs::write(&path, users).unwrap();
            written["auth"] = json!({ "htpasswd": { "realm": "test", "path": path } });
        }
        // YAML contains JSON.
        std::fs::write(&config, written.to_string()).unwrap();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SCRIPT, "registry"]).arg(&config).stdin(Stdio::piped());
        let mut process = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map_while(Result::ok);
        let Some(address) = address(&mut lines) else {
            let _ = process.wait();
            let is_expected = cfg!(target_os = "linux") && env::var_os("CI").is_some();
            assert!(!is_expected, "no docker-registry here: apt-get install docker-registry");
            eprintln!("not tested with a registry: there is no docker-registry here");
            return None;
        };
        // A registry that cannot write its log would end.
        thread::spawn(move || lines.for_each(drop));
        let agent = Agent::config_builder().http_status_as_error(false).build().into();
        Some(Self { process, address, agent, _folder: folder })
    }

    /// Its host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The reference of a repository: `oci://127.0.0.1:5000/team/shop:1.0`.
    pub fn reference(&self, repository: &str) -> String {
        format!("oci://{}/{repository}", self.address)
    }

    /// The status and the body of a manifest, at a tag or a digest.
    pub fn manifest(&self, repository: &str, at: &str) -> (StatusCode, Value) {
        let request = Request::get(self.url(repository, &format!("manifests/{at}")));
        let accepted = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json";
        let mut response = self.agent.run(request.header("accept", accepted).body(()).unwrap()).unwrap();
        let body = response.body_mut().read_to_vec().unwrap();
        (response.status(), serde_json::from_slice(&body).unwrap_or_default())
    }

    /// Writes a blob, as another tool does it, and returns its descriptor.
    pub fn put_blob(&self, repository: &str, media_type: &str, bytes: &[u8]) -> Value {
        let digest = nebula_runtime::Digest::of(bytes).to_string();
        let begin = Request::post(self.url(repository, "blobs/uploads/")).body(()).unwrap();
        let begun = self.agent.run(begin).unwrap();
        let location = begun.headers()["location"].to_str().unwrap();
        let separator = if location.contains('?') { '&' } else { '?' };
        let put = Request::put(format!("{location}{separator}digest={digest}")).body(bytes.to_vec()).unwrap();
        assert_eq!(self.agent.run(put).unwrap().status(), StatusCode::CREATED);
        json!({ "mediaType": media_type, "digest": digest, "size": bytes.len() })
    }

    /// Writes a manifest, as another tool does it.
    pub fn put_manifest(&self, repository: &str, tag: &str, config: &Value, layers: &[Value]) {
        const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
        let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers });
        let request = Request::put(self.url(repository, &format!("manifests/{tag}"))).header("content-type", MANIFEST);
        let put = self.agent.run(request.body(manifest.to_string()).unwrap()).unwrap();
        assert_eq!(put.status(), StatusCode::CREATED);
    }

    fn url(&self, repository: &str, rest: &str) -> String {
        format!("http://{}/v2/{repository}/{rest}", self.address)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// The address that the log of the registry says.
fn address(lines: &mut impl Iterator<Item = String>) -> Option<String> {
    lines.find_map(|line| {
        let line: Value = serde_json::from_str(&line).ok()?;
        Some(line["msg"].as_str()?.strip_prefix("listening on ")?.to_owned())
    })
}
