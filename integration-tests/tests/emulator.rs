//! `bootstrap` in cargo-lambda's emulator of AWS Lambda, which other people wrote.
//!
//! If cargo-lambda is not installed, the tests are ignored, and the list of tests says why.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use libtest_mimic::{Arguments, Failed, Trial};
use nebula_integration_tests::{Guest, Package, Project, bootstrap};
use ureq::Agent;

/// How long a test waits for the emulator before it fails. It normally starts much sooner.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() {
    let missing = (!is_installed()).then_some("cargo-lambda is not installed: pip install cargo-lambda");
    let tests: [(&str, fn()); 3] = [
        ("an_event_returns_the_functions_result", event),
        ("a_request_to_a_function_url_returns_the_functions_response", request),
        ("a_response_is_streamed", stream),
    ];
    let trials = tests.into_iter().map(|(name, test)| {
        let trial = Trial::test(name, move || {
            test();
            Ok::<_, Failed>(())
        });
        match missing {
            Some(reason) => trial.with_kind(reason).with_ignored_flag(true),
            None => trial,
        }
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}

fn event() {
    let emulator = Emulator::start(&[]);
    assert_eq!(emulator.invoke("10"), (true, "10".to_owned()));
    let (succeeded, output) = emulator.invoke(r#"{"asked":10}"#);
    assert!(!succeeded && output.contains("invalid_input") && output.contains("it is an object"), "{output}");
    assert_eq!(emulator.invoke("11"), (true, "11".to_owned()));
}

fn request() {
    let emulator = Emulator::start(&[]);
    assert_eq!(emulator.get("/10"), (200, "10".to_owned()));
    assert_eq!(emulator.get("/api/treats/-3"), (200, "0".to_owned()));
    let (status, problem) = emulator.get("/api/tricks/10");
    assert!(status == 404 && problem.contains("there is no function tricks"), "{problem}");
}

fn stream() {
    let emulator = Emulator::start(&[("NEBULA_INVOKE_MODE", "RESPONSE_STREAM")]);
    assert_eq!(emulator.get("/api/http-events?count=2&ms=1"), (200, "data: 1\n\ndata: 2\n\n".to_owned()));
}

fn is_installed() -> bool {
    let version = Command::new("cargo-lambda").args(["lambda", "--version"]).stdout(Stdio::null()).status();
    version.is_ok_and(|status| status.success())
}

/// The emulator and a `bootstrap` that it calls. Dropping it stops both.
struct Emulator {
    address: SocketAddr,
    project: Project,
    processes: Vec<Child>,
    package: Package,
}

impl Emulator {
    fn start(variables: &[(&str, &str)]) -> Self {
        let guests = ["treats", "http-events"].map(|name| Guest::named(name).unwrap());
        let package = Package::new(&guests.map(|guest| guest.functions.first().unwrap().clone()));
        let project = Project::new([]);
        project.write("Cargo.toml", "[package]\nname = \"any\"\nversion = \"0.1.0\"\n");
        project.write("src/main.rs", "fn main() {}\n");
        let address = free_address();
        let mut emulator = Self { address, project, processes: Vec::new(), package };
        let watch = emulator.cargo_lambda("watch").arg("--only-lambda-apis").stderr(Stdio::null()).spawn().unwrap();
        emulator.processes.push(watch);
        emulator.wait();
        let mut environment = bootstrap(emulator.package.folder(), &format!("http://{address}/.rt"));
        environment.env("AWS_LAMBDA_FUNCTION_NAME", "_").env("NEBULA_FUNCTION", "treats");
        emulator.processes.push(environment.envs(variables.iter().copied()).stdout(Stdio::null()).spawn().unwrap());
        emulator
    }

    /// Waits until the emulator listens.
    fn wait(&self) {
        let began = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            assert!(began.elapsed() < PATIENCE, "the emulator does not listen");
            thread::yield_now();
        }
    }

    fn cargo_lambda(&self, command: &str) -> Command {
        let (address, port) = (self.address.ip().to_string(), self.address.port().to_string());
        let mut cargo_lambda = Command::new("cargo-lambda");
        cargo_lambda.args(["lambda", command, "-A", &address, "-P", &port]).current_dir(self.project.path());
        cargo_lambda.stdin(Stdio::null()).stdout(Stdio::null());
        cargo_lambda
    }

    /// Sends an event. Returns whether the function succeeded, and the output of `cargo lambda invoke`.
    fn invoke(&self, event: &str) -> (bool, String) {
        let mut command = self.cargo_lambda("invoke");
        let result = command.args(["_", "--data-ascii", event]).stdout(Stdio::piped()).output().unwrap();
        let output = if result.status.success() { result.stdout } else { result.stderr };
        (result.status.success(), String::from_utf8(output).unwrap().trim().to_owned())
    }

    fn get(&self, path: &str) -> (u16, String) {
        let config = Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE)).proxy(None);
        let agent: Agent = config.build().into();
        let mut response = agent.get(format!("http://{}/lambda-url/_{path}", self.address)).call().unwrap();
        (response.status().as_u16(), response.body_mut().read_to_string().unwrap())
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        for process in &mut self.processes {
            // An error means that the process has ended already.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// An address that was free a moment ago. The emulator needs a fixed port, because it does not say where it listens.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the loopback has a free port");
    listener.local_addr().unwrap()
}
