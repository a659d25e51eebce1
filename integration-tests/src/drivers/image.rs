//! Requests to a container of an image.

use super::http;
use crate::{
    case::Case,
    guest::{Function, Guest},
    observed::{Observation, ReportSummary},
    platform::ImagePackage,
    server::Server,
    services::Backend,
};

/// A container of an image with some functions.
pub(super) struct Image {
    // Declared before the package, so that the container is stopped first.
    server: Server,
    _package: ImagePackage,
}

/// The part of the expected observation that a container shows.
pub(super) fn expected(all: Observation) -> Observation {
    let expected = http::expected(all);
    // The code is loaded for the first call.
    let report = expected.report.map(|report| ReportSummary { start: "cold".to_owned(), ..report.without_lines() });
    Observation { report, ..expected }
}

impl Image {
    pub(super) fn new(functions: &[Function], backend: &Backend) -> Self {
        let package = ImagePackage::new(functions);
        let server =
            package.start(&[], &backend.node("image", package.folder())).unwrap_or_else(|output| panic!("{output:#?}"));
        Self { server, _package: package }
    }

    pub(super) fn observe(&self, guest: &Guest, case: &Case, expected: &Observation) -> Observation {
        let observed = http::observe(&self.server, http::request(guest, case), expected);
        Observation { report: observed.report.map(|report| report.started_as(expected)), ..observed }
    }
}
