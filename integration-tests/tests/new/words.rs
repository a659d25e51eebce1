//! The words of `guests/words`: an application in JavaScript, whose engine is started when it is published.

use std::{fs, path::Path};

use libtest_mimic::Trial;
use nebula_integration_tests::{Nebula, Project};

use crate::{Tools, check_heavy_wanted, zig};

/// The test. It is ignored where its tools are not installed.
pub(crate) fn trial() -> Trial {
    let tools = check_heavy_wanted().and_then(|()| zig());
    let missing = tools.as_ref().err().cloned();
    let trial = Trial::test("javascript::words", || {
        check(&tools?);
        Ok(())
    });
    match missing {
        Some(reason) => trial.with_kind(reason).with_ignored_flag(true),
        None => trial,
    }
}

fn check(tools: &Tools) {
    let (nebula, project) = (Nebula::built(), Project::new([]));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guests/words");
    for file in ["main.c", "words.js", "nebula.toml"] {
        project.write(file, fs::read(source.join(file)).unwrap());
    }
    tools.run(project.path(), &fs::read_to_string(source.join("build.sh")).unwrap());
    let published = nebula.publish(&project, "words", Path::new("words.wasm"), &["--config", "nebula.toml"]);
    assert_eq!(published.exit_code, 0, "{published:?}");
    let found = nebula.run(&project, &["run", "words", "--raw"], b"difiha");
    assert_eq!(found.expect_success().text(), "difiha is word 500 of 3375\n");
    let missing = nebula.run(&project, &["run", "words", "--raw"], b"nebula");
    assert!(missing.exit_code == 1 && missing.stderr.contains("Error: nebula is no word"), "{missing:?}");
}
