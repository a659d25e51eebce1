//! All that is sent.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use nebula_runtime::{Span, SpanContext, TraceId, Tracer};
use opentelemetry_proto::tonic::collector::{
    logs::v1::ExportLogsServiceResponse, metrics::v1::ExportMetricsServiceResponse,
    trace::v1::ExportTraceServiceResponse,
};
use prost::Message;
use tokio::{
    task::JoinHandle,
    time::{MissedTickBehavior, interval, timeout},
};

use crate::{
    client::CollectorClient,
    config::Config,
    counts::{Counter, Counts},
    exporter::{Exporter, Retry},
    log_layer::LogLayer,
    logs::{self, Line},
    metrics::{self, Times},
    queue::Queue,
    resource::Resource,
    sampler::Sampler,
    signal::{Encoding, Signal},
    spans,
    tls::TlsError,
};

/// Sends traces, metrics and logs to a collector. Clones are cheap, and share what is sent.
#[derive(Clone)]
pub struct Telemetry(Arc<Inner>);

struct Inner {
    traces: Option<(Arc<Signal<Span>>, Sampler)>,
    logs: Option<Arc<Signal<Line>>>,
    metrics: Option<Arc<Metrics>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Telemetry {
    /// Prepares what the configuration asks for. Nothing is sent before [`Telemetry::start`].
    ///
    /// # Errors
    /// TLS cannot be set up, or a file of certificates cannot be read.
    pub fn new(config: Config) -> Result<Self, TlsError> {
        let Config { traces, metrics, logs, sampler, resource, spans, lines, metric_interval } = config;
        let resource = Arc::new(resource);
        let traces = traces.map(|endpoint| Signal::new(endpoint, spans, Arc::clone(&resource), SPANS)).transpose()?;
        let logs = logs.map(|endpoint| Signal::new(endpoint, lines, Arc::clone(&resource), LINES)).transpose()?;
        let metrics = metrics.map(|endpoint| -> Result<_, TlsError> {
            let counter = Arc::<Counter>::default();
            let exporter = Exporter::new("metrics", CollectorClient::new(endpoint)?, Arc::clone(&counter));
            let (source, since) = (Mutex::default(), SystemTime::now());
            Ok(Metrics { exporter, counter, source, since, interval: metric_interval, resource })
        });
        let inner = Inner {
            traces: traces.map(|signal| (Arc::new(signal), sampler)),
            logs: logs.map(Arc::new),
            metrics: metrics.transpose()?.map(Arc::new),
            tasks: Mutex::default(),
        };
        Ok(Self(Arc::new(inner)))
    }

    /// Takes the spans of a runtime. `None` if traces are not sent.
    pub fn tracer(&self) -> Option<Arc<dyn Tracer>> {
        let (signal, sampler) = self.0.traces.as_ref()?;
        Some(Arc::new(SpanQueue { queue: Arc::clone(&signal.queue), sampler: *sampler }))
    }

    /// Takes the lines of the log. `None` if they are not sent.
    pub fn log_layer(&self) -> Option<LogLayer> {
        self.0.logs.as_ref().map(|signal| LogLayer(Arc::clone(&signal.queue)))
    }

    /// Sends what comes from now on, in tasks of the current Tokio runtime. `shown` gives the metrics in the text format
    /// of OpenMetrics.
    pub fn start(&self, shown: impl Fn() -> String + Send + Sync + 'static) {
        let mut tasks = self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((signal, _)) = self.0.traces.clone() {
            tasks.push(tokio::spawn(async move { signal.run().await }));
        }
        if let Some(signal) = self.0.logs.clone() {
            tasks.push(tokio::spawn(async move { signal.run().await }));
        }
        if let Some(metrics) = self.0.metrics.clone() {
            *metrics.source.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(shown));
            tasks.push(tokio::spawn(async move { metrics.run().await }));
        }
    }

    /// Sends what waits, and the metrics as they are now, within `limit`. What is not sent by then is sent later.
    pub async fn flush(&self, limit: Duration) {
        let Inner { traces, logs, metrics, .. } = &*self.0;
        let sending = async {
            tokio::join!(
                async {
                    if let Some((signal, _)) = traces {
                        signal.send(Retry::No).await
                    }
                },
                async {
                    if let Some(signal) = logs {
                        signal.send(Retry::No).await
                    }
                },
                async {
                    if let Some(metrics) = metrics {
                        metrics.send(Retry::No).await
                    }
                },
            )
        };
        drop(timeout(limit, sending).await);
    }

    /// Sends what waits within `limit`, and ends the tasks.
    pub async fn shut_down(&self, limit: Duration) {
        self.flush(limit).await;
        self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner).drain(..).for_each(|task| task.abort());
    }

    /// How much was sent and dropped so far.
    pub fn counts(&self) -> Counts {
        let Inner { traces, logs, metrics, .. } = &*self.0;
        Counts {
            spans: traces.as_ref().map(|(signal, _)| signal.queue.counter.counted()).unwrap_or_default(),
            points: metrics.as_ref().map(|metrics| metrics.counter.counted()).unwrap_or_default(),
            lines: logs.as_ref().map(|signal| signal.queue.counter.counted()).unwrap_or_default(),
        }
    }
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry").field("counts", &self.counts()).finish_non_exhaustive()
    }
}

const SPANS: Encoding<Span> = Encoding {
    name: "spans",
    message: |items, resource| spans::request(items, resource).encode_to_vec(),
    rejected: |answer| {
        let partial = ExportTraceServiceResponse::decode(answer).ok().and_then(|answer| answer.partial_success);
        rejected(partial.map(|partial| partial.rejected_spans))
    },
};

const LINES: Encoding<Line> = Encoding {
    name: "logs",
    message: |items, resource| logs::request(items, resource).encode_to_vec(),
    rejected: |answer| {
        let partial = ExportLogsServiceResponse::decode(answer).ok().and_then(|answer| answer.partial_success);
        rejected(partial.map(|partial| partial.rejected_log_records))
    },
};

fn rejected_points(answer: Bytes) -> u64 {
    let partial = ExportMetricsServiceResponse::decode(answer).ok().and_then(|answer| answer.partial_success);
    rejected(partial.map(|partial| partial.rejected_data_points))
}

fn rejected(count: Option<i64>) -> u64 {
    count.and_then(|count| u64::try_from(count).ok()).unwrap_or_default()
}

/// Takes the spans of a runtime.
struct SpanQueue {
    queue: Arc<Queue<Span>>,
    sampler: Sampler,
}

impl Tracer for SpanQueue {
    fn is_sampled(&self, trace: TraceId, parent: Option<&SpanContext>) -> bool {
        self.sampler.samples(trace, parent)
    }

    fn take(&self, spans: Vec<Span>, left_out: u64) {
        self.queue.counter.dropped(left_out);
        self.queue.add(spans);
    }
}

/// Metrics, which are read when they are sent.
struct Metrics {
    exporter: Exporter,
    counter: Arc<Counter>,
    source: Mutex<Option<Arc<Source>>>,
    /// When the process began to count.
    since: SystemTime,
    interval: Duration,
    resource: Arc<Resource>,
}

/// Gives the metrics in the text format of OpenMetrics.
type Source = dyn Fn() -> String + Send + Sync;

impl Metrics {
    async fn run(&self) {
        let mut interval = interval(self.interval);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first tick is at once, when there is nothing to tell.
        interval.tick().await;
        loop {
            interval.tick().await;
            self.send(Retry::Yes).await;
        }
    }

    async fn send(&self, retry: Retry) {
        let source = self.source.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(source) = source else { return };
        let times = Times { since: self.since, now: SystemTime::now() };
        let (request, points) = metrics::request(&source(), times, &self.resource);
        self.exporter.send(request.encode_to_vec(), points, retry, rejected_points).await;
    }
}
