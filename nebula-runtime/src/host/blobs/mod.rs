//! Containers of blobs: the contract of a backend, and the backends.
//!
//! All backends are [`ObjectBlobs`], which is one implementation over `object_store`:
//!
//! | URL | backend | names |
//! |---|---|---|
//! | `memory:` | the memory of the process | as they are |
//! | `folder:PATH` | a folder of this machine, with the feature `folder` | `a/b` is the file `a%2F/b` |
//! | `s3://BUCKET/PREFIX` | Amazon S3 and servers that speak its protocol, with the feature `s3` | as they are |
//! | `gs://BUCKET/PREFIX` | Google Cloud Storage, with the feature `gcs` | as they are |
//! | `az://CONTAINER/PREFIX` | Azure Blob Storage, with the feature `azure` | as they are |
//!
//! A name that the backend does not take as it is, such as `../a`, is encoded (`names`).

#[cfg(any(test, feature = "test-kit"))]
pub mod conformance;
mod contract;
mod file;
#[cfg(feature = "folder")]
mod folder;
mod names;
#[cfg(not(feature = "folder"))]
mod no_folder;
mod object_blobs;
mod objects;
mod parts;
#[cfg(test)]
mod tests;
mod upload;
mod url;

#[cfg(not(feature = "folder"))]
use self::no_folder as folder;
pub use self::{
    contract::{BlobContent, BlobInfo, BlobRange, BlobStream, Blobs, MAX_NAME},
    object_blobs::ObjectBlobs,
    url::{BlobsUrl, InvalidBlobsUrl, open},
};
