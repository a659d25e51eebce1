//! Every case of the table, through every frontend that can make its call.

use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use nebula_integration_tests::{Case, Fixture, Frontend, Function, Guest};

fn main() {
    let arguments = Arguments::from_args();
    let guests: Vec<_> = guests(&arguments).into_iter().map(Arc::new).collect();
    let rows: Vec<_> = guests.iter().flat_map(rows).collect();
    let functions = functions(rows.iter().filter(|row| may_run(&arguments, &row.name())));
    let fixture = Arc::new(Fixture::new(functions));
    let trials = rows.into_iter().map(|row| {
        let (fixture, missing) = (Arc::clone(&fixture), row.frontend.is_missing());
        let trial = Trial::test(row.name(), move || row.check(&fixture));
        match missing {
            Some(reason) => trial.with_kind(reason).with_ignored_flag(true),
            None => trial,
        }
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    // This stops the processes that the tests share. `exit` would not drop them.
    drop(fixture);
    conclusion.exit();
}

/// The guests that the wanted tests need. nextest runs each test in its own process, which reads one guest only.
fn guests(arguments: &Arguments) -> Vec<Guest> {
    let exact = arguments.filter.as_deref().filter(|_| arguments.exact);
    let one = exact.and_then(|name| Guest::named(name.split("::").nth(1)?));
    one.map_or_else(Guest::all, |guest| vec![guest])
}

/// A test: a case and a frontend that runs it.
struct Row {
    guest: Arc<Guest>,
    case: Case,
    frontend: Frontend,
}

fn rows(guest: &Arc<Guest>) -> Vec<Row> {
    let row = |case: &Case, frontend| Row { guest: Arc::clone(guest), case: case.clone(), frontend };
    let of_case = |case| {
        let frontends: Vec<_> = Frontend::ALL.into_iter().filter(|frontend| frontend.runs(case)).collect();
        assert!(!frontends.is_empty(), "no frontend runs {:?} of {}", case.name, guest.name);
        frontends.into_iter().map(move |frontend| row(case, frontend))
    };
    guest.cases.iter().flat_map(of_case).collect()
}

impl Row {
    fn name(&self) -> String {
        format!("{}::{}::{}", self.frontend.name(), self.guest.name, self.case.test_name())
    }

    fn check(&self, fixture: &Fixture) -> Result<(), Failed> {
        let expected = self.frontend.expected(&self.guest, &self.case);
        let observed = self.frontend.observe(fixture, &self.guest, &self.case);
        match observed.differences(&expected).as_str() {
            "" => Ok(()),
            differences => Err(format!("{} (- expected, + observed)\n{differences}", self.case.name).into()),
        }
    }
}

/// Whether the command line may select the test `name`. Only the functions of selected tests are published.
fn may_run(arguments: &Arguments, name: &str) -> bool {
    match &arguments.filter {
        Some(filter) if arguments.exact => name == filter,
        Some(filter) => name.contains(filter),
        None => true,
    }
}

/// The functions that `rows` call, without duplicates.
fn functions<'a>(rows: impl Iterator<Item = &'a Row>) -> Vec<Function> {
    let mut functions: Vec<_> = rows.filter_map(|row| row.guest.function(&row.case).cloned()).collect();
    functions.sort_by(|a, b| a.name.cmp(&b.name));
    functions.dedup_by(|a, b| a.name == b.name);
    functions
}
