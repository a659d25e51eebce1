//! Stores that many machines share: in a bucket of Amazon S3, Google Cloud Storage or Azure Blob Storage.

use std::{ffi::OsString, fmt, sync::Arc};

use object_store::Error;

/// A service that keeps objects in buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Service {
    /// Amazon S3, and servers that speak its protocol.
    S3,
    /// Google Cloud Storage.
    Gcs,
    /// Azure Blob Storage, which calls a bucket a container.
    Azure,
}

/// A folder of a bucket.
///
/// - The bucket's name is not empty.
/// - The prefix is a valid path of `object_store`, without a slash at either end.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Bucket {
    pub(super) service: Service,
    pub(super) name: String,
    pub(super) prefix: String,
}

impl Service {
    pub(super) const ALL: [Self; 3] = [Self::S3, Self::Gcs, Self::Azure];

    /// The service whose URLs have this scheme.
    pub(super) fn of_scheme(scheme: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|service| service.scheme() == scheme)
    }

    pub(super) fn scheme(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Gcs => "gs",
            Self::Azure => "az",
        }
    }

    /// How people call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::S3 => "S3",
            Self::Gcs => "Google Cloud Storage",
            Self::Azure => "Azure",
        }
    }

    /// The feature of this crate that brings it.
    pub(super) fn feature(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Gcs => "gcs",
            Self::Azure => "azure",
        }
    }

    /// Whether this build can use it.
    pub(super) fn is_in_this_build(self) -> bool {
        match self {
            Self::S3 => cfg!(feature = "s3"),
            Self::Gcs => cfg!(feature = "gcs"),
            Self::Azure => cfg!(feature = "azure"),
        }
    }

    /// What a user can do about an error of the service.
    pub(super) fn advice(self, error: &Error) -> &'static str {
        /// Where a machine in a cloud asks for the credentials of its role, after none were given.
        const METADATA: [&str; 3] = ["169.254.169.254", "169.254.170.2", "metadata.google.internal"];

        let told = error.to_string();
        let no_bucket = is_no_bucket(error);
        let refused = matches!(error, Error::PermissionDenied { .. } | Error::Unauthenticated { .. });
        if no_bucket {
            self.place()
        } else if refused || METADATA.iter().any(|host| told.contains(host)) {
            self.credentials()
        } else {
            self.address()
        }
    }

    /// What a user can do where the client of the service cannot be made.
    pub(super) fn advice_on_variables(self, reason: &str) -> &'static str {
        if reason.contains("CA certificates") {
            return "install the package ca-certificates, or name a file of certificates in SSL_CERT_FILE";
        }
        match self {
            Self::S3 => "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and AWS_ENDPOINT_URL",
            Self::Gcs => "check GOOGLE_APPLICATION_CREDENTIALS, GOOGLE_SERVICE_ACCOUNT and GOOGLE_BASE_URL",
            Self::Azure => "check AZURE_STORAGE_ACCOUNT_NAME, AZURE_STORAGE_ACCOUNT_KEY and AZURE_STORAGE_ENDPOINT",
        }
    }

    fn place(self) -> &'static str {
        match self {
            Self::S3 | Self::Gcs => "create the bucket, or correct the store's URL",
            Self::Azure => "create the container, or correct the store's URL",
        }
    }

    fn credentials(self) -> &'static str {
        match self {
            Self::S3 => {
                "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, and what they are allowed to do \
                 with the bucket"
            }
            Self::Gcs => "check GOOGLE_APPLICATION_CREDENTIALS, and what they are allowed to do with the bucket",
            Self::Azure => {
                "check AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, and what they are allowed to do with \
                 the container"
            }
        }
    }

    fn address(self) -> &'static str {
        match self {
            Self::S3 => "check AWS_ENDPOINT_URL, AWS_REGION and the network",
            Self::Gcs => "check GOOGLE_BASE_URL and the network",
            Self::Azure => "check AZURE_STORAGE_ACCOUNT_NAME, AZURE_STORAGE_ENDPOINT and the network",
        }
    }
}

/// Whether the bucket itself is missing, which the services tell with the status of a missing object.
pub(crate) fn is_no_bucket(error: &Error) -> bool {
    let told = error.to_string();
    ["NoSuchBucket", "ContainerNotFound"].iter().any(|code| told.contains(code))
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, name, prefix } = self;
        let slash = if prefix.is_empty() { "" } else { "/" };
        write!(f, "{}://{name}{slash}{prefix}", service.scheme())
    }
}

/// How the services of shared stores are reached: the variables that their SDKs know, such as `AWS_ACCESS_KEY_ID`,
/// `AWS_ENDPOINT_URL`, `GOOGLE_APPLICATION_CREDENTIALS` or `AZURE_STORAGE_ACCOUNT_KEY`.
///
/// - It holds secrets. Its debug output shows the names of the variables only.
#[derive(Clone, Default)]
pub struct StoreAccess(Arc<[(String, String)]>);

impl StoreAccess {
    /// The variables of these that are for a service: `StoreAccess::of(std::env::vars_os())`. Variables that are not
    /// UTF-8 are left out.
    pub fn of(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        const PREFIXES: [&str; 3] = ["AWS_", "AZURE_", "GOOGLE_"];

        let text = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
        let known = |(name, _): &(String, String)| PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        Self(variables.into_iter().filter_map(text).filter(known).collect())
    }

    /// The variables whose names begin with `prefix`, with their names as `object_store` knows them.
    #[cfg(feature = "cloud")]
    pub(super) fn variables(&self, prefix: &str) -> impl Iterator<Item = (String, &str)> {
        let given = self.0.iter().filter(move |(name, value)| name.starts_with(prefix) && !value.is_empty());
        given.map(|(name, value)| (name.to_ascii_lowercase(), value.as_str()))
    }

    /// The value of the first of these variables that has one.
    #[cfg(feature = "cloud")]
    pub(super) fn get(&self, names: &[&str]) -> Option<&str> {
        let value = |wanted: &&str| self.0.iter().find(|(name, value)| name == wanted && !value.is_empty());
        names.iter().find_map(value).map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for StoreAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}
