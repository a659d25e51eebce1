//! Settings and log lines, through each of the interfaces.

wit_bindgen::generate!({
    path: [
        "wit/wasi-config-rc.1.wit",
        "wit/wasi-config-draft-2024-09-27.wit",
        "wit/wasi-config-draft.wit",
        "wit/spin.wit",
        "wit/wasi-logging.wit",
        "wit/settings.wit",
    ],
    world: "nebula:settings/settings",
    generate_all,
});

use fermyon::spin::variables;
use wasi::{
    config0_2_0_draft::runtime,
    config0_2_0_draft_2024_09_27::store as draft,
    config0_2_0_rc_1::store as candidate,
    logging::logging::{self, Level},
};

export!(Settings);

struct Settings;

impl Guest for Settings {
    fn get(name: String) -> Vec<String> {
        vec![
            in_words(candidate::get(&name)),
            in_words(draft::get(&name)),
            in_words(runtime::get(&name)),
            in_words(variables::get(&name).map(Some)),
        ]
    }

    fn all() -> Vec<Vec<(String, String)>> {
        vec![
            candidate::get_all().unwrap_or_default(),
            draft::get_all().unwrap_or_default(),
            runtime::get_all().unwrap_or_default(),
        ]
    }

    fn log(context: String, line: String) {
        for level in [Level::Trace, Level::Debug, Level::Info, Level::Warn, Level::Error, Level::Critical] {
            logging::log(level, &context, &line);
        }
    }
}

fn in_words<E: std::fmt::Debug>(got: Result<Option<String>, E>) -> String {
    match got {
        Ok(Some(text)) => text,
        Ok(None) => "none".to_owned(),
        Err(error) => format!("{error:?}"),
    }
}
