//! A short run of each fuzz target: its corpus, and a few hundred changes of it.

use std::{collections::BTreeSet, fs, path::Path};

use nebula_fuzz::{TARGETS, replay};

/// One test for each target, so that targets run at once and a failure names its target.
macro_rules! targets {
    ($($target:ident)*) => {
        $(#[test]
        fn $target() {
            let target = TARGETS.iter().find(|target| target.name == stringify!($target)).unwrap();
            replay(target, Path::new(env!("CARGO_TARGET_TMPDIR")));
        })*

        const TESTED: &[&str] = &[$(stringify!($target)),*];
    };
}

targets! { config document event frontends module reference registry signature typed wire }

#[test]
fn every_target_is_tested_and_has_a_program_and_a_corpus() {
    let named = |folder: &str| -> BTreeSet<String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz").join(folder);
        let name = |path: std::path::PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
        fs::read_dir(folder).unwrap().map(|entry| name(entry.unwrap().path())).collect()
    };
    let targets: BTreeSet<_> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    assert_eq!(TESTED.iter().copied().map(str::to_owned).collect::<BTreeSet<_>>(), targets);
    assert_eq!(named("fuzz_targets"), targets);
    assert_eq!(named("corpus"), targets);
}
