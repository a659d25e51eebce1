//! Keeping a store and a code cache well: what `verify`, `gc` and `precompile` do to damage and to what is not needed.

use std::{
    fs,
    path::{Path, PathBuf},
};

use nebula_integration_tests::{Nebula, Project};
use serde_json::{Value, json};

use crate::faults::support::project;

/// A store with a function `scale`, and a code cache of its own.
struct Kept {
    nebula: Nebula,
    project: Project,
}

impl Kept {
    /// A store with versions that multiply by these factors.
    fn of(factors: &[u32]) -> Self {
        let project = project("");
        let kept = Self { nebula: Nebula::built().with_cache(project.join("cache")), project };
        factors.iter().for_each(|factor| kept.publish(*factor));
        kept
    }

    fn publish(&self, factor: u32) {
        let module = format!(
            "(module (func (export \"scale\") (param i32) (result i32) (i32.mul (local.get 0) (i32.const {factor}))))"
        );
        self.project.write("scale.wat", module);
        self.text(&["publish", "scale", "scale.wat"]);
    }

    /// What a command prints that succeeds.
    fn text(&self, arguments: &[&str]) -> String {
        self.nebula.run(&self.project, arguments, b"").expect_success().text()
    }

    /// The exit code of a command, and all that it says.
    fn said(&self, arguments: &[&str]) -> (i32, String) {
        let ran = self.nebula.run(&self.project, arguments, b"");
        (ran.exit_code, ran.text() + &ran.stderr)
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let ran = self.nebula.run(&self.project, &[arguments, &["--json"]].concat(), b"");
        serde_json::from_slice(&ran.stdout).unwrap()
    }

    /// The file of the module of the latest version.
    fn module(&self) -> PathBuf {
        let digest = self.json(&["inspect", "scale"])["digest"].as_str().unwrap().to_owned();
        self.project.join("store/blobs/sha256").join(digest.strip_prefix("sha256:").unwrap())
    }

    /// The compiled code in the cache.
    fn compiled(&self) -> Vec<PathBuf> {
        let folders = fs::read_dir(self.nebula.cache()).into_iter().flatten().map(|entry| entry.unwrap().path());
        let files = folders.filter(|path| path.is_dir()).flat_map(|folder| files(&folder));
        files.filter(|path| path.extension().is_some_and(|end| end == "cwasm")).collect()
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort_unstable();
    files
}

#[test]
fn a_tampered_module_is_named_moved_aside_and_repaired_by_a_publish() {
    let kept = Kept::of(&[2, 3]);
    let whole = "verified 1 function, 2 versions: 6 blobs with";
    assert!(kept.text(&["verify"]).starts_with(whole));
    let module = kept.module();
    let mut tampered = fs::read(&module).unwrap();
    *tampered.last_mut().unwrap() ^= 1;
    fs::write(&module, &tampered).unwrap();
    fs::remove_dir_all(kept.nebula.cache()).unwrap();
    let (code, said) = kept.said(&["run", "scale", "10"]);
    assert!(code == 70 && said.contains("publish it again to repair it"), "{code} {said}");

    let (code, said) = kept.said(&["verify", "scale"]);
    assert!(code == 65 && said.contains("scale version 2: blob sha256:"), "{code} {said}");
    assert!(said.contains("publish the function again to restore it; moved to damaged/sha256/"), "{said}");
    let [moved] = &files(&kept.project.join("store/damaged/sha256"))[..] else { panic!("{said}") };
    assert_eq!((fs::read(moved).unwrap(), module.exists()), (tampered, false));
    assert_eq!(kept.json(&["verify"])["problems"][0]["kind"], "missing");
    kept.publish(3);
    assert_eq!(kept.json(&["verify"])["problems"], json!([]));
    assert_eq!(kept.text(&["run", "scale", "10"]), "30\n");
    let (code, said) = kept.said(&["verify", "scales"]);
    assert!(code == 66 && said.contains("there is no function scales"), "{code} {said}");
}

#[test]
fn garbage_is_shown_set_aside_and_removed() {
    let kept = Kept::of(&[2, 3]);
    assert_eq!(kept.text(&["gc"]).lines().count(), 1);
    kept.text(&["rm", "scale@1"]);
    let blobs = || files(&kept.project.join("store/blobs/sha256")).len();
    let (code, said) = kept.said(&["gc", "--retention", "0s"]);
    assert!(code == 0 && said.contains("to set aside: 3 blobs") && said.contains("with --delete"), "{said}");
    assert_eq!(blobs(), 6);
    let done = kept.json(&["gc", "--retention", "0s", "--delete"]);
    assert_eq!((done["deleted"].clone(), done["garbage"].as_array().unwrap().len()), (json!(true), 3));
    assert_eq!((blobs(), files(&kept.project.join("store/unneeded/sha256")).len()), (3, 3));
    let (_, said) = kept.said(&["gc", "--retention", "0s", "--delete"]);
    assert!(said.contains("set aside before: 3 blobs"), "{said}");
    assert!(kept.text(&["gc", "--retention", "0s", "--grace", "0s", "--delete"]).contains("removed: 3 blobs"));
    assert_eq!(files(&kept.project.join("store/unneeded/sha256")).len(), 0);
    assert_eq!(kept.text(&["run", "scale", "10"]), "30\n");
    assert_eq!(kept.json(&["verify"])["problems"], json!([]));
}

#[test]
fn garbage_stays_while_a_record_cannot_be_understood() {
    let kept = Kept::of(&[2, 3]);
    kept.text(&["rm", "scale@1"]);
    fs::write(kept.project.join("store/functions/other.json"), "{").unwrap();
    let (code, said) = kept.said(&["gc", "--retention", "0s", "--grace", "0s", "--delete"]);
    assert!(
        code == 65 && said.contains("functions/other.json") && said.contains("nothing is removed"),
        "{code} {said}"
    );
    assert_eq!(files(&kept.project.join("store/blobs/sha256")).len(), 6);
}

#[test]
fn functions_are_compiled_before_they_are_called() {
    let kept = Kept::of(&[2, 3]);
    fs::remove_dir_all(kept.nebula.cache()).unwrap();
    kept.text(&["alias", "scale", "prod", "1"]);
    fs::remove_dir_all(kept.nebula.cache()).unwrap();
    let said = kept.text(&["precompile"]);
    assert!(said.starts_with("scale version 1: ") && said.contains("\nscale version 2: "), "{said}");
    let compiled = kept.compiled();
    assert_eq!(compiled.len(), 2);
    let again = kept.json(&["precompile", "scale@prod"]);
    assert_eq!((again[0]["version"].clone(), again[0]["was_kept"].clone()), (json!(1), json!(true)));
    assert_eq!(kept.text(&["run", "scale", "10"]), "30\n");
    assert_eq!(kept.compiled(), compiled, "nothing was compiled for the call");
}

#[test]
fn code_for_every_processor_of_this_kind_is_used() {
    let kept = Kept::of(&[2]);
    fs::remove_dir_all(kept.nebula.cache()).unwrap();
    let arch = if cfg!(target_arch = "x86_64") { "x86_64" } else { "arm64" };
    kept.text(&["precompile", "--arch", arch]);
    let compiled = kept.compiled();
    assert_eq!(compiled.len(), 1);
    assert_eq!(kept.text(&["run", "scale", "10"]), "20\n");
    assert_eq!(kept.compiled(), compiled, "nothing was compiled for the call");
    let other = if arch == "arm64" { "x86_64" } else { "arm64" };
    kept.text(&["precompile", "--arch", other]);
    assert_eq!(kept.compiled().len(), 2);
    assert_eq!(kept.text(&["run", "scale", "10"]), "20\n");
}

#[test]
fn the_code_cache_keeps_within_its_size() {
    let kept = Kept::of(&[2]);
    let first = kept.compiled();
    assert_eq!(first.len(), 1);
    kept.project.write("other.wat", "(module (func (export \"other\")))");
    kept.text(&["--cache-size", "1kB", "publish", "other", "other.wat"]);
    let [newest] = &kept.compiled()[..] else { panic!("{:?}", kept.compiled()) };
    assert_ne!(newest, &first[0]);
    assert_eq!(kept.text(&["run", "scale", "10"]), "20\n");
}
