//! Decides which functions are published, and in which order.

use std::collections::BTreeMap;

use nebula_runtime::FunctionName;

use crate::config::FunctionSource;

/// The functions of a configuration.
#[derive(Debug, Default)]
pub(super) struct Publishes(BTreeMap<FunctionName, State>);

#[derive(Debug, Default)]
struct State {
    stage: Stage,
    /// Whether the function has been published since the start.
    published: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Stage {
    #[default]
    Idle,
    Due,
    Running,
    /// The file has changed since the publish began.
    RunningAndDue,
}

impl Publishes {
    /// Replaces the functions by these.
    pub(super) fn follow(&mut self, functions: &[FunctionSource]) {
        let mut before = std::mem::take(&mut self.0);
        let state =
            |function: &FunctionSource| (function.name.clone(), before.remove(&function.name).unwrap_or_default());
        self.0 = functions.iter().map(state).collect();
    }

    /// Requests that a function is published.
    pub(super) fn want(&mut self, name: &FunctionName) {
        if let Some(state) = self.0.get_mut(name) {
            state.stage = match state.stage {
                Stage::Idle | Stage::Due => Stage::Due,
                Stage::Running | Stage::RunningAndDue => Stage::RunningAndDue,
            };
        }
    }

    /// Takes back the request, because the function could not be built.
    pub(super) fn give_up(&mut self, name: &FunctionName) {
        if let Some(state) = self.0.get_mut(name) {
            state.stage = match state.stage {
                Stage::Idle | Stage::Due => Stage::Idle,
                Stage::Running | Stage::RunningAndDue => Stage::Running,
            };
        }
    }

    /// Whether a function can be published now: the functions that it imports come first. `is_being_built` returns
    /// whether a function is being built.
    pub(super) fn may_start(&self, function: &FunctionSource, is_being_built: impl Fn(&FunctionName) -> bool) -> bool {
        let is_ready = |import: &FunctionName| {
            self.0.get(import).is_none_or(|state| {
                // A build can be long. The published version is good enough until then.
                state.stage == Stage::Idle && (state.published || !is_being_built(import))
            })
        };
        self.0.get(&function.name).is_some_and(|state| state.stage == Stage::Due)
            && !is_being_built(&function.name)
            && function.config.imports.values().all(|import| is_ready(import.name()))
    }

    /// Notes that a function is being published.
    pub(super) fn started(&mut self, name: &FunctionName) {
        if let Some(state) = self.0.get_mut(name) {
            state.stage = Stage::Running;
        }
    }

    /// Notes that a publish has ended, and whether it succeeded.
    pub(super) fn ended(&mut self, name: &FunctionName, published: bool) {
        if let Some(state) = self.0.get_mut(name) {
            state.stage = if state.stage == Stage::RunningAndDue { Stage::Due } else { Stage::Idle };
            state.published |= published;
        }
    }

    /// Whether a function is being published.
    pub(super) fn is_running(&self, name: &FunctionName) -> bool {
        self.0.get(name).is_some_and(State::is_running)
    }

    /// Whether any function is being published.
    pub(super) fn are_running(&self) -> bool {
        self.0.values().any(State::is_running)
    }
}

impl State {
    fn is_running(&self) -> bool {
        matches!(self.stage, Stage::Running | Stage::RunningAndDue)
    }
}

#[cfg(test)]
mod tests {
    use nebula_runtime::FunctionConfig;

    use super::*;
    use crate::source::Source;

    fn function(name: &str, import: Option<&str>) -> FunctionSource {
        let mut config = FunctionConfig::default();
        config.imports.extend(import.map(|import| ("a:b/c".to_owned(), import.parse().unwrap())));
        FunctionSource { name: name.parse().unwrap(), source: Source::File(name.into()), build: None, config }
    }

    #[test]
    fn a_function_comes_after_the_functions_that_it_imports_and_waits_only_for_their_first_build() {
        let (base, user) = (function("base", None), function("user", Some("base@prod")));
        let functions = [base.clone(), user.clone()];
        let mut publishes = Publishes::default();
        publishes.follow(&functions);
        publishes.want(&user.name);
        assert!(publishes.may_start(&user, |_| false));
        assert!(!publishes.may_start(&user, |name| *name == base.name));
        publishes.want(&base.name);
        assert!(!publishes.may_start(&user, |_| false));
        publishes.started(&base.name);
        assert!(publishes.are_running() && !publishes.may_start(&user, |_| false));
        publishes.ended(&base.name, true);
        assert!(publishes.may_start(&user, |name| *name == base.name));
    }

    #[test]
    fn a_change_during_a_publish_is_published_after_it() {
        let f = function("f", None);
        let mut publishes = Publishes::default();
        publishes.follow(std::slice::from_ref(&f));
        publishes.want(&f.name);
        publishes.started(&f.name);
        publishes.want(&f.name);
        assert!(!publishes.may_start(&f, |_| false));
        publishes.ended(&f.name, true);
        assert!(publishes.may_start(&f, |_| false));
        publishes.give_up(&f.name);
        assert!(!publishes.may_start(&f, |_| false));
    }
}
