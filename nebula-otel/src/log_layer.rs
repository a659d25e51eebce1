//! The log's lines, taken from `tracing`.

use std::{error::Error, fmt, sync::Arc, time::SystemTime};

use http::HeaderValue;
use nebula_runtime::{AttributeValue, Attributes, SpanContext, with_causes};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, layer::Context};

use crate::{logs::Line, queue::Queue};

/// The field of an event that names the span it belongs to, as the header of W3C Trace Context.
const TRACE: &str = "traceparent";

/// What writes lines while lines are sent: each of them would be sent again.
const OWN: [&str; 3] = [env!("CARGO_CRATE_NAME"), "hyper", "rustls"];

/// A layer for the log that also sends its lines to the collector. A line is as it is in the log.
///
/// Lines of this crate, and of the HTTP client that it uses, are left out.
#[derive(Clone)]
pub struct LogLayer(pub(crate) Arc<Queue<Line>>);

impl<S: Subscriber> Layer<S> for LogLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        if OWN.iter().any(|own| metadata.target().starts_with(own)) {
            return;
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        let Fields { message, attributes, span } = fields;
        let (time, level, target) = (SystemTime::now(), *metadata.level(), metadata.target());
        self.0.add([Line { time, level, target, message, attributes, span }]);
    }
}

/// The fields of an event.
#[derive(Default)]
struct Fields {
    message: String,
    attributes: Attributes,
    span: Option<SpanContext>,
}

impl Fields {
    fn add(&mut self, field: &Field, value: impl Into<AttributeValue>) {
        self.attributes.push((field.name().into(), value.into()));
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, AttributeValue::Float(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, AttributeValue::Integer(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => value.clone_into(&mut self.message),
            TRACE => self.span = HeaderValue::from_str(value).ok().as_ref().and_then(SpanContext::parse),
            _ => self.add(field, value.to_owned()),
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.add(field, with_causes(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}
