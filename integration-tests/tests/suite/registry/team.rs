//! A team: a store, keys, and the commands that are run on them.

use std::process::Command;

use nebula_integration_tests::{Nebula, ProcessOutput, Project};
use serde_json::Value;

pub(crate) struct Team {
    pub(crate) nebula: Nebula,
    pub(crate) project: Project,
}

/// What `[trust]` of a team has that runs what its own key has signed.
pub(crate) const TRUST: &str = "[trust]\nkeys = [\"team.pub\"]\nrequire = true\n";

impl Team {
    /// A team with a key, `team.key`, that requires no signatures yet.
    pub(crate) fn new() -> Self {
        let team = Self { nebula: Nebula::built(), project: Project::new([]) };
        assert_eq!(team.text(&["keygen"]), "team.key: keep it secret\nteam.pub: name it in [trust]\n");
        team.project.write("nebula.toml", "");
        team
    }

    /// The same, which requires signatures.
    pub(crate) fn strict() -> Self {
        let team = Self::new();
        team.project.write("nebula.toml", TRUST);
        team
    }

    /// Publishes a version of `scale`, which multiplies by a factor.
    pub(crate) fn publish(&self, factor: u32, options: &[&str]) {
        self.project.write("scale.wat", module(factor));
        self.text(&[&["publish", "scale", "scale.wat"], options].concat());
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.nebula.command(&self.project, arguments);
        command.env("USER", "ada");
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> ProcessOutput {
        self.command(arguments).output().unwrap().into()
    }

    /// What a command prints that succeeds.
    pub(crate) fn text(&self, arguments: &[&str]) -> String {
        self.run(arguments).expect_success().text()
    }

    /// Runs `nebula verify`. Returns its exit code, and the table that says who has signed the versions.
    pub(crate) fn verify(&self, arguments: &[&str]) -> (i32, String) {
        let verified = self.run(&[&["verify"], arguments].concat());
        let text = verified.text();
        let (integrity, table) = text.split_once("\n\n").unwrap_or_else(|| panic!("{verified:#?}"));
        assert!(integrity.ends_with("nothing is damaged"), "{verified:#?}");
        (verified.exit_code, table.to_owned())
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.text(&[arguments, &["--json"]].concat())).unwrap()
    }

    /// Checks that a command fails with this code and says this.
    pub(crate) fn assert_refused(&self, arguments: &[&str], code: i32, expected: &str) {
        let ran = self.run(arguments);
        assert!(ran.exit_code == code && ran.stderr.contains(expected), "{arguments:?}: {ran:#?}");
    }

    pub(crate) fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.project.join(path)).unwrap()
    }
}

/// A module whose only function multiplies by a factor.
pub(crate) fn module(factor: u32) -> String {
    format!("(module (func (export \"scale\") (param i32) (result i32) (i32.mul (local.get 0) (i32.const {factor}))))")
}
