//! The lines that guests log, for the console of the admin API.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use nebula_admin::{LogLine, RecentInvocations};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, layer::Context};

/// A layer of the log that passes the lines of guests on, as far as the log has them.
///
/// - Clones pass them to the same invocations. Without any, it does nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct GuestLines(Arc<OnceLock<RecentInvocations>>);

impl GuestLines {
    /// Passes the lines to these invocations from now on.
    pub(crate) fn pass_to(&self, recent: RecentInvocations) {
        self.0.get_or_init(|| recent);
    }
}

impl<S: Subscriber> Layer<S> for GuestLines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let Some(recent) = self.0.get().filter(|_| metadata.target() == "nebula::guest") else { return };
        let mut fields = Fields::default();
        event.record(&mut fields);
        let Fields { invocation, context, message } = fields;
        recent.log(&invocation, LogLine { level: level(*metadata.level()), context, message });
    }
}

/// The fields of a guest's line.
#[derive(Default)]
struct Fields {
    invocation: String,
    context: Option<String>,
    message: String,
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "invocation_id" => value.clone_into(&mut self.invocation),
            "context" => self.context = Some(value.to_owned()),
            "message" => value.clone_into(&mut self.message),
            _ => {}
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

fn level(level: Level) -> &'static str {
    match level {
        Level::TRACE => "trace",
        Level::DEBUG => "debug",
        Level::INFO => "info",
        Level::WARN => "warn",
        Level::ERROR => "error",
    }
}
