//! A server with an admin API, and requests to that.

use nebula_integration_tests::{Nebula, ProcessOutput, Project, Server};
use serde_json::Value;

use crate::faults::support::{Client, Response};

/// A server with an admin API on a free port. Its tokens are in `tokens.json` of its project.
pub(super) struct Admin {
    pub(super) server: Server,
    pub(super) project: Project,
    pub(super) nebula: Nebula,
    /// The address of the admin API: `127.0.0.1:43210`.
    pub(super) address: String,
}

/// A module with a function `scale` that multiplies by a factor.
pub(super) fn scale(factor: u32) -> String {
    format!("(module (func (export \"scale\") (param i32) (result i32) (i32.mul (local.get 0) (i32.const {factor}))))")
}

impl Admin {
    pub(super) fn start() -> Self {
        Self::of(Project::new([]), "127.0.0.1:0")
    }

    /// A server whose `nebula.toml` is in `project`.
    pub(super) fn of(project: Project, listen: &str) -> Self {
        Self::with(Nebula::built(), project, listen)
    }

    /// A server that this command starts.
    pub(super) fn with(nebula: Nebula, project: Project, listen: &str) -> Self {
        let options = ["--admin", listen, "--tokens", "tokens.json"];
        let server = Server::start(&nebula, &project, &options).unwrap_or_else(|output| panic!("{output:#?}"));
        let events = server.events();
        let mut addresses = events.iter().filter_map(|line| {
            let (_, address) = line["message"].as_str()?.split_once("the admin API is at http")?;
            Some(address.split_once("://")?.1.to_owned())
        });
        let address = addresses.next().unwrap_or_else(|| panic!("no admin API: {events:#?}"));
        Self { server, project, nebula, address }
    }

    /// Makes a token with these options, and returns it.
    pub(super) fn token(&self, name: &str, options: &[&str]) -> String {
        let made = self.nebula(&[&["token", "create", name, "--tokens", "tokens.json"], options].concat());
        made.expect_success().text().trim().to_owned()
    }

    /// A token that allows everything.
    pub(super) fn root(&self) -> String {
        self.token("root", &["--rights", "read,publish,alias,remove,data"])
    }

    /// Runs another command in the project.
    pub(super) fn nebula(&self, arguments: &[&str]) -> ProcessOutput {
        self.nebula.run(&self.project, arguments, b"")
    }

    /// Begins a request with these header fields, and a body of this length.
    pub(super) fn begin(&self, token: &str, line: &str, fields: &[&str], length: usize) -> Client {
        let mut client = Client::connect(&self.address).unwrap();
        let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
        let head = format!("{line} HTTP/1.1\r\nhost: test\r\nauthorization: Bearer {token}\r\n{fields}");
        client.send(format!("{head}content-length: {length}\r\n\r\n"));
        client
    }

    /// Sends a request: `PUT /functions/scale`.
    pub(super) fn send(&self, token: &str, line: &str, fields: &[&str], body: impl AsRef<[u8]>) -> Response {
        let mut client = self.begin(token, line, fields, body.as_ref().len());
        client.send(body);
        client.response().unwrap_or_else(|error| panic!("{line}: {error}\n{}", self.server.log()))
    }

    /// Sends a request without a body, and returns the JSON of its answer.
    pub(super) fn json(&self, token: &str, line: &str) -> Value {
        let response = self.send(token, line, &[], "");
        assert_eq!(response.status, 200, "{line}: {response:?}");
        serde_json::from_slice(&response.body).unwrap()
    }

    /// Publishes a version of `name`.
    pub(super) fn publish(&self, token: &str, name: &str, factor: u32) -> Response {
        self.send(token, &format!("PUT /functions/{name}"), &[], scale(factor))
    }

    /// The lines of the audit so far: token, action, function and outcome.
    pub(super) fn audit(&self) -> Vec<[String; 4]> {
        let of_audit = |line: &Value| line["target"] == "nebula::audit";
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let lines = self.server.events().into_iter().filter(of_audit);
        lines.map(|line| ["token", "action", "function", "outcome"].map(|field| text(&line[field]))).collect()
    }

    /// What the public listener answers for `scale`.
    pub(super) fn call(&self, function: &str) -> (u16, String) {
        let response = self.server.get(&format!("/api/{function}/1"));
        (response.status, response.text())
    }
}
