//! The guest book of `guests/guestbook`: a component that speaks to PostgreSQL by its own driver.

use std::{
    fs,
    net::TcpListener,
    os::unix::{
        fs::{MetadataExt as _, chown},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use libtest_mimic::Trial;
use nebula_integration_tests::{Nebula, ProcessOutput, Project, eventually};
use tempfile::TempDir;
use toml::Table;

use crate::{Tools, python};

const PASSWORD: &str = "correct horse";

/// The test. It is ignored where its tools are not installed.
pub(crate) fn trial() -> Trial {
    let missing = python().err().or_else(|| Postgres::programs().err());
    let trial = Trial::test("python::guestbook", || {
        check();
        Ok(())
    });
    match missing {
        Some(reason) => trial.with_kind(reason).with_ignored_flag(true),
        None => trial,
    }
}

fn check() {
    let (guestbook, database) = (Guestbook::build(), Postgres::start());
    let signed = guestbook.call(database.port, PASSWORD, &["guestbook:sign", "Ada", "Hello"]);
    assert_eq!((signed.exit_code, signed.text().as_str()), (0, "1\n"), "{signed:?}");
    let entries = guestbook.call(database.port, PASSWORD, &["guestbook:latest", "5"]);
    assert_eq!(entries.text(), "[{\"id\":1,\"name\":\"Ada\",\"message\":\"Hello\"}]\n");

    let refused = guestbook.call(database.port, "wrong", &["guestbook:latest", "5"]);
    assert!(refused.exit_code == 1 && refused.stderr.contains("password authentication failed"), "{refused:?}");
    let away = guestbook.call(free_port(), PASSWORD, &["guestbook:latest", "5"]);
    assert!(away.exit_code == 1 && away.stderr.contains("the database cannot be reached"), "{away:?}");
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let unanswered = guestbook.call(silent.local_addr().unwrap().port(), PASSWORD, &["guestbook:latest", "5"]);
    assert_eq!(unanswered.exit_code, 124, "{unanswered:?}");
}

/// The component, in a project of its own.
struct Guestbook {
    project: Project,
    config: String,
}

impl Guestbook {
    fn build() -> Self {
        let (project, tools) = (Project::new([]), python().unwrap());
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guests/guestbook");
        let copy = |file: &str| {
            let content = fs::read_to_string(source.join(file)).unwrap();
            project.write(file, &content);
            content
        };
        ["app.py", "guestbook.wit", "requirements.txt", "without_tls.py"].iter().for_each(|file| drop(copy(file)));
        let config = copy("nebula.toml");
        tools.run(project.path(), tools.prepare);
        let tools = Tools { environment: vec![("VIRTUAL_ENV", project.join(".venv"))], ..tools };
        let table: Table = config.parse().unwrap();
        tools.run(project.path(), table["functions"]["guestbook"]["build"].as_str().unwrap());
        Self { project, config }
    }

    /// Calls the function with a database on this port.
    fn call(&self, port: u16, password: &str, arguments: &[&str]) -> ProcessOutput {
        let config = self.config.replace(":5432", &format!(":{port}"));
        self.project.write("nebula.toml", config.replace("PGHOST =", &format!("PGPORT = \"{port}\", PGHOST =")));
        let nebula = Nebula::built().with_environment([("SHOP_DB_PASSWORD", password.to_owned())]);
        let publish =
            nebula.publish(&self.project, "guestbook", Path::new("guestbook.wasm"), &["--config", "nebula.toml"]);
        assert_eq!(publish.exit_code, 0, "{publish:?}");
        nebula.run(&self.project, &[&["run"], arguments].concat(), b"")
    }
}

/// A PostgreSQL server with the table of the guest book. Dropping it ends the server.
struct Postgres {
    server: Child,
    port: u16,
    _folder: TempDir,
}

impl Postgres {
    /// The folder of the server's programs.
    fn programs() -> Result<PathBuf, String> {
        let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().map_while(Result::ok);
        let programs = versions.map(|version| version.path().join("bin")).find(|folder| folder.join("initdb").exists());
        programs.ok_or_else(|| "PostgreSQL is not installed: apt-get install postgresql".to_owned())
    }

    fn start() -> Self {
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        let (data, password) = (folder.path().join("data"), folder.path().join("password"));
        fs::write(&password, PASSWORD).unwrap();
        own(folder.path());
        own(&password);
        let (data, password) = (data.to_str().unwrap(), password.to_str().unwrap());
        let mut made = unprivileged("initdb");
        made.args(["--pgdata", data, "--username=shop", "--pwfile", password]);
        let made = made.args(["--auth=scram-sha-256", "--no-sync"]).stdout(Stdio::null()).status().unwrap();
        assert!(made.success(), "initdb: {made}");
        let mut server = unprivileged("postgres");
        server.args(["-D", data, "-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]);
        server.args(["-c", "unix_socket_directories="]).stderr(Stdio::null());
        let postgres = Self { server: server.spawn().unwrap(), port, _folder: folder };
        let entries = include_str!("../../../guests/guestbook/entries.sql");
        eventually("a database", || postgres.sql("postgres", "CREATE DATABASE shop"));
        postgres.sql("shop", entries).unwrap();
        postgres
    }

    /// Runs a statement. `None` if the server cannot be reached yet.
    fn sql(&self, database: &str, statement: &str) -> Option<()> {
        let mut psql = Command::new(Self::programs().unwrap().join("psql"));
        psql.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "shop", "-d", database, "-c", statement]);
        let status = psql.env("PGPASSWORD", PASSWORD).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        status.success().then_some(())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // It ends its own processes.
        let interrupt = Command::new("kill").args(["-s", "QUIT", &self.server.id().to_string()]).status();
        assert!(interrupt.is_ok_and(|status| status.success()));
        self.server.wait().unwrap();
    }
}

/// `nobody`: PostgreSQL does not run as root.
const NOBODY: u32 = 65534;

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

fn own(path: &Path) {
    if is_root() {
        chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
}

/// A program of PostgreSQL, as a user without rights.
fn unprivileged(program: &str) -> Command {
    let mut command = Command::new(Postgres::programs().unwrap().join(program));
    command.env_clear().env("LC_ALL", "C");
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
