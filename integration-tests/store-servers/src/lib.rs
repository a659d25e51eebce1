//! Servers of Amazon S3, Azure Blob Storage and Google Cloud Storage on loopback, for tests. Each is a process that
//! ends with the test's. Only the server of S3 notes its requests, and breaks its answers as a test says.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod azure;
mod gcs;
mod process;
mod s3;

pub use self::{
    azure::AzureServer,
    gcs::GcsServer,
    s3::{Fault, Request, S3Server},
};
