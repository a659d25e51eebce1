//! Servers of Amazon S3, Azure Blob Storage, Google Cloud Storage, Redis and NATS on loopback, for tests. Each is a process
//! that ends with the test's. The server of S3 notes its requests, and breaks its answers as a test says; Redis and NATS have
//! a proxy before them that breaks connections.
#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

mod azure;
mod gcs;
mod keyvalue;
mod process;
mod s3;

pub use self::{
    azure::AzureServer,
    gcs::GcsServer,
    keyvalue::{ConnectionFault, KeyValueServer},
    s3::{Fault, Request, S3Server},
};
