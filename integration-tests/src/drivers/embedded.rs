//! Calls to a runtime that is embedded in this process.

use std::{collections::BTreeMap, sync::Arc};

use http_body_util::BodyExt as _;
use nebula_runtime::{
    Body, Event, Invocation, InvokeError, Invoker, Node, Observer, Report, Response, Runtime, Services, ServicesConfig,
    Store,
};

use crate::{
    case::Case,
    content::Content,
    guest::{Function, Guest},
    nebula::Nebula,
    observed::{Observation, PLACEHOLDERS, ReportSummary, guest_headers, with_placeholders},
    project::Project,
    publish::publish,
    services::Backend,
};

/// A runtime with published functions.
pub(super) struct Embedded {
    tokio: tokio::runtime::Runtime,
    invoker: Arc<dyn Invoker>,
    // Its folder holds the folders that functions are granted.
    _project: Project,
}

/// The part of the expected observation that the embedded runtime shows.
pub(super) fn expected(all: Observation) -> Observation {
    let report = all.report.map(|report| ReportSummary {
        frontend: "embedded".to_owned(),
        // Publishing loaded the code into memory.
        start: if report.version.is_some() { "warm" } else { "cold" }.to_owned(),
        ..report
    });
    // The runtime holds back output before a failure. A guest's stderr goes to the log.
    let content = if all.error.is_some() && !all.broken_off { Content::EMPTY } else { all.content };
    Observation { content, stderr: None, report, ..all }
}

/// The services of the node that this process is.
fn services(project: &Project, backend: &Backend) -> Services {
    let variables =
        backend.node("embedded", project.path()).into_iter().map(|(name, value)| (name.into(), value.into()));
    let node = Node::new(project.path(), variables);
    ServicesConfig::of_environment(&node).unwrap().unwrap_or_default().open(&node).unwrap()
}

impl Embedded {
    pub(super) fn new(functions: &[Function], backend: &Backend) -> Self {
        let tokio = tokio::runtime::Runtime::new().unwrap();
        let project = Project::new(functions);
        let cache = Some(Nebula::built().cache().to_owned());
        // Without an observer, not every report gets an outcome.
        let ignore: Arc<dyn Observer> = Arc::new(|_: &Report| ());
        let runtime =
            Runtime::builder(Store::memory()).code_cache(cache).observer(ignore).services(services(&project, backend));
        let runtime = tokio.block_on(async {
            let runtime = runtime.build().unwrap();
            for function in functions {
                publish(&runtime, function, &project).await;
            }
            runtime
        });
        let invoker = Arc::new(runtime);
        Self { tokio, invoker, _project: project }
    }

    pub(super) fn observe(&self, guest: &Guest, case: &Case, expected: &Observation) -> Observation {
        let body = case.bytes().into_owned();
        let event = Event::payload(Body::from(body), None).with_arguments(&case.arguments);
        let invocation =
            Invocation::new(case.function(&guest.name).parse::<nebula_runtime::FunctionRef>().unwrap(), event);
        let (id, report) = (invocation.id.to_string(), invocation.report.clone());
        let observation = self.tokio.block_on(async {
            match self.invoker.invoke(invocation).await {
                Ok(response) => read_response(response, &id, expected).await,
                Err(error) => failure_observation(&error),
            }
        });
        let report = ReportSummary::from(&report.snapshot()).comparable_to(expected);
        Observation { report: Some(report), ..observation }
    }
}

fn failure_observation(error: &InvokeError) -> Observation {
    Observation {
        status: None,
        headers: BTreeMap::new(),
        exit_code: error.exit_code(),
        error: Some(error.kind()),
        detail: Some(error.detail().to_owned()),
        media_type: None,
        content: Content::EMPTY,
        broken_off: false,
        stderr: None,
        report: None,
    }
}

async fn read_response(mut response: Response, id: &str, expected: &Observation) -> Observation {
    let (status, headers) = (response.status, response.take_headers());
    let media_type = headers.get("content-type").map(|value| value.to_str().unwrap().to_owned());
    let headers = guest_headers(&headers);
    let (mut body, mut received, mut failure) = (response.body, Vec::new(), None);
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => received.extend_from_slice(frame.data_ref().unwrap()),
            Err(error) => failure = Some(error),
        }
    }
    let failure = failure.map(|error| failure_observation(&error));
    let received = with_placeholders(&received, &[(id, PLACEHOLDERS[0])]);
    Observation {
        status: Some(status.as_u16()),
        headers,
        exit_code: failure.as_ref().and_then(|failure| failure.exit_code),
        error: failure.as_ref().and_then(|failure| failure.error),
        detail: failure.as_ref().and_then(|failure| failure.detail.clone()),
        media_type,
        content: Content::read(&received, &expected.content),
        broken_off: failure.is_some(),
        stderr: None,
        report: None,
    }
}
